"""A load test in pictures: latency and goodput by offered rate, and what happened when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from temper.core.load import Loaded, Moment, Trial
from temper.report.charts import BAD, DASHES, MUTED, SERIES, SHAPES, Chart, Row, inline, numbered, to_svg

_WIDTH, _HEIGHT, _WIDE = 430, 230, 900
LEAST = 0.01
"""Milliseconds: a logarithmic axis has no zero."""
_AT = 300  # keeps these charts' ids apart from those of other charts of a page


def drawn(found: Loaded) -> list[Chart]:
    """Latency and goodput by offered rate, where there is more than one run; a chat's latency is drawn apart."""
    trials = [*found.trials, *(trial for _, trial in found.overload)]
    charts = []
    if len(trials) > 1:
        chat = any(one.spoken is not None for one in trials)
        charts = [*(() if chat else (_latency(trials, found),)), _goodput(trials, found)]
    return [numbered(chart, _AT + at) for at, chart in enumerate(charts)]


def timelines(found: Loaded) -> list[Chart]:
    """What happened when: of a plan, or of the overload and what came after."""
    charts = []
    if found.timeline:
        charts.append(_timeline(found.timeline, None, "What was asked and answered, second by second", ""))
    if found.recovery is not None:
        back, band = found.recovery, (found.recovery.start, found.recovery.end)
        said = f" Grey: four times the knee ({back.during:,.0f} a second)."
        charts.append(_timeline(back.timeline, band, "Overload and what comes after it", said))
    return [numbered(chart, _AT + 10 + at) for at, chart in enumerate(charts)]


def _latency(trials: Sequence[Trial], found: Loaded) -> Chart:
    names = ["p99", "p50", "p99 from sending"]
    rows = [
        {"series": name, "at": one.rate, "value": max(1e3 * value, LEAST)}
        for one in trials
        for name, value in zip(names, (one.p99, one.p50, one.service_p99), strict=True)
        if value is not None
    ]
    ends = [
        {"at": one.rate, "low": max(1e3 * one.p99_low, LEAST), "high": max(1e3 * one.p99_high, LEAST)}
        for one in trials
        if one.p99_low is not None and one.p99_high is not None
    ]
    lost = sum(one.p99 is None for one in trials)
    without = f" {lost} runs have no p99: more than 1 % of what was not turned away failed." if lost else ""
    return Chart(
        title="Time to an answer, by offered rate",
        caption="One point a run, of what was not turned away, from when it was due; bars: 95 % intervals of "
        f"p99 if requests were independent. Thin line: the limit.{without}",
        svg=to_svg(points(rows, names, "milliseconds", ends, 1e3 * found.limit.seconds)),
    )


def _goodput(trials: Sequence[Trial], found: Loaded) -> Chart:
    names = ["in time", "turned away", "late or failed"]
    rows = [
        {"series": name, "at": one.rate, "value": value / one.seconds}
        for one in trials
        for name, value in zip(names, (one.good, one.shed, one.late + one.failed), strict=True)
    ]
    knee = found.knee
    told = f" Knee: {knee.value:,.0f} [{knee.low:,.0f}, {knee.high:,.0f}]." if knee is not None and knee.high else ""
    return Chart(
        title="Answers in time, by offered rate",
        caption="One point a run. Where “in time” falls beyond its peak, load takes work from callers who still wait."
        f"{told}",
        svg=to_svg(points(rows, names, "requests a second", (), None)),
    )


def points(rows: list[Row], names: list[str], title: str, ends: Sequence[Row], limit: float | None) -> Any:
    """Points by offered rate, in series; `ends` are bars of the first. With a `limit`, a line, both axes are
    logarithmic.
    """
    import altair as alt

    logarithmic = limit is not None
    scale = alt.Scale(type="log", nice=False)
    x = alt.X("at:Q", title="offered requests a second", scale=scale, axis=_rounded([row["at"] for row in rows]))
    floor = scale if logarithmic else alt.Scale(zero=True)
    axis = _rounded([*(row["value"] for row in rows), limit]) if limit is not None else _few()
    y = alt.Y("value:Q", title=title, scale=floor, axis=axis)
    many = len(names)
    color = alt.Color(
        "series:N",
        scale=alt.Scale(domain=names, range=list(SERIES[:many])),
        legend=alt.Legend(title=None, columns=3, columnPadding=18),
    )
    shape = alt.Shape(
        "series:N",
        scale=alt.Scale(domain=names, range=list(SHAPES[:many])),
        legend=alt.Legend(title=None, columns=3, columnPadding=18),
    )
    chart = (
        alt.Chart(inline(rows)).mark_point(filled=True, size=46, opacity=0.9).encode(x=x, y=y, color=color, shape=shape)
    )
    if ends:
        low = alt.Y("low:Q", title=title, scale=floor, axis=axis)
        chart = (
            alt.Chart(inline(list(ends))).mark_rule(opacity=0.35, color=SERIES[0]).encode(x=x, y=low, y2="high:Q")
            + chart
        )
    if limit is not None:
        line = alt.Chart(inline([{"value": limit}])).mark_rule(color=MUTED, strokeWidth=1).encode(y=y)
        chart = line + chart
    return chart.properties(width=_WIDTH, height=_HEIGHT)


def _rounded(values: Sequence[float]) -> Any:
    """One, two and five of every power of ten in between: a logarithmic axis draws nine lines of its own accord."""
    import altair as alt

    seen = [value for value in values if value > 0]
    powers = range(math.floor(math.log10(min(seen))), math.ceil(math.log10(max(seen))) + 1) if seen else ()
    every = [first * 10.0**power for power in powers for first in (1, 2, 5)]
    return alt.Axis(format=",~r", values=[one for one in every if min(seen) <= one <= max(seen)])


def _few() -> Any:
    import altair as alt

    return alt.Axis(format=",~r", tickCount=5)


def _timeline(moments: Sequence[Moment], band: tuple[float, float] | None, title: str, said: str) -> Chart:
    import altair as alt

    names = ["due", "in time", "turned away", "late or failed"]
    rows = [
        {"series": name, "at": one.at, "value": value}
        for one in moments
        for name, value in zip(names, (one.offered, one.good, one.shed, one.failed), strict=True)
    ]
    x = alt.X("at:Q", title="seconds from the start", axis=alt.Axis(tickCount=10), scale=alt.Scale(nice=False))
    y = alt.Y("value:Q", title="requests a second", axis=_few())
    colors = (MUTED, SERIES[0], SERIES[4], BAD)
    color = alt.Color(
        "series:N", scale=alt.Scale(domain=names, range=list(colors)), legend=alt.Legend(title=None, columns=4)
    )
    dashes = alt.Scale(domain=names, range=[DASHES[2], DASHES[0], DASHES[1], DASHES[3]])
    dash = alt.StrokeDash("series:N", scale=dashes, legend=alt.Legend(title=None, columns=4))
    chart = alt.Chart(inline(rows)).mark_line(strokeWidth=2).encode(x=x, y=y, color=color, strokeDash=dash)
    if band is not None:
        shade = alt.Chart(inline([{"at": band[0], "end": band[1]}])).mark_rect(color=MUTED, opacity=0.15)
        chart = shade.encode(x=x, x2="end:Q") + chart
    return Chart(
        title=title,
        caption=f"By when requests were due, in short times of {moments[1].at - moments[0].at:g} s.{said}",
        svg=to_svg(chart.properties(width=_WIDE, height=_HEIGHT)),
    )
