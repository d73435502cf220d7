"""Charts of a risk register: the matrix, what moves the loss most, and how likely a dear year is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from temper.core.measure import Curve
from temper.core.risk import Register, Risk
from temper.report._figure import number
from temper.report._inert import inert
from temper.report.charts import BAD, DASHES, GOOD, INK, MUTED, RULE, SERIES, Chart, Row, inline, numbered, to_svg

_WIDE, _HIGH = 640, 330
_AT = 300  # keeps these charts' ids apart from those of other charts of the page
_NEAR = 0.05  # decades within which two points of the matrix share one mark
_SHARES = (0.01, 0.1, 1.0)
_INDEX = {"attempts a year": "attempts", "probability of success": "success", "loss of a success": "loss"}


@lru_cache(maxsize=16)
def drawn(register: Register, before: Register | None = None) -> tuple[Chart, ...]:
    """Matrix, loss exceedance and tornado of a register; `before` is that of the run it is compared with. A register
    never changes, and drawing one takes a third of a second: who looks again is shown the same.
    """
    if not register.risks:
        return ()
    found = (_matrix(register), _exceedance(register, before), _tornado(register))
    return tuple(numbered(chart, _AT + at) for at, chart in enumerate(found))


def _matrix(register: Register) -> Chart:
    """A mark per risk where it stands now, joined with where it stood before anything was measured."""
    import altair as alt

    marks = _marks(register.risks)
    x = alt.X("at:Q", title="successes a year", scale=alt.Scale(type="log", nice=False), axis=_decades())
    y = alt.Y(
        "loss:Q", title=f"loss of a success ({inert(register.unit, 30)})", scale=_losses(register), axis=_decades()
    )
    colour = alt.Color("color:N", scale=None)
    base = alt.Chart(inline(marks))
    path = base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(x=alt.X("was:Q"), x2="at:Q", y=y, color=colour)
    was = base.mark_point(size=50, opacity=0.7, filled=False).encode(x=alt.X("was:Q"), y=y, color=colour)
    now = base.mark_point(size=90, opacity=1, filled=True).encode(x=x, y=y, color=colour)
    named = alt.Text("label:N")
    above, below = (
        base.transform_filter(f"datum.side == {side}")
        .mark_text(dy=shift, fontSize=11)
        .encode(x=x, y=y, text=named, color=alt.value(INK))
        for side, shift in ((0, -12), (1, 14))
    )
    lines = _lines_of_appetite(register, marks)
    return Chart(
        title="Risk matrix: how often it succeeds against what it costs",
        caption=(
            "Dot: the middle as known now; ring: before anything was measured; numbers are those of the table. Dashed "
            f"lines join what costs 1 %, 10 % and all of the appetite ({_money(register.appetite, register)}); "
            "ratings go by the dearest year of ten, which lies further out."
        ),
        svg=to_svg((lines + path + was + now + above + below).properties(width=_WIDE, height=_HIGH)),
    )


def _marks(risks: Sequence[Risk]) -> list[Row]:
    """Risks that stand in one place share a mark with all their numbers."""
    found: dict[tuple[int, int, int], Row] = {}
    for at, risk in enumerate(risks, 1):
        now, was = (risk.attempts.middle * one.middle for one in (risk.chance, risk.chance_before))
        key = tuple(round(math.log10(max(value, 1e-9)) / _NEAR) for value in (now, was, risk.loss.middle))
        row = found.setdefault(
            key,  # type: ignore[arg-type]
            {"at": now, "was": was, "loss": risk.loss.middle, "numbers": [], "color": _colour(now, was)},
        )
        row["numbers"].append(at)
    rows = sorted(found.values(), key=lambda row: (row["loss"], row["at"]))
    return [{**row, "label": _listed(row.pop("numbers")), "side": at % 2} for at, row in enumerate(rows)]


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(str(one) for one in numbers[:4])
    return shown + (f" +{len(numbers) - 4}" if len(numbers) > 4 else "")


def _colour(now: float, was: float) -> str:
    if math.isclose(now, was, rel_tol=1e-3):
        return MUTED
    return BAD if now > was else GOOD


def _losses(register: Register) -> Any:
    """Room above and below, for a register whose losses are all alike, too."""
    import altair as alt

    seen = [risk.loss.middle for risk in register.risks]
    return alt.Scale(type="log", nice=False, domain=[min(seen) / 3, max(seen) * 3])


def _lines_of_appetite(register: Register, marks: Sequence[Row]) -> Any:
    """Where successes times loss is a share of the appetite, inside the picture."""
    import altair as alt

    places = [row[name] for row in marks for name in ("at", "was")]
    left, right = min(places) / 1.6, max(places) * 1.6
    seen = [row["loss"] for row in marks]
    bottom, top = min(seen) / 3, max(seen) * 3
    rows: list[Row] = []
    for share in _SHARES:
        worth = share * register.appetite
        first, last = max(left, worth / top), min(right, worth / bottom)
        if first < last:
            ends = {first: True, last: False}
            rows += [{"share": f"{share:.0%}", "at": x, "loss": worth / x, "first": one} for x, one in ends.items()]
    rows = rows or [{"share": "", "at": left, "loss": bottom, "first": False}]
    x = alt.X("at:Q", scale=alt.Scale(type="log", nice=False, domain=[left, right]))
    base = alt.Chart(inline(rows))
    line = base.mark_line(color=RULE, strokeDash=[4, 3], strokeWidth=1.5).encode(x=x, y="loss:Q", detail="share:N")
    told = base.transform_filter("datum.first").mark_text(align="left", dx=4, dy=6, fontSize=11, color=MUTED)
    return line + told.encode(x=x, y="loss:Q", text="share:N")


def _decades() -> Any:
    import altair as alt

    return alt.Axis(format=",~r", tickCount=4, grid=False)


def _exceedance(register: Register, before: Register | None) -> Chart:
    import altair as alt

    curves = [*register.exceedance[:1], *_of_before(before), *register.exceedance[1:]]
    names = [curve.name for curve in curves]
    rows = [{"series": c.name, "at": p.at, "value": p.value} for c in curves for p in c.points]
    axis = alt.Axis(format=",~r", tickCount=6)
    x = alt.X("at:Q", title=curves[0].axis, scale=alt.Scale(type="log", nice=False), axis=axis)
    y = alt.Y("value:Q", title="chance that a year costs more", axis=alt.Axis(format="%"))
    colour = alt.Color(
        "series:N", scale=alt.Scale(domain=names, range=list(SERIES[: len(names)])), legend=alt.Legend(title=None)
    )
    dash = alt.StrokeDash("series:N", scale=alt.Scale(domain=names, range=list(DASHES[: len(names)])), legend=None)
    lines = alt.Chart(inline(rows)).mark_line(strokeWidth=2.4).encode(x=x, y=y, color=colour, strokeDash=dash)
    wanted = alt.Chart(inline([{"at": register.appetite, "value": 0.1}]))
    rule = wanted.mark_rule(color=BAD, strokeDash=[4, 3]).encode(x=alt.X("at:Q"))
    mark = wanted.mark_point(shape="diamond", filled=True, size=90, color=BAD, opacity=1).encode(
        x=alt.X("at:Q"), y="value:Q"
    )
    return Chart(
        title="Loss exceedance: how likely a year is that costs more",
        caption=(
            f"All scenarios together, {curves[0].points[0].n:,} draws each. Diamond: the appetite, "
            f"{_money(register.appetite, register)} in one year of ten: a curve above it costs more than is wanted."
        ),
        svg=to_svg((rule + lines + mark).properties(width=_WIDE, height=_HIGH - 70)),
    )


def _of_before(before: Register | None) -> list[Curve]:
    """The curve of the run that this one is compared with, under a name of its own."""
    if before is None or not before.exceedance:
        return []
    return [replace(before.exceedance[-1], name="in the run before")]


def _tornado(register: Register) -> Chart:
    import altair as alt

    labels = [f"{at} · {_INDEX[one.input]}" for at, one in _numbered(register)]
    rows = [
        {"label": label, "from": end, "to": 0.0, "color": GOOD if end < 0 else BAD}
        for label, (_, one) in zip(labels, _numbered(register), strict=True)
        for end in (one.low, one.high)
    ]
    y = alt.Y("label:N", sort=labels, title=None, axis=alt.Axis(labelColor=INK, ticks=False, labelLimit=200))
    x = alt.X(
        "from:Q", title=f"change of the expected annual loss ({inert(register.unit, 30)})", axis=alt.Axis(format=",~r")
    )
    bars = (
        alt.Chart(inline(rows))
        .mark_bar(height=15, opacity=0.85)
        .encode(y=y, x=x, x2="to:Q", color=alt.Color("color:N", scale=None))
    )
    zero = alt.Chart(inline([{"at": 0.0}])).mark_rule(color=INK).encode(x="at:Q")
    return Chart(
        title="Tornado: which input moves the loss most",
        caption=(
            "Each bar: the expected annual loss of all scenarios when this input alone goes to its 5th and to its 95th "
            "percentile. A long bar is what is worth finding out; numbers are those of the table."
        ),
        svg=to_svg((bars + zero).properties(width=_WIDE, height=26 * len(labels) + 10)),
    )


def _numbered(register: Register) -> list[tuple[int, Any]]:
    place = {risk.scenario: at for at, risk in enumerate(register.risks, 1)}
    return [(place[one.scenario], one) for one in register.swings]


def _money(amount: float, register: Register) -> str:
    return f"{number(amount)} {inert(register.unit, 30)}"
