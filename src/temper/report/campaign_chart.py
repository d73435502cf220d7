"""The kill chain of a campaign as a picture: every turn by technique and time, what got through, what was seen."""

from __future__ import annotations

from typing import Any

from temper.core.campaign import DAY, Tactic
from temper.core.waged import Answered, Turn, Waged
from temper.report._inert import inert
from temper.report.charts import BAD, INK, MUTED, Chart, inline, to_svg

_WIDE, _ROW = 680, 34
_HOUR = 3_600.0
_COLOURS = (MUTED, "#1f5fa8", BAD)
_OUTCOMES = {
    "rows": ("asked only", "tried, nothing got through", "tried, rows got through"),
    "conversations": ("asked only", "tried, no effect", "tried, had an effect"),
}
_SEEN = {"first detected": "diamond", "contained": "square"}


def timeline(waged: Waged) -> Chart:
    """Turns as circles, the larger the more they asked; diamonds where a technique was first detected."""
    import altair as alt

    size, name = (DAY, "days") if waged.seconds > 2 * DAY else (_HOUR, "hours")
    scale = alt.Scale(domain=[0, _end(waged) / size])
    x = alt.X("at:Q", title=f"{name} since the campaign began", scale=scale, axis=alt.Axis(tickCount=6))
    y = alt.Y("technique:N", title=None, sort=[one for one, _ in _order(waged)], axis=alt.Axis(labelLimit=220))
    scale = alt.Scale(domain=list(_OUTCOMES[waged.asked]), range=list(_COLOURS))
    legend = alt.Legend(title=None, orient="bottom", columns=3, labelLimit=300)
    turns = alt.Chart(inline([_row(one, size, waged.asked) for one in waged.acted])).mark_circle(opacity=0.7)
    area = alt.Size("asked:Q", scale=alt.Scale(range=[25, 420]), legend=None)
    drawn = turns.encode(x=x, y=y, size=area, color=alt.Color("outcome:N", scale=scale, legend=legend))
    if seen := [row for one in waged.techniques for row in _seen(one, size)]:
        marks = alt.Chart(inline(seen)).mark_point(size=90, color=INK, strokeWidth=1.6)
        kinds = alt.Scale(domain=list(_SEEN), range=list(_SEEN.values()))
        drawn += marks.encode(
            x=x, y=y, shape=alt.Shape("what:N", scale=kinds, legend=alt.Legend(title=None, orient="top"))
        )
    if changed := [{"at": one.at / size} for one in _answered(waged) if one.changed]:
        drawn += alt.Chart(inline(changed)).mark_rule(color=INK, strokeDash=[3, 3], opacity=0.6).encode(x=x)
    high = _ROW * max(len(waged.techniques), 1)
    return Chart(
        title="The kill chain in time",
        caption="Techniques in the order of the kill chain. A circle is a turn, the larger the more it asked."
        + " A technique without a diamond was seen by nobody." * waged.purple
        + " A dashed line: people changed the guard." * any(one.changed for one in _answered(waged)),
        svg=to_svg(drawn.properties(width=_WIDE, height=high)),
    )


def _answered(waged: Waged) -> tuple[Answered, ...]:
    return waged.defended.answered if waged.defended is not None else ()


def _end(waged: Waged) -> float:
    seen = [one.contained or 0.0 for one in waged.turns]
    return max(waged.seconds, *seen, *(one.at for one in _answered(waged) if one.changed), 1.0)


def _order(waged: Waged) -> list[tuple[str, int]]:
    """Techniques in the order of the kill chain."""
    place = {one.word: at for at, one in enumerate(Tactic)}
    found = [(_label(one), place.get(one.tactic, len(place))) for one in waged.techniques]
    return sorted(found, key=lambda one: one[1])


def _label(turn: Turn) -> str:
    return inert(turn.technique, 26)


def _row(turn: Turn, size: float, of: str) -> dict[str, Any]:
    asked, nothing, through = _OUTCOMES[of]
    outcome = through if turn.passed else nothing if turn.submitted else asked
    return {"at": turn.begun / size, "technique": _label(turn), "asked": turn.asked, "outcome": outcome}


def _seen(technique: Turn, size: float) -> list[dict[str, Any]]:
    times = zip(_SEEN, (technique.detected, technique.contained), strict=True)
    return [{"at": at / size, "technique": _label(technique), "what": what} for what, at in times if at is not None]
