"""A game day as one static HTML file and as JSON: the worst drill first, each with what happened when."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from temper.core.gameday import SERIES, GameDay, Rehearsal
from temper.core.requirement import Verdict
from temper.report._figure import SYMBOLS
from temper.report._inert import inert
from temper.report.charts import BAD, GOOD, INK, MUTED, Chart, inline, numbered, to_svg

FORMAT = 1
_WIDE, _HIGH = 1_000, 170
_BARS = 200
_NAMES = {
    "full": "by the model",
    "other": "by somebody else",
    "wrong": "by the model, with a wrong score",
    "bad": "not in time, or not at all",
}
_COLORS = {"full": GOOD, "other": "#8a6d00", "wrong": "#7a4fa3", "bad": BAD}
_HEADLINES = {
    Verdict.PASS: "Every drill passed",
    Verdict.FAIL: "Not every drill passed",
    Verdict.INCONCLUSIVE: "Not decided",
    Verdict.ERROR: "Not every drill could be run",
}


def document(day: GameDay) -> str:
    """The day as JSON, with every count that the charts are drawn from."""
    told = asdict(day)
    told["verdict"] = day.verdict.value
    for kept, one in zip(told["rehearsals"], day.rehearsals, strict=True):
        kept["verdict"] = one.verdict.value
        kept["slots"] = dict(zip(SERIES, one.slots, strict=False))
    return json.dumps({"format": FORMAT, **told}, indent=1, allow_nan=False)


def render(day: GameDay) -> str:
    """The whole page, without a script and without the network; text from outside is inert."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.finalize = lambda value: value if hasattr(value, "__html__") else inert(str(value))
    return environment.from_string(_file("gameday.html")).render(
        style=Markup(_file("style.css")),
        day=day,
        verdict=day.verdict,
        symbols=SYMBOLS,
        headline=_HEADLINES[day.verdict],
        story=list(_story(day)),
        counts=[(one, sum(each.verdict is one for each in day.rehearsals)) for one in _HEADLINES],
        rows=[_row(one) for one in day.ordered],
        charts=[(one, numbered(timeline(one), at)) for at, one in enumerate(day.ordered) if one.slots],
        spreads=[_spread(one) for one in day.spreads],
        started=datetime.fromtimestamp(day.started, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        markup=Markup,
    )


def timeline(one: Rehearsal) -> Chart:
    """Who answered in each short time, the band of the fault, and what was noticed."""
    import altair as alt

    rows, width = _bars(one)
    end = max(one.seconds, width * len(one.slots[0]) if one.slots else 0.0)
    x = alt.X(
        "at:Q",
        title="seconds from the start",
        scale=alt.Scale(domain=[0, end], nice=False),
        axis=alt.Axis(tickCount=10),
    )
    names = [_NAMES[name] for name in SERIES if _NAMES[name] in {row["who"] for row in rows}]
    colors = alt.Scale(domain=names, range=[_COLORS[key] for key in SERIES if _NAMES[key] in names])
    most = 1.12 * max((row["high"] for row in rows), default=1.0)  # so that the fault's band is seen above the bars
    scale = alt.Scale(domain=[0, most], nice=False)
    y = alt.Y("low:Q", title="requests a second", axis=alt.Axis(tickCount=4, format="~s"), scale=scale)
    legend = alt.Legend(title=None, columns=4, symbolType="square", orient="bottom")
    who, edge = alt.Color("who:N", scale=colors, legend=legend), alt.Stroke("who:N", scale=colors, legend=None)
    bars = alt.Chart(inline(rows)).mark_rect(strokeWidth=0.7)
    bars = bars.encode(x=x, x2="end:Q", y=y, y2="high:Q", color=who, stroke=edge)
    band = alt.Chart(inline([{"at": one.began, "end": one.over}])).mark_rect(color=MUTED, opacity=0.18)
    drawn = band.encode(x=x, x2="end:Q") + bars
    for level, (words, at) in enumerate(one.marks):
        place = alt.Chart(inline([{"at": at, "words": f"{inert(words, 40)} {at - one.began:+.1f} s"}]))
        drawn += place.mark_rule(color=INK, strokeDash=[3, 2]).encode(x=x)
        text = place.mark_text(align="left", dx=4, color=INK, fontSize=12, baseline="top")
        drawn += text.encode(x=x, y=alt.value(-16 * (level + 1)), text="words:N")
    return Chart(
        title=f"{inert(one.name, 60)}: {inert(one.fault, 160)}",
        caption=f"Requests by when they were due, {width:g} s each. Grey: the fault, from {one.began:.1f} to "
        f"{one.over:.1f} s. Lines: seconds after it began.",
        svg=to_svg(drawn.properties(width=_WIDE, height=_HIGH)),
    )


def _bars(one: Rehearsal) -> tuple[list[dict[str, Any]], float]:
    """Slots put together until a chart can show them, on each other, in requests a second."""
    many = len(one.slots[0])
    step = max(1, -(-many // _BARS))
    width, rows = round(one.width * step, 9), []
    for start in range(0, many, step):
        below = 0.0
        for name, counts in zip(SERIES, one.slots, strict=True):
            high = below + sum(counts[start : start + step]) / width
            if high > below:
                place = {"at": start * one.width, "end": (start + step) * one.width}
                rows.append({**place, "low": below, "high": high, "who": _NAMES[name]})
            below = high
    return rows, width


def _story(day: GameDay) -> Iterator[str]:
    told = [one for one in day.rehearsals if one.figures]
    failed = [one.name for one in day.ordered if one.verdict is Verdict.FAIL]
    yield f"{len(day.rehearsals)} drills; at least {day.slo:.2%} of the requests had to be answered well in time."
    if failed:
        yield f"Not passed: {', '.join(failed)}."
    if told:
        worst = min(told, key=lambda one: one.figures.get("answered", 1.0))
        yield f"The fewest were answered in {worst.name}: {worst.figures['answered']:.2%}."
    if wrong := [one.name for one in told if one.figures.get("wrong")]:
        yield f"Wrong scores were given out as right in {', '.join(wrong)}."
    if day.cut:
        yield "The day was stopped before its last drill; what had been done to the system was taken back."


def _row(one: Rehearsal) -> dict[str, Any]:
    f = one.figures
    return {
        "one": one,
        "answered": _share(f, "answered", "answered_interval"),
        "full": _share(f, "full_quality", "full_interval"),
        "counts": ", ".join(f"{f[name]:,} {word}" for name, word in _COUNTS if f.get(name)) or ("–" if f else ""),
        "detected": _time(f, "detected"),
        "fallback": _time(f, "fallback"),
        "again": _time(f, "answered_again"),
        "restored": _time(f, "restored"),
        "budget": f"{f['spent']:.0%}" if "spent" in f else "",
        "n": f"{f['requests']:,}" if "requests" in f else "",
    }


_COUNTS = (("failed", "failed"), ("late", "late"), ("wrong", "wrong"), ("degraded", "by others"))


def _share(figures: Mapping[str, Any], name: str, interval: str) -> tuple[str, str]:
    if name not in figures:
        return "", ""
    low, high = figures[interval]
    return f"{figures[name]:.2%}", f"{low:.2%} to {high:.2%}"


def _time(figures: Mapping[str, Any], name: str) -> str:
    if name not in figures:
        return ""
    return _seconds(figures[name])


def _seconds(value: float | None) -> str:
    if value is None:
        return "never"
    return f"{1e3 * value:.0f} ms" if value < 1 else f"{value:.1f} s"


def _spread(one: Any) -> tuple[str, ...]:
    interval = "" if one.low is None else f"{_seconds(one.low)} to {_seconds(one.high)}"
    return one.name, str(one.n), _seconds(one.mean), interval, _seconds(one.worst)


def _file(name: str) -> str:
    return files("temper.report").joinpath("templates", name).read_text(encoding="utf-8")
