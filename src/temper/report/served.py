"""How a gateway's answers were, in words: of a window, and beside what is promised of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from temper.core.served import ANSWERED, FAILED, OVERLOAD, Standing, within
from temper.core.watch import Seen

COLOURS = {Seen.PASS: "green", Seen.FAIL: "red", Seen.INCONCLUSIVE: "yellow", Seen.NOTHING: "yellow"}
QUANTILE = 0.99


def figures(events: Mapping[str, int], seconds: float) -> dict[str, float]:
    """Throughput, failures, latency and saturation of so many seconds; nothing where nothing was counted, which is no
    zero. A latency is the upper end of its bar, and is left out where no bar has one.

    >>> figures({"answered": 99, "failed": 1, "overload": 1, "took 0.05": 99}, 10.0)
    {'requests_per_second': 10.0, 'failed_share': 0.01, 'overload_share': 0.01, 'latency_p99_seconds': 0.05}
    >>> figures({"refused": 3}, 10.0)
    {}
    """
    asked = events.get(ANSWERED, 0) + events.get(FAILED, 0)
    if not asked:
        return {}
    found = {
        "requests_per_second": asked / seconds,
        "failed_share": events.get(FAILED, 0) / asked,
        "overload_share": events.get(OVERLOAD, 0) / asked,
    }
    end = within(events, QUANTILE)
    return found | ({"latency_p99_seconds": float(end)} if end not in ("", "+Inf") else {})


def told(events: Mapping[str, int], seconds: float) -> str:
    """The same in a line.

    >>> told({"answered": 99, "failed": 1, "overload": 1, "took 0.05": 99}, 10.0)
    '10 requests a second, 99 % answered within 50 ms, 1 failed (1.00 %), 1 of them turned away for want of room'
    >>> told({}, 10.0)
    'how requests were answered was not counted'
    """
    found = figures(events, seconds)
    if not found:
        return "how requests were answered was not counted"
    failed, full = events.get(FAILED, 0), events.get(OVERLOAD, 0)
    said = [f"{found['requests_per_second']:.3g} requests a second", *_quick(events)]
    said += [f"{failed:,} failed ({found['failed_share']:.2%})".replace("%)", " %)")] if failed else ["none failed"]
    said += [f"{full:,} of them turned away for want of room"] if full else []
    return ", ".join(said)


def _quick(events: Mapping[str, int]) -> list[str]:
    end = within(events, QUANTILE)
    if not end:
        return []
    return ["over 1 % took more than 5 s"] if end == "+Inf" else [f"99 % answered within {1000.0 * float(end):g} ms"]


def said(one: Standing) -> str:
    """Why it stands so."""
    if one.seen is Seen.NOTHING:
        return f"no request came in {_span(min(rate.rule.short for rate in one.rates))}"
    if fast := [rate for rate in one.rates if rate.burns]:
        rule = fast[0].rule
        return f"the budget burns {fast[0].short:.3g} times as fast as it may ({rule.rate:g} for {_span(rule.long)})"
    if few := [rate for rate in one.rates if rate.asked < rate.rule.least]:
        rate = few[0]
        return f"{rate.asked:,} in {_span(rate.rule.short)} are too few: {rate.rule.least:,} would do"
    return f"no budget burns too fast: {', '.join(f'{rate.long:.2g} of {rate.rule.rate:g}' for rate in one.rates)}"


def share(one: Standing) -> str:
    """How many were bad.

    >>> from temper.core.served import Objective, Promise
    >>> errors = Objective(promise=Promise.ERRORS, budget=0.01)
    >>> share(Standing(objective=errors, seen=Seen.PASS, rates=(), asked=2_000, bad=3))
    '3 of 2,000 (0.15 %; 1 % may)'
    """
    if not one.asked:
        return "none came"
    return f"{one.bad:,} of {one.asked:,} ({100.0 * one.bad / one.asked:.3g} %; {100.0 * one.objective.budget:g} % may)"


def show(standings: Sequence[Standing]) -> None:
    """One line a promise; nothing where there is none."""
    from rich.console import Console
    from rich.table import Table

    if not standings:
        return
    table = Table(box=None, pad_edge=False)
    for name in ("promise", "", "bad", "burn"):
        table.add_column(name, no_wrap=name != "burn")
    for one in standings:
        table.add_row(one.objective.name, f"[{COLOURS[one.seen]}]{one.seen.value.upper()}[/]", share(one), said(one))
    Console(soft_wrap=False).print(table)


def document(standings: Sequence[Standing]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [{**asdict(one), "seen": one.seen.value, "promise": one.objective.name} for one in standings]


def _span(seconds: float) -> str:
    for unit, word in ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min")):
        if seconds >= unit:
            return f"{seconds / unit:g} {word}"
    return f"{seconds:g} s"
