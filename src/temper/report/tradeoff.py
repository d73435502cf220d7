"""What robustness costs: every defence that was tried, its clean quality against the rows that hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temper.core.defence import Effect
from temper.core.measure import Measurement, Status
from temper.core.run import Record
from temper.report._inert import inert
from temper.report.charts import BAD, GOOD, INK, MUTED, SAME, Chart, Row, inline, numbered, to_svg

ROBUST = {"evasion.any.success_rate": "rows that hold", "injection.known.success_rate": "attacks that fail"}
CLEAN = ("accuracy", "auc", "tasks")
WORDS = {"accuracy": "clean accuracy", "auc": "clean AUC", "tasks": "tasks done"}
_WIDTH, _HEIGHT = 640, 300
_SAME = {
    "accuracy": "attacked rows and the same held-out rows",
    "auc": "attacked rows and the same held-out rows",
    "tasks": "trials of attacks and the same trials of tasks",
}
_STRONGEST, _QUALITY = "evasion.strongest.success_rate", ("performance.accuracy", "performance.auc")
_AT = 200  # keeps the chart's ids apart from those of other charts of the page


def tradeoff(tried: Sequence[Effect], chosen: str = "") -> list[Chart]:
    """One chart with a point per defence and its two intervals; none where fewer than two were tried."""
    rows = _rows(tried, chosen)
    if len(rows) < 3:
        return []
    clean = rows[0]["clean_metric"]
    taken = f" Taken: {inert(chosen, 60)}." if chosen else " None was taken."
    caption = (
        f"Up and to the right is better. Bars: 95 % intervals of the paired change on the same {rows[1]['n']:,} "
        f"{_SAME[clean]}. The line joins what no other point beats on both.{taken} "
        + "; ".join(f"{row['number']}: {row['name']}" for row in rows)
        + "."
    )
    return [
        numbered(
            Chart(
                title=f"Trade-off: {rows[0]['holds']} against {WORDS[clean]}", caption=caption, svg=to_svg(_drawn(rows))
            ),
            _AT,
        )
    ]


def course(records: Sequence[Record]) -> list[Chart]:
    """One chart of models one after another, a point for each by the run that measured it; none where fewer than two
    have both figures.
    """
    quality = next((name for name in _QUALITY if sum(_figure(one, name) is not None for one in records) > 1), "")
    both = [(one.id, _figure(one, quality), _figure(one, _STRONGEST)) for one in records]
    rows = _front([_model(run, clean, broken) for run, clean, broken in both if clean and broken])
    if len(rows) < 2:
        return []
    named = "; ".join(f"{row['number']}: {row['name']}" for row in rows)
    caption = (
        "Up and to the right is better. Bars: 95 % intervals of each run by itself, so that two points are told apart "
        f"later than by a hardening, which pairs their rows. The line joins what no other point beats on both. {named}."
    )
    title = f"Models one after another: {rows[0]['holds']} against {WORDS[rows[0]['clean_metric']]}"
    return [numbered(Chart(title=title, caption=caption, svg=to_svg(_drawn(rows))), _AT)]


def _figure(record: Record, name: str) -> Measurement | None:
    """A figure of all rows that has an interval."""
    found = (m for m in record.measurements if m.name == name and m.slice == "all" and m.status is Status.OK)
    return next((m for m in found if None not in (m.value, m.low, m.high)), None)


def _model(run: str, clean: Measurement, broken: Measurement) -> Row:
    at, evading = clean.value or 0.0, broken.value or 0.0
    ends = {
        "x_low": clean.low,
        "x_high": clean.high,
        "y_low": 1 - (broken.high or 0.0),
        "y_high": 1 - (broken.low or 0),
    }
    told = {"clean_metric": clean.metric, "holds": ROBUST["evasion.any.success_rate"], "n": broken.n, "color": SAME}
    return {"name": f"run {inert(run, 20)}", "x": at, "y": 1 - evading} | told | ends


def _rows(tried: Sequence[Effect], chosen: str) -> list[Row]:
    by_defence: dict[str, dict[str, Effect]] = {}
    for effect in tried:
        by_defence.setdefault(effect.defence, {})[effect.metric] = effect
    rows: list[Row] = []
    for name, effects in by_defence.items():
        clean = next((effects[metric] for metric in CLEAN if metric in effects), None)
        robust = next((effects[metric] for metric in ROBUST if metric in effects), None)
        if clean is None or robust is None:
            continue
        if not rows:
            rows.append(_start(clean, robust))
        rows.append(_point(name, clean, robust, chosen))
    return _front(rows)


def _start(clean: Effect, robust: Effect) -> Row:
    at, holds = clean.before, 1 - robust.before
    ends = {"x_low": at, "x_high": at, "y_low": holds, "y_high": holds}
    told = {"clean_metric": clean.metric, "holds": ROBUST[robust.metric], "n": robust.n, "color": INK}
    return {"name": "as it is", "x": at, "y": holds} | told | ends


def _point(name: str, clean: Effect, robust: Effect, chosen: str) -> Row:
    worse = robust.difference > 0
    return {
        "name": inert(name, 40),
        "x": clean.after,
        "y": 1 - robust.after,
        "x_low": _share(clean.before + clean.low),
        "x_high": _share(clean.before + clean.high),
        "y_low": _share(1 - (robust.before + robust.high)),
        "y_high": _share(1 - (robust.before + robust.low)),
        "clean_metric": clean.metric,
        "n": robust.n,
        "color": GOOD if name == chosen else BAD if worse else SAME,
    }


def _share(end: float) -> float:
    """An end of an interval of a difference may lie beyond what a share can be."""
    return min(1.0, max(0.0, end))


def _front(rows: list[Row]) -> list[Row]:
    """The points numbered, and marked where no other point beats them on both counts."""
    return [
        row
        | {
            "number": str(at),
            "front": not any(o["x"] >= row["x"] and o["y"] >= row["y"] and o is not row for o in rows),
        }
        for at, row in enumerate(rows)
    ]


def _drawn(rows: list[Row]) -> Any:
    import altair as alt

    percent = rows[0]["clean_metric"] in ("accuracy", "tasks")
    left, right = min(row["x_low"] for row in rows), max(row["x_high"] for row in rows)
    spare = 0.08 * max(right - left, 1e-3)
    axis = alt.Axis(format=".1%" if percent else ".3f", tickCount=6)
    title = WORDS[rows[0]["clean_metric"]]
    scale = alt.Scale(domain=[left - spare, right + spare], nice=False)
    x = alt.X("x:Q", title=title, axis=axis, scale=scale)
    y = alt.Y("y:Q", title=rows[0]["holds"], axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1]))
    color = alt.Color("color:N", scale=None)
    base = alt.Chart(inline(rows))
    x_low = alt.X("x_low:Q", title=title, axis=axis, scale=scale)
    across = base.mark_rule(opacity=0.35, strokeWidth=2).encode(x=x_low, x2="x_high:Q", y=y, color=color)
    up = base.mark_rule(opacity=0.35, strokeWidth=2).encode(x=x, y=alt.Y("y_low:Q"), y2="y_high:Q", color=color)
    line = alt.Chart(inline(sorted((r for r in rows if r["front"]), key=lambda r: r["x"])))
    front = line.mark_line(strokeWidth=1, strokeDash=[4, 3], color=MUTED).encode(x=x, y=y)
    dots = base.mark_point(filled=True, size=80, opacity=1).encode(x=x, y=y, color=color)
    words = base.mark_text(align="left", dx=7, dy=-8, fontSize=12, fontWeight="bold").encode(
        x=x, y=y, text="number:N", color=color
    )
    return (across + up + front + dots + words).properties(width=_WIDTH, height=_HEIGHT)
