"""What a chat service said under load: first tokens and tokens a second, by offered rate."""

from __future__ import annotations

from collections.abc import Iterator

from temper.core.load import Loaded, Spoken, Spread, Trial
from temper.report._figure import number, percent
from temper.report.charts import Chart, Row, numbered, to_svg
from temper.report.load_charts import LEAST, points

HEADS = (
    "asked/s",
    "first p50",
    "first p95",
    "first p99",
    "tokens/s p50",
    "tokens/s p95",
    "tokens/s p99",
    "tokens/s in all",
    "whole p50",
    "whole p99",
    "tokens",
    "none",
)
_AT = 340
_PARTS = ("p50", "p95", "p99")


def spoke(found: Loaded) -> bool:
    """Whether it was a chat."""
    return any(one.spoken is not None for one in found.trials)


def rows(found: Loaded) -> list[tuple[str, ...]]:
    """The runs as table rows, under HEADS with the name of each run before; a search's runs by rate."""
    told = [("", one) for one in sorted(found.trials, key=lambda one: one.rate)]
    told += [(f"{times:g} x knee", one) for times, one in found.overload]
    return [
        (name or ("holds" if one.holds(found.limit) else "breaks"), *_cells(one, one.spoken))
        for name, one in told
        if one.spoken is not None
    ]


def _cells(one: Trial, said: Spoken) -> tuple[str, ...]:
    return (
        number(one.rate),
        *(_time(getattr(said.first, part)) for part in _PARTS),
        *(_per_second(getattr(said.each, part)) for part in _PARTS),
        number(said.rate) if said.told + said.guessed else "-",
        _time(said.whole.p50),
        _time(said.whole.p99),
        f"{said.tokens:,}",
        f"{said.broke_off + said.errors + said.stalled + said.empty:,}",
    )


def _time(seconds: float | None) -> str:
    return "never" if seconds is None else f"{number(1e3 * seconds)} ms"


def _per_second(each: float | None) -> str:
    return "-" if not each else number(1 / each)


def sentences(found: Loaded) -> Iterator[str]:
    """What it said, at the knee or in the planned run; how tokens were counted; which answers were none."""
    if (near := _near(found)) is None or near.spoken is None:
        return
    said = near.spoken
    p95, p99, whole = (_time(one) for one in (said.first.p95, said.first.p99, said.whole.p50))
    yield (
        f"At {number(near.rate)} a second the first token takes {_median(said.first)} at p50, {p95} at p95, {p99} at "
        f"p99; a whole answer {whole} at p50 (n = {said.first.n:,})."
    )
    if said.each.n:
        ends = f" [{_per_second(said.each.high)}, {_per_second(said.each.low)}]"
        yield (
            f"A stream then brings {_per_second(said.each.p50)}{ends} tokens a second at p50, "
            f"{_per_second(said.each.p95)} in the slowest 5 %; all together {number(said.rate)} (n = {said.each.n:,})."
        )
    yield _counted(found)
    yield from _none(found)


def _median(times: Spread) -> str:
    return f"{_time(times.p50)} [{_time(times.low)}, {_time(times.high)}]"


def _near(found: Loaded) -> Trial | None:
    """The run at 0.9 times the knee where there is one, else the fastest that held, else the slowest."""
    under = [one for times, one in found.overload if times == 0.9]
    trials = sorted(found.trials, key=lambda one: one.rate)
    held = [one for one in trials if one.holds(found.limit)]
    return next(iter((*under, *held[-1:], *trials[:1])), None)


def _all(found: Loaded) -> list[Spoken]:
    trials = (*found.trials, *(one for _, one in found.overload))
    return [one.spoken for one in trials if one.spoken is not None]


def _counted(found: Loaded) -> str:
    """Whose count of tokens it is."""
    told, guessed, unknown = (sum(getattr(one, part) for one in _all(found)) for part in ("told", "guessed", "unknown"))
    total = max(told + guessed + unknown, 1)
    if told == total:
        return f"Tokens are as the service counts them (usage), in all {told:,} answers."
    parts = [f"in {percent(told / total)} of the answers as the service counts them (usage)"] if told else []
    if guessed:
        parts.append(f"in {percent(guessed / total)} the pieces that came, which may hold more than one token")
    if unknown:
        parts.append(f"in {percent(unknown / total)} unknown, for the service tells no usage")
    return "Tokens are " + (", ".join(parts) or "unknown: there was no whole answer") + "."


def _none(found: Loaded) -> Iterator[str]:
    kinds = ("broke_off", "errors", "stalled", "empty")
    many = [sum(getattr(one, kind) for one in _all(found)) for kind in kinds]
    words = ("broke off", "told of an error", "were silent for too long and were cut", "held no word")
    if any(many):
        told = ", ".join(f"{count:,} {word}" for count, word in zip(many, words, strict=True) if count)
        yield f"Answers that were none, in all runs: {told}."


def drawn(found: Loaded) -> list[Chart]:
    """First tokens, tokens a second of a stream and of all, by offered rate, where there is more than one run."""
    trials = [*found.trials, *(one for _, one in found.overload)]
    said = [(one.rate, one.spoken) for one in trials if one.spoken is not None]
    if len(said) < 2:
        return []
    charts = [_firsts(said, found), *_streams(said), *_together(said)]
    return [numbered(chart, _AT + at) for at, chart in enumerate(charts)]


def _series(said: list[tuple[float, Spoken]], part: str) -> list[tuple[float, str, float]]:
    """(rate, name of the quantile, seconds) of what came."""
    found = ((rate, name, getattr(getattr(one, part), name)) for rate, one in said for name in _PARTS)
    return [(rate, name, value) for rate, name, value in found if value]


def _firsts(said: list[tuple[float, Spoken]], found: Loaded) -> Chart:
    rows: list[Row] = [
        {"series": name, "at": rate, "value": max(1e3 * value, LEAST)} for rate, name, value in _series(said, "first")
    ]
    without = sum(one.first.p99 is None for _, one in said)
    lost = f" {without} runs have no p99: more than 1 % of what was not turned away failed." if without else ""
    return Chart(
        title="Time to the first token, by offered rate",
        caption=f"One point a run, from when a request was due. Thin line: the limit.{lost}",
        svg=to_svg(points(rows, list(_PARTS), "milliseconds", (), 1e3 * found.limit.seconds)),
    )


def _streams(said: list[tuple[float, Spoken]]) -> Iterator[Chart]:
    names = {"p50": "p50", "p95": "slowest 5 %", "p99": "slowest 1 %"}
    rows: list[Row] = [
        {"series": names[name], "at": rate, "value": 1 / value} for rate, name, value in _series(said, "each")
    ]
    if rows:
        yield Chart(
            title="Tokens a second of one stream, by offered rate",
            caption="One point a run: after the first token, of whole answers.",
            svg=to_svg(points(rows, list(names.values()), "tokens a second", (), None)),
        )


def _together(said: list[tuple[float, Spoken]]) -> Iterator[Chart]:
    rows: list[Row] = [
        {"series": "all streams", "at": rate, "value": one.rate} for rate, one in said if one.told + one.guessed
    ]
    if rows:
        yield Chart(
            title="Tokens a second of all streams, by offered rate",
            caption="One point a run: tokens of whole answers, from the start to the last of them. Where it stops to "
            "grow, the service writes as fast as it can.",
            svg=to_svg(points(rows, ["all streams"], "tokens a second", (), None)),
        )
