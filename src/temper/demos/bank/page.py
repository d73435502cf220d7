"""The quarter as one static HTML file with charts, and as JSON. SIMULATED."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from temper.demos.bank.plan import TITLES
from temper.demos.bank.story import COLUMNS, Story, after, assumptions, chapters, dollars, span, summary, table
from temper.demos.bank.trials import Worth
from temper.report.charts import BAD, GOOD, INK, MUTED, SAME, SERIES, Chart, inline, numbered, to_svg
from temper.report.html import environment, shipped

FORMAT = 1
_WIDE, _HIGH = 900, 220
_COLORS = {
    "quota": "#8a6d00",
    "rules": "#7a4fa3",
    "anomaly": "#a8325f",
    "extraction": "#b3541e",
    "model": "#1f5fa8",
    "output": "#5b6676",
    "review": "#1e7a45",
    "lost": "#b4232c",
}


def render(story: Story) -> str:
    """The whole page, without a script and without the network."""
    from markupsafe import Markup

    drawn = charts(story)
    text = (files(__package__) / "page.html").read_text(encoding="utf-8")
    return (
        environment()
        .from_string(text)
        .render(
            style=Markup(shipped("style.css")),
            story=story,
            total=story.total,
            summary=list(summary(story)),
            chapters=chapters(story),
            charts={
                key: [numbered(one, 10 * at + nth) for nth, one in enumerate(own)]
                for at, (key, own) in enumerate(drawn.items())
            },
            columns=COLUMNS,
            weeks=table(story.quarter.ledger.weeks),
            worths=[_row(one) for one in story.worths],
            assumptions=assumptions(),
            after=after(story),
            dollars=dollars,
            markup=Markup,
        )
    )


def document(story: Story) -> str:
    """Every figure of the story as JSON."""
    told = {
        "format": FORMAT,
        "simulated": True,
        "models": story.models,
        "plan": {**asdict(story.plan), "controls": sorted(story.plan.controls)},
        "missing": story.missing,
        "weeks": [asdict(one) for one in story.quarter.ledger.weeks],
        "total": {**asdict(story.total), "cost": story.total.cost},
        "without_any": asdict(story.bare.ledger.total) if story.bare is not None and story.bare.whole else None,
        "stopped_by": story.quarter.ledger.stopped_by(),
        "waves": [asdict(one) for one in story.waves],
        "incidents": [asdict(one) for one in story.quarter.incidents],
        "worths": [asdict(one) for one in story.worths],
    }
    return json.dumps(told, indent=1)


def charts(story: Story) -> dict[str, list[Chart]]:
    """By chapter."""
    if not story.quarter.ledger.sums:
        return {}
    found = {"calm": [_stopped(story)], "learn": [_lost(story)], "channel": [_desk(story)]}
    if story.worths:
        found["worth"] = [_worths(story.worths)]
    return found


def _marks(story: Story) -> list[dict[str, Any]]:
    """What happened when, in weeks."""
    plan = story.plan
    known = [(plan.breach, "cards stolen"), (plan.opens, "new channel")] if story.own else []
    return [{"at": day / 7 + 1, "words": words} for day, words in [*known, (plan.outage[0], "outage")]]


def _weeks(end: float) -> Callable[[str], Any]:
    """The axis of weeks that everything in a chart shares, by the name of a field."""
    import altair as alt

    scale, axis = alt.Scale(domain=[1, end], nice=False, zero=False), alt.Axis(format="d", tickMinStep=1)
    return lambda field: alt.X(field, title="week", scale=scale, axis=axis)


def _stopped(story: Story) -> Chart:
    """Where the money of fraud stopped, by week."""
    import altair as alt

    names = [name for name, weeks in story.quarter.ledger.stopped_by().items() if sum(weeks) > 0]
    weeks = story.quarter.ledger.stopped_by()
    rows = [
        {"week": at + 1, "who": name, "order": names.index(name), "value": value}
        for name in names
        for at, value in enumerate(weeks[name])
    ]
    color = alt.Color(
        "who:N",
        scale=alt.Scale(domain=names, range=[_COLORS[name] for name in names]),
        legend=alt.Legend(title=None, columns=4, symbolType="square"),
    )
    bars = (
        alt.Chart(inline(rows))
        .mark_bar(size=26)
        .encode(
            x=alt.X("week:O", title="week", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("value:Q", title="dollars tried", axis=alt.Axis(format="~s", tickCount=5)),
            color=color,
            order="order:Q",
        )
    )
    return Chart(
        title="What fraudsters tried to take, and where it stopped",
        caption="Each payment counts for the first layer that stops it by itself; what none stops is lost. SIMULATED.",
        svg=to_svg(bars.properties(width=_WIDE, height=_HIGH)),
    )


def _lost(story: Story) -> Chart:
    """Losses by week, with what is simulated beside it without any control."""
    import altair as alt

    series = [("with the controls", story.quarter)]
    series += [("without any", story.bare)] if story.bare is not None and story.bare.whole else []
    rows = [
        {"week": at + 1, "who": name, "value": max(one.lost, 1.0)}
        for name, quarter in series
        for at, one in enumerate(quarter.ledger.weeks)
    ]
    names = [name for name, _ in series]
    x = _weeks(len(story.quarter.ledger.weeks) + 0.9)
    y = alt.Y("value:Q", title="dollars lost", scale=alt.Scale(type="log"), axis=alt.Axis(format="~s", tickCount=4))
    legend, many = alt.Legend(title=None, columns=2), len(names)
    color = alt.Color("who:N", scale=alt.Scale(domain=names, range=list(SERIES[:many])), legend=legend)
    shape = alt.Shape("who:N", scale=alt.Scale(domain=names, range=["circle", "square"][:many]), legend=legend)
    base = alt.Chart(inline(rows)).encode(x=x("week:Q"), y=y, color=color)
    marks = alt.Chart(inline(_marks(story))).encode(x=x("at:Q"))
    words = marks.mark_text(align="left", dx=4, baseline="top", color=INK, fontSize=12)
    drawn = marks.mark_rule(color=MUTED, strokeDash=[3, 2]) + base.mark_line()
    drawn += base.mark_point(filled=True, size=50, opacity=1).encode(shape=shape)
    drawn += words.encode(y=alt.value(2), text="words:N")
    return Chart(
        title="Losses by week",
        caption="The axis is logarithmic. Fraudsters come where money is made and go where none is. SIMULATED.",
        svg=to_svg(drawn.properties(width=_WIDE, height=_HIGH)),
    )


def _desk(story: Story) -> Chart:
    """What it costs honest customers and people, day by day."""
    import altair as alt

    days = story.quarter.ledger.sums
    rows = [{"week": at / 7 + 1, "rate": one.rate, "waiting": one.backlog} for at, one in enumerate(days)]
    x = _weeks(len(days) / 7 + 1)
    base, half = alt.Chart(inline(rows)).encode(x=x("week:Q")), _WIDE // 2 - 60
    y = alt.Y("rate:Q", title="of honest payments declined", axis=alt.Axis(format=".1%", tickCount=4))
    left = base.mark_line(color=BAD, strokeWidth=1.5).encode(y=y)
    y = alt.Y("waiting:Q", title="payments that wait for people", axis=alt.Axis(tickCount=4))
    right = base.mark_area(color=SERIES[0], opacity=0.5).encode(y=y)
    marks = alt.Chart(inline(_marks(story))).mark_rule(color=MUTED, strokeDash=[3, 2]).encode(x=x("at:Q"))
    both = alt.hconcat(*((marks + one).properties(width=half, height=_HIGH - 40) for one in (left, right)))
    return Chart(
        title="Honest customers and people",
        caption="Day by day; lines: what happened, as above. SIMULATED.",
        svg=to_svg(both),
    )


def _worths(worths: Sequence[Worth]) -> Chart:
    """What leaving a control out costs, with intervals."""
    import altair as alt

    names = [one.control for one in worths]
    rows = [
        {
            "control": one.control,
            "mean": one.cost.mean,
            "low": one.cost.low,
            "high": one.cost.high,
            "color": (BAD if one.cost.mean < 0 else GOOD) if one.cost.clear else SAME,
        }
        for one in worths
    ]
    y = alt.Y("control:N", sort=names, title=None, axis=alt.Axis(labelColor=INK, ticks=False, grid=True))
    x = alt.X("mean:Q", title="dollars more a small quarter costs without it", axis=alt.Axis(format="~s", tickCount=6))
    color, base = alt.Color("color:N", scale=None), alt.Chart(inline(rows))
    zero = alt.Chart(inline([{"mean": 0.0}])).mark_rule(color=MUTED).encode(x=x)
    bar = base.mark_rule(strokeWidth=6, opacity=0.3).encode(y=y, x=alt.X("low:Q"), x2="high:Q", color=color)
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(y=y, x=x, color=color)
    n = worths[0].cost.n
    return Chart(
        title="What leaving a control out costs",
        caption=f"Dot: mean over {n} pairs of equal seeds; bar: 95 % interval; grey: it does not say which way. "
        "SIMULATED.",
        svg=to_svg((zero + bar + dots).properties(width=640, height=26 * len(names))),
    )


def _row(one: Worth) -> dict[str, str]:
    alone = ("–", "") if one.alone is None else (dollars(one.alone.mean), span(one.alone))
    return {
        "control": one.control,
        "title": TITLES[one.control],
        "cost": dollars(one.cost.mean),
        "ends": span(one.cost),
        "loss": dollars(one.loss.mean),
        "wrongs": f"{one.wrongs.mean:+,.0f}",
        "alone": alone[0],
        "alone_ends": alone[1],
    }
