"""Windows of predictions in the terminal: when, how many rows, what is said, and what moved most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from temper.core.outcome import Outcome
from temper.core.served import ANSWERED
from temper.core.watch import ATTEMPTS, Alarm, Kind, Seen, Shifted, Watched
from temper.report import served
from temper.report._inert import inert

_COLOURS = {Seen.PASS: "green", Seen.FAIL: "red", Seen.INCONCLUSIVE: "yellow", Seen.NOTHING: "yellow"}
_SHOWN = 3
_ORDER = (
    *(
        "attempts",
        "refused",
        "trains",
        "bunching",
        "persistent",
        "unseen",
        "missing",
        "ks",
        "g_test",
        "wasserstein",
        "psi",
        "jensen_shannon",
    ),
    *("movable", "joint", "together"),
)
"""Of several comparisons that found drift in a column, the one that says most."""


def show(windows: Sequence[Watched]) -> None:
    """One line a window, the oldest first."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("window (UTC)", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("what was found")
    for one in windows:
        colour = _COLOURS[one.seen]
        table.add_row(span(one), f"{one.rows:,}", f"[{colour}]{one.seen.value.upper()}[/]", _whole(one))
    Console(soft_wrap=False).print(table)


def span(one: Watched | Outcome) -> str:
    """From when to when; a day by its date.

    >>> hour = Watched(start=0.0, ends=3600.0, rows=0, seen=Seen.NOTHING, tests=0, needed=None)
    >>> from dataclasses import replace
    >>> span(hour), span(replace(hour, ends=86400.0))
    ('1970-01-01 00:00-01:00', '1970-01-01')
    """
    start, ends = (datetime.fromtimestamp(at, UTC) for at in (one.start, one.ends))
    if one.ends - one.start == 86_400.0 and not one.start % 86_400.0:
        return f"{start:%Y-%m-%d}"
    last = f"{ends:%H:%M}" if start.date() == ends.date() or not one.ends % 86_400.0 else f"{ends:%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M}-{last}"


def following(windows: Sequence[Watched]) -> str:
    """What to do next about them."""
    kinds = {one.kind for one in windows}
    if Kind.PIPELINE in kinds:
        return "next: repair what fills the feed; the model was given other columns than it was made for"
    if any(alarm.comparison == ATTEMPTS for one in windows for alarm in one.alarms):
        return "next: `temper ledger show` says who asked; what to do: `temper respond show injection`"
    if Kind.ATTACK in kinds:
        return "next: look at the rows near the threshold, and at who sent them; `temper assess` says what breaks it"
    if any(one.alarms or one.shifts for one in windows):
        return "next: `temper assess` with newer rows says whether the model still holds there"
    if any(one.seen is Seen.INCONCLUSIVE and ATTEMPTS not in dict(one.events) for one in windows):
        return "next: a longer `monitor: window:` gives windows that can be judged"
    return ""


def document(windows: Sequence[Watched]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [{**asdict(one), "seen": one.seen.value, "service": _served(one) or None} for one in windows]


def _served(one: Watched) -> dict[str, float]:
    return served.figures(dict(one.events), one.ends - one.start)


def _whole(one: Watched) -> str:
    """The alarms; beneath them the kind of change and why, and since when if not since this window; and how requests
    were answered, where that was counted.
    """
    events = dict(one.events)
    answers = f"\n[dim]{served.told(events, one.ends - one.start)}[/]" if ANSWERED in events else ""
    return f"{_kind(one)}{answers}"


def _kind(one: Watched) -> str:
    if one.kind is None:
        return said(one)
    since = f" since {_day(one.since)}" if one.since is not None and one.since < one.start else ""
    more = [f"and {len(one.why) - _SHOWN} more signs"] if len(one.why) > _SHOWN else []
    why = "; ".join([*(inert(text, 160) for text in one.why[:_SHOWN]), *more])
    return f"[bold]{one.kind.value}[/]{since}: {why}\n{said(one)}"


def _day(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%Y-%m-%d}" if not at % 86_400.0 else f"{moment:%Y-%m-%d %H:%M}"


def said(one: Watched) -> str:
    """What was found, in a line: by itself, then as a part of a stream."""
    alone = _alone(one)
    if not one.shifts:
        return alone
    more = f"; {len(one.shifts) - _SHOWN} more columns" if len(one.shifts) > _SHOWN else ""
    stream = f"in the stream {'; '.join(map(_shifted, one.shifts[:_SHOWN]))}{more}"
    return f"{alone}; {stream}" if one.troubles or one.alarms else stream


def _shifted(one: Shifted) -> str:
    """`amount is higher since 2026-01-03 14:05 (13:50 to 14:20), row 1,020, seen 2026-01-03 16:00`."""
    row = f"row {one.since:,.0f}"
    if not one.times:
        return f"{inert(one.column, 40)} {one.how} since {row} ({one.low:,.0f} to {one.high:,.0f})"
    since, low, high, seen = (f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}" for at in one.times)
    return f"{inert(one.column, 40)} {one.how} since {since} ({low} to {high}), {row}, seen {seen}"


def _alone(one: Watched) -> str:
    if one.troubles:
        more = f" and {len(one.troubles) - 1} more" if len(one.troubles) > 1 else ""
        return inert(one.troubles[0], 120) + more
    if one.alarms:
        told = by_column(one.alarms)
        if len(told) > 1:  # columns that moved by themselves belong together otherwise, too
            told.pop("", None)
        first = [alarms[0] for alarms in told.values()][:_SHOWN]
        more = f"; {len(told) - _SHOWN} more columns" if len(told) > _SHOWN else ""
        return "; ".join(_alarm(alarm) for alarm in first) + more
    if one.seen is Seen.NOTHING:
        return "no rows came: is the feed silent?"
    if ATTEMPTS in (events := dict(one.events)):
        usual = "as before" if one.seen is Seen.PASS else "too few windows came before to say what is usual"
        return f"the guard objected to {events[ATTEMPTS]:,} of {one.rows:,} exchanges: {usual}"
    if one.seen is Seen.INCONCLUSIVE:
        needed = "no number would, of so small a reference" if one.needed is None else f"{one.needed:,} would"
        return f"too few rows to show what is worth an alarm: {needed}"
    return f"none of {one.tests} comparisons found drift"


def by_column(alarms: Sequence[Alarm]) -> dict[str, list[Alarm]]:
    """The alarms of each column ("": of rows as wholes), those that say most first."""
    found: dict[str, list[Alarm]] = {}
    for alarm in sorted(alarms, key=lambda alarm: _ORDER.index(alarm.comparison)):
        found.setdefault(alarm.column, []).append(alarm)
    return found


def moved(alarm: Alarm) -> str:
    """How far a column has moved, in words.

    >>> moved(Alarm(comparison="missing", column="amount", value=-0.2, p=0.0))
    '20.0% fewer are missing'
    """
    value = abs(alarm.value)
    return {
        "unseen": f"{value:.1%} of its values are new",
        "missing": f"{value:.1%} {'more' if alarm.value > 0 else 'fewer'} are missing",
        "ks": f"its distribution moved by {value:.2f}",
        "g_test": f"its shares moved (V {value:.2f})",
        "wasserstein": f"its values moved by {value:.3g}",
        "joint": "columns belong together otherwise",
        "bunching": f"crowded just below the threshold, {value:.1f} times what its neighbours promise",
        "persistent": f"crowded just below the threshold over many windows, {value:,.0f} to one against chance",
        "together": f"two columns go together otherwise, by {value:.2f}",
        "trains": f"one case was tried {value:,.0f} times, ever closer to the threshold",
        "attempts": f"the guard objected to {value:,.0f} exchanges",
        "refused": f"{value:,.0f} requests came without a key that holds",
        "movable": f"only what an attacker sets has moved, by {value:.2f}",
    }.get(alarm.comparison, f"{alarm.comparison} {alarm.value:.3g}")


def _alarm(alarm: Alarm) -> str:
    return f"{inert(alarm.column, 40)}{': ' if alarm.column else ''}{moved(alarm)} (p {alarm.p:.0e})"
