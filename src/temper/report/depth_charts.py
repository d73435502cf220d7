"""Charts of a defence in depth: the funnel, what each layer is worth, what sets of layers let through and cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from temper.core.depth import Depth, Layer, Share, Standing
from temper.report._inert import inert
from temper.report.charts import BAD, DASHES, GOOD, INK, MUTED, SERIES, SHAPES, Chart, Row, inline, numbered, to_svg
from temper.report.depth_sankey import sankey

_WIDE, _HIGH, _AT = 640, 250, 500
_KINDS = ("alone", "at the margin", "its part")
_NAMED = 12


def drawn(depth: Depth) -> tuple[Chart, ...]:
    """Funnel, worths of the layers, and the front."""
    return tuple(numbered(chart, _AT + at) for at, chart in enumerate((_funnel(depth), _worths(depth), _front(depth))))


def streams(depth: Depth) -> Iterator[Chart]:
    """Where each kind of traffic ends."""
    last = len(depth.flows) - 1 if depth.honest else len(depth.flows)
    return (sankey(depth, flow, harmless=at == last) for at, flow in enumerate(depth.flows))


def _funnel(depth: Depth) -> Chart:
    """What is still on its way behind each layer."""
    import altair as alt

    stations = ["sent", *(inert(one.name, 24) for one in depth.layers)]
    rows: list[Row] = []
    for flow in depth.flows:
        left = 1.0
        rows.append({"at": stations[0], "left": left, "traffic": inert(flow.name, 60)})
        for name, stopped, asked in zip(stations[1:], flow.stopped, flow.asked, strict=True):
            left -= stopped + asked
            rows.append({"at": name, "left": max(left, 0.0), "traffic": inert(flow.name, 60)})
    names = list(dict.fromkeys(row["traffic"] for row in rows))
    colours = [BAD, SERIES[1], GOOD] if len(names) == 3 else [BAD, GOOD]
    turned = -60 if len(stations) > 10 else 0
    x = alt.X("at:N", sort=stations, title="behind", axis=alt.Axis(labelAngle=turned, labelLimit=90))
    y = alt.Y("left:Q", title="still on its way", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))
    scale = alt.Scale(domain=names, range=colours[: len(names)])
    colour = alt.Color("traffic:N", scale=scale, legend=alt.Legend(title=None, columns=1))
    dash = alt.StrokeDash("traffic:N", scale=alt.Scale(domain=names, range=list(DASHES[: len(names)])), legend=None)
    shape = alt.Shape("traffic:N", scale=alt.Scale(domain=names, range=list(SHAPES[: len(names)])), legend=None)
    base = alt.Chart(inline(rows))
    line = base.mark_line(strokeWidth=2.4).encode(x=x, y=y, color=colour, strokeDash=dash)
    mark = base.mark_point(filled=True, size=60, opacity=1).encode(x=x, y=y, color=colour, shape=shape)
    return Chart(
        title="Funnel: what is left behind each layer",
        caption="Neither stopped nor handed to a person so far. The lines of attacks should fall, that of honest "
        "requests should not.",
        svg=to_svg((line + mark).properties(width=_WIDE, height=_HIGH)),
    )


def _worths(depth: Depth) -> Chart:
    """Alone, at the margin and the Shapley value of each layer, with their intervals."""
    import altair as alt

    rows = [row for layer in depth.layers for row in _of(layer)]
    names = [inert(one.name, 24) for one in depth.layers]
    y = alt.Y("layer:N", sort=names, title=None, axis=alt.Axis(labelColor=INK, ticks=False, labelPadding=12))
    offset = alt.YOffset("kind:N", sort=list(_KINDS))
    colours = alt.Scale(domain=list(_KINDS), range=list(SERIES[:3]))
    shapes = alt.Scale(domain=list(_KINDS), range=list(SHAPES[:3]))
    colour = alt.Color("kind:N", scale=colours, legend=alt.Legend(title=None, columns=3))
    domain = alt.Scale(domain=[0, 1])
    base = alt.Chart(inline(rows))
    x = alt.X("low:Q", title="share of the attacks' worth that is stopped", scale=domain, axis=alt.Axis(format="%"))
    bar = base.mark_rule(strokeWidth=5, opacity=0.25).encode(y=y, yOffset=offset, x=x, x2="high:Q", color=colour)
    mark = base.mark_point(filled=True, size=60, opacity=1).encode(
        y=y, yOffset=offset, x=alt.X("value:Q", scale=domain), color=colour, shape=alt.Shape("kind:N", scale=shapes)
    )
    who = "who do not know the layers" if depth.known is None else "who know the layers"
    who = f"of campaign {depth.campaign}" if depth.campaign else who
    return Chart(
        title=f"What each layer stops of attackers {who}",
        caption=f"Pale bars: {depth.limits.confidence:.0%} intervals over {depth.actors} actors; those of one figure "
        "hold for all layers together. Its part: the Shapley value; the parts add up to what all layers stop.",
        svg=to_svg((bar + mark).properties(width=_WIDE, height=52 * len(names) + 10)),
    )


def _of(layer: Layer) -> Iterator[Row]:
    worth = layer.known or layer.fixed
    for kind, one in zip(_KINDS, (worth.alone, worth.margin, worth.part), strict=True):
        yield {"layer": inert(layer.name, 24), "kind": kind, "value": one.value, "low": one.low, "high": one.high}


def _front(depth: Depth) -> Chart:
    """What sets of layers let through against what they do to honest requests."""
    import altair as alt

    rows = [_point(one, depth) for one in depth.sets]
    best = sorted((row for row in rows if row["best"]), key=lambda row: (row["x"], row["y"]))
    axis = alt.Axis(format=".2~%", tickCount=6)
    x = alt.X("x:Q", title="honest requests refused or handed to people", axis=axis)
    y = alt.Y(
        "y:Q", title="attacks' worth that gets through", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")
    )
    every = alt.Chart(inline(rows)).mark_point(size=30, color=MUTED, opacity=0.5).encode(x=x, y=y)
    kept = alt.Chart(inline(best))
    bar = kept.mark_rule(strokeWidth=4, opacity=0.25, color=SERIES[0]).encode(x=x, y=alt.Y("low:Q"), y2="high:Q")
    mark = kept.mark_point(filled=True, size=70, color=SERIES[0], opacity=1).encode(x=x, y=y)
    told = kept.mark_text(align="left", dx=8, dy=-8, fontSize=11, color=INK).encode(x=x, y=y, text="name:N")
    rule = alt.Chart(inline([{"y": depth.limits.residual}])).mark_rule(color=BAD, strokeDash=[4, 3]).encode(y="y:Q")
    return Chart(
        title="Sets of layers: what gets through, at which price",
        caption="Every set of layers is a ring; dots are beaten by no other set in what gets through, refusals, cases "
        f"for people and time. Dashed: the limit of {depth.limits.residual:.0%}.",
        svg=to_svg((rule + every + bar + mark + told).properties(width=_WIDE, height=_HIGH + 40)),
    )


def _point(one: Standing, depth: Depth) -> dict[str, Any]:
    name = " + ".join(one.layers) if one.layers else "none"
    share: Share = one.residual
    return {
        "x": one.refused.value + one.asked.value,
        "y": share.value,
        "low": share.low,
        "high": share.high,
        "best": one.front,
        "name": inert(name, 44) if sum(other.front for other in depth.sets) <= _NAMED else "",
    }
