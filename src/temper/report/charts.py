"""Charts as static SVG: curves with bands per family, and before against after; colour is never the only sign."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, TypeAlias

from temper.core.measure import Curve, Measurement
from temper.report._change import Change
from temper.report._figure import FAMILIES, family, grouped, is_rate
from temper.report._inert import inert

Row: TypeAlias = dict[str, Any]
Member: TypeAlias = tuple[Measurement, Curve]

STATED = "stated probability"

# The page's style sheet maps these colours to its own, so that one drawing serves light, dark and paper.
SERIES = ("#1f5fa8", "#b3541e", "#2f7d4f", "#7a4fa3", "#8a6d00", "#a8325f")
INK, MUTED, RULE = "#1c2430", "#5b6675", "#d9dee6"
GOOD, BAD, SAME = "#1e7a45", "#b4232c", "#5b6676"
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [1, 3])
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_TOGETHER = ("bound", "strongest")  # what a proof leaves possible, and the worst of all attacks
_WIDTH, _HEIGHT, _WIDE = 430, 210, 640
_ONE_BY_ONE = Lock()  # the converter is one runtime of its own, and a console draws in several threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """`svg` is inert markup, `title` and `caption` plain text (what is drawn, n, what the band is)."""

    title: str
    caption: str
    svg: str


def curves(measurements: Iterable[Measurement]) -> dict[str, list[Chart]]:
    """Per family one chart for the curves that share an axis and a unit; at most six series, the rest counted."""
    found: dict[str, list[Chart]] = {}
    at = 0
    for name, group in grouped(measurements).items():
        shared: dict[tuple[str, str, bool, str], list[Member]] = {}
        for m in group:
            if m.curve is not None and (points := _finite(m.curve)):
                key = (m.curve.axis, _unit(m, m.curve), is_rate(m), m.curve.scale)
                shared.setdefault(key, []).append((m, points))
        found[name] = [numbered(_curves(members), at + one) for one, members in enumerate(shared.values())]
        at += len(shared)
    return found


def comparison(changes: Sequence[Change]) -> list[Chart]:
    """Before and after of each metric on one line, rates apart from other figures."""
    found = []
    for rate in (True, False):
        chosen = [change for change in changes if change.rate is rate][:12]
        if chosen:
            found.append(_dumbbell(chosen, rate))
    return [numbered(chart, 100 + at) for at, chart in enumerate(found)]


def _curves(members: list[Member]) -> Chart:
    first, curve = members[0]
    first_of_all = [f"evasion.{name}" for name in _TOGETHER]
    shown = sorted(members, key=lambda m: (m[0].plugin not in first_of_all, -abs(m[1].points[-1].value)))[: len(SERIES)]
    names = _names(shown)
    rows = [
        {"series": name, "at": p.at, "value": p.value, "low": p.low, "high": p.high}
        for name, (_, c) in zip(names, shown, strict=True)
        for p in c.points
    ]
    sizes = sorted({p.n for _, c in shown for p in c.points if p.n})
    of = f" n = {sizes[0]:,}" + (f" to {sizes[-1]:,}" if len(sizes) > 1 else "") + "." if sizes else ""
    rest = f" {len(members) - len(shown)} more series are in the JSON report." if len(members) > len(shown) else ""
    perfect = " Thin line: a perfect model." if curve.axis == STATED else ""
    gap = _gap(members)
    subject = FAMILIES.get(family(first.plugin), family(first.plugin)).split(":")[0]
    told, y_title = _subject(members)
    return Chart(
        title=f"{inert(subject, 80)}: {inert(told, 80)} against {inert(curve.axis, 80)}",
        caption=f"Bands are intervals at {100 * first.confidence:g} %.{of}{perfect}{gap}{rest}",
        svg=to_svg(_lines(rows, names, (inert(_axis(curve), 60), inert(y_title, 60)), is_rate(first), curve.scale)),
    )


def _gap(members: Sequence[Member]) -> str:
    """What lies between the strongest attack and the bound of a certificate, at the end of the budget."""
    ends = {m.plugin.partition(".")[2]: curve.points[-1] for m, curve in members}
    if not set(_TOGETHER) <= set(ends):
        return ""
    found, possible = ends["strongest"].value, ends["bound"].value
    return (
        f" At the whole budget the strongest attack breaks {found:.1%} of the rows and no attack can break more than "
        f"{possible:.1%} of them; the {max(possible - found, 0):.1%} between are neither broken nor proven to hold."
    )


def _subject(members: list[Member]) -> tuple[str, str]:
    """What the lines show, for the title, and with its unit, for the axis."""
    (first, curve), unit = members[0], _unit(*members[0])
    metrics = list(dict.fromkeys(m.metric.replace("_", " ") for m, _ in members))
    if len(members) == 1 and unit and metrics[0] not in curve.name:
        return curve.name, unit
    if len(metrics) > 2:
        return "figures", unit or "value"
    told = " and ".join(metrics)
    if len(metrics) == 2:
        return told, unit or "value"
    return told, f"{told} ({unit})" if unit and not is_rate(first) else told


def _large(rows: list[Row]) -> bool:
    """Whether values are amounts that read best in full: 1,500 and not 1.5e+3."""
    return max((abs(row["value"]) for row in rows), default=0.0) >= 1_000


def _lines(rows: list[Row], names: list[str], titles: tuple[str, str], rate: bool, scale: str) -> Any:
    import altair as alt

    x_title, y_title = titles
    share = x_title.startswith(("share", "false"))
    x_axis = alt.Axis(tickCount=6, format="~%" if share else ",~r", **_decades(rows, "at", scale != "linear"))
    x_scale = alt.Scale(type="linear" if scale == "linear" else "log", nice=False, zero=scale == "linear")
    x = alt.X("at:Q", title=x_title, axis=x_axis, scale=x_scale)
    steep = scale == "log-log"
    y_format = "~%" if rate and steep else "%" if rate else ",.3~r" if _large(rows) else ".3~g"
    axis = alt.Axis(format=y_format, tickCount=5, **_decades(rows, "value", steep))
    domain = _small(rows) if steep else _domain(rows, rate)
    y_scale = alt.Scale(type="log" if steep else "linear", domain=domain, nice=not rate, clamp=True)
    y = alt.Y("value:Q", title=y_title, axis=axis, scale=y_scale)
    columns = 1 if max(map(len, names)) > 26 else 2
    legend = alt.Legend(title=None, columns=columns)
    colors = alt.Scale(domain=names, range=list(SERIES[: len(names)]))
    shapes = alt.Scale(domain=names, range=list(SHAPES[: len(names)]))
    dashes = alt.Scale(domain=names, range=list(DASHES[: len(names)]))
    # Only the points speak in the legend: a legend shared with the bands would draw one mark over the other.
    silent = alt.Color("series:N", legend=None, scale=colors)
    dash = alt.StrokeDash("series:N", legend=None, scale=dashes)
    color = alt.Color("series:N", legend=legend, scale=colors)
    shape = alt.Shape("series:N", legend=legend, scale=shapes)
    base = alt.Chart(inline(rows))
    band = base.mark_area(opacity=0.15).encode(x=x, y=alt.Y("low:Q", title=y_title), y2="high:Q", color=silent)
    line = base.mark_line(strokeWidth=2).encode(x=x, y=y, color=silent, strokeDash=dash)
    mark = base.mark_point(filled=True, size=38, opacity=1).encode(x=x, y=y, color=color, shape=shape)
    drawn = (band + line + mark).resolve_scale(color="independent", shape="independent")
    if x_title == STATED:
        end = min(max(row["at"] for row in rows), domain[1])
        ideal = alt.Chart(inline([{"at": 0.0, "value": 0.0}, {"at": end, "value": end}]))
        drawn = ideal.mark_line(strokeWidth=1, color=MUTED).encode(x=x, y=y) + drawn
    return drawn.properties(width=_WIDTH, height=_HEIGHT)


def _dumbbell(chosen: Sequence[Change], rate: bool) -> Chart:
    import altair as alt

    labels = _unique([_label(change) for change in chosen])
    colors = {"better": GOOD, "worse": BAD, "neutral": SAME}
    rows: list[Row] = []
    for label, change in zip(labels, chosen, strict=True):
        row = {"label": label, "color": colors[change.direction]}
        rows += [row | {"when": "before", "value": change.before, "low": None, "high": None}]
        rows += [row | {"when": "after", "value": change.after} | _span(change)]
    y = alt.Y("label:N", sort=labels, title=None, axis=alt.Axis(labelLimit=380, ticks=False, grid=True, labelColor=INK))
    x = alt.X("value:Q", title="rate" if rate else "value", axis=alt.Axis(format="%" if rate else ".3~g", tickCount=6))
    color = alt.Color("color:N", scale=None)
    base = alt.Chart(inline(rows))
    bar = base.mark_rule(strokeWidth=7, opacity=0.22).encode(y=y, x=alt.X("low:Q"), x2="high:Q", color=color)
    line = base.mark_line(strokeWidth=2).encode(y=y, x=x, detail="label:N", color=color)
    before = (
        base.transform_filter("datum.when == 'before'").mark_tick(thickness=3, size=15).encode(y=y, x=x, color=color)
    )
    after = base.transform_filter("datum.when == 'after'").mark_point(filled=True, size=75, opacity=1)
    drawn = bar + line + before + after.encode(y=y, x=x, color=color)
    return Chart(
        title="Before and after" + ("" if rate else ", other figures"),
        caption="Tick: before; dot: after; pale bar: interval of the after figure (paired where rows are the same).",
        svg=to_svg(drawn.properties(width=_WIDE, height=30 * len(chosen) + 10)),
    )


def _span(change: Change) -> Row:
    """The interval to draw: the after figure's own, or for a paired difference the before figure plus its ends."""
    if change.after_ends is not None:
        return {"low": change.after_ends[0], "high": change.after_ends[1]}
    if change.low is not None and change.high is not None:
        return {"low": change.before + change.low, "high": change.before + change.high}
    return {"low": None, "high": None}


def _label(change: Change) -> str:
    words = inert(change.metric, 60)
    return f"{words} ({inert(change.defence, 24)})" if change.defence else words


def _unique(labels: list[str]) -> list[str]:
    return [
        f"{label} #{labels[:at].count(label) + 1}" if label in labels[:at] else label for at, label in enumerate(labels)
    ]


def _names(members: Sequence[Member]) -> list[str]:
    """What tells the series apart: the plugin without its family, metric and slice only where it takes them."""
    plain = [m.plugin.split(".", 1)[-1] for m, _ in members]
    if len(set(plain)) < len(plain):
        metrics = [m.metric.replace("_", " ") for m, _ in members]
        plain = [f"{p} · {q}" for p, q in zip(plain, metrics, strict=True)] if len(set(plain)) > 1 else metrics
    if len(set(plain)) < len(plain):
        plain = [f"{name} [{m.slice}]" for name, (m, _) in zip(plain, members, strict=True)]
    return _unique([inert(name, 60) for name in plain])


def _domain(rows: list[Row], rate: bool) -> list[float]:
    """Rates are drawn from zero to a round end, so that a small rate does not look like a large one."""
    top, bottom = max(row["high"] for row in rows), min(row["low"] for row in rows)
    if rate:
        return [min(0.0, bottom), next((end for end in (0.1, 0.25, 0.5) if top <= end), max(1.0, top))]
    return [min(0.0, bottom), max(top, 1e-9) * 1.05]


def _decades(rows: list[Row], field: str, wanted: bool) -> dict[str, Any]:
    """The powers of ten on a logarithmic axis, which would draw nine lines to each of its own accord."""
    seen = [row[field] for row in rows if row[field] > 0]
    if not wanted or not seen:
        return {}
    first, last = math.ceil(math.log10(min(seen))), math.floor(math.log10(max(seen)))
    return {"values": [10.0**power for power in range(first, last + 1)]}


def _small(rows: list[Row]) -> list[float]:
    """A logarithmic axis begins at the smallest figure that is above zero; interval ends below it are cut there."""
    return [0.7 * min([row["value"] for row in rows if row["value"] > 0], default=1e-3), 1.0]


def _finite(curve: Curve) -> Curve | None:
    """The curve without points that cannot be drawn; None when none is left. A logarithm has no zero."""
    points = tuple(p for p in curve.points if all(map(math.isfinite, (p.at, p.value, p.low, p.high))))
    if curve.scale != "linear":
        points = tuple(p for p in points if p.at > 0 and (p.value > 0 or curve.scale == "log"))
    return replace(curve, points=points) if points else None


def _unit(measurement: Measurement, curve: Curve) -> str:
    """The unit of the values: a curve's own, unless that belongs to its axis or repeats the metric."""
    own = curve.unit.replace("_", " ")
    if own and not _of_axis(curve) and own != measurement.metric.replace("_", " "):
        return own
    return "" if is_rate(measurement) else measurement.unit


def _of_axis(curve: Curve) -> bool:
    return curve.unit == "scales" or curve.unit.lower() in curve.axis.lower()


def _axis(curve: Curve) -> str:
    return f"{curve.axis} ({curve.unit})" if curve.unit == "scales" else curve.axis


def inline(rows: list[Row]) -> Any:
    """Rows that travel inside the drawing."""
    import altair as alt

    return alt.InlineData(values=rows)


def to_svg(chart: Any) -> str:
    """The drawing in the page's own type and colours."""
    import vl_convert

    spec = chart.configure(
        background="transparent",
        font="sans-serif",
        padding={"left": 12, "right": 16, "top": 4, "bottom": 4},
        view={"stroke": None},
        axis={
            "labelColor": MUTED,
            "titleColor": INK,
            "gridColor": RULE,
            "domainColor": RULE,
            "tickColor": RULE,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": 500,
            "titlePadding": 8,
        },
        legend={
            "labelColor": INK,
            "labelFontSize": 12,
            "orient": "top",
            "columns": 2,
            "columnPadding": 36,
            "labelLimit": 300,
            "symbolOpacity": 1,
        },
    ).to_dict()
    with _ONE_BY_ONE:
        return str(vl_convert.vegalite_to_svg(spec))


def numbered(chart: Chart, at: int) -> Chart:
    """Ids made unique in the page, and a size that follows the column it stands in."""
    svg = re.sub(r'(id="|url\(#)([A-Za-z]+_?\d*)', rf"\1c{at}-\2", chart.svg)
    svg = re.sub(r'<svg ([^>]*?)width="([\d.]+)" height="([\d.]+)"', r'<svg \1style="max-width:\2px"', svg, count=1)
    return Chart(title=chart.title, caption=chart.caption, svg=svg)
