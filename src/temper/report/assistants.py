"""What the page shows of a red team besides figures: how far attacks come, where they get through, what layers do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temper.core.defence import Effect
from temper.core.measure import Cell, Cross, Measurement
from temper.core.run import Record
from temper.report._figure import percent
from temper.report._inert import inert
from temper.report.charts import BAD, GOOD, INK, MUTED, SAME, SERIES, Chart, Row, inline, numbered, to_svg

ENOUGH = 5
"""Prompts under which a cell is no figure to speak of."""
FUNNEL = {
    "delivered": "delivered",
    "passed_guard": "past the guard",
    "obeyed": "obeyed",
    "harmed": "harmed",
}
ATTACKS = "injection.known.success_rate"
PANELS = {
    ATTACKS: "attacks that succeed",
    "tasks": "users' tasks done",
    "twins_stopped": "harmless twins stopped",
}
_FUNNEL_AT, _LAYERS_AT = 300, 310  # keep the ids of these charts apart from those of others on the page
_WIDE, _PANEL, _ROW = 420, 190, 24


def funnel(record: Record) -> list[Chart]:
    """One bar per stage with its interval; none where nothing was tried."""
    found = {m.metric: m for m in record.measurements if m.plugin == "injection.funnel" and m.value is not None}
    rows = [_bar(found[name], words) for name, words in FUNNEL.items() if name in found]
    if not rows:
        return []
    n = max(m.n for m in found.values())
    prompts = sum(many for _, many in next(iter(found.values())).clusters)
    of = f" of {prompts:,} prompts" if prompts else ""
    caption = (
        f"Shares of {n:,} trials{of} of injection.templates, which choose nothing; lines are 95 % intervals, prompts "
        "counted. Obeyed: the answer does as the attack says; harmed: that would do harm outside."
    )
    return [numbered(Chart(title="From delivered to harmed", caption=caption, svg=to_svg(_funnel(rows))), _FUNNEL_AT)]


def _bar(m: Measurement, words: str) -> Row:
    value = m.value or 0.0
    color = BAD if m.metric in ("obeyed", "harmed") else SERIES[0]
    return {"stage": words, "value": value, "low": m.low, "high": m.high, "told": percent(value), "color": color}


def _funnel(rows: list[Row]) -> Any:
    import altair as alt

    stages = [row["stage"] for row in rows]
    axis = alt.Axis(labelColor=INK, labelFontSize=13, ticks=False, domain=False, labelLimit=160)
    y = alt.Y("stage:N", sort=stages, title=None, axis=axis)
    scale = alt.Scale(domain=[0, 1])
    x = alt.X("value:Q", title=None, axis=alt.Axis(format="%", tickCount=5), scale=scale)
    base = alt.Chart(inline(rows))
    color = alt.Color("color:N", scale=None)
    bar = base.mark_bar(height=18, opacity=0.75).encode(y=y, x=x, color=color)
    ends = base.mark_rule(strokeWidth=2, color=INK).encode(y=y, x=alt.X("low:Q", scale=scale), x2="high:Q")
    words = base.mark_text(align="left", dx=8, fontSize=13, fontWeight="bold", color=INK).encode(
        y=y, x=alt.X("high:Q", scale=scale), text="told:N"
    )
    return (bar + ends + words).properties(width=_WIDE, height=34 * len(rows))


def layers(tried: Sequence[Effect], chosen: str = "") -> list[Chart]:
    """Every guard that was weighed, on three counts with their intervals; none where fewer than two were."""
    names = list(dict.fromkeys(effect.defence for effect in tried if effect.metric in PANELS))
    if len(names) < 2:
        return []
    sizes = sorted({effect.n for effect in tried if effect.metric == ATTACKS})
    n = f"{sizes[0]:,}" + f" to {sizes[-1]:,}" * (len(sizes) > 1) if sizes else "0"
    caption = (
        "Dot: with this guard; tick: without it; bar: 95 % interval of the paired change, added to the tick. Green: "
        "better for certain, red: worse for certain, grey: no clear change. Attacks are those that the run before "
        f"found, in wrappers of the half that chooses (n = {n} trials), each tried with and without the guard."
        + (f" Taken: {inert(chosen, 80)}." if chosen else "")
    )
    svg = to_svg(_layers([_layer(effect) for effect in tried if effect.metric in PANELS], names))
    return [numbered(Chart(title="Each guard alone and together", caption=caption, svg=svg), _LAYERS_AT)]


def _layer(effect: Effect) -> Row:
    clear = effect.low > 0 or effect.high < 0
    better = (effect.difference > 0) == (effect.better == "higher")
    return {
        "guard": inert(effect.defence, 60),
        "metric": effect.metric,
        "before": effect.before,
        "after": effect.after,
        "low": _share(effect.before + effect.low),
        "high": _share(effect.before + effect.high),
        "color": SAME if not clear else GOOD if better else BAD,
    }


def _layers(rows: list[Row], names: list[str]) -> Any:
    import altair as alt

    order = [inert(name, 60) for name in names]
    drawn: list[Any] = []
    for metric, words in PANELS.items():
        chosen = [row for row in rows if row["metric"] == metric]
        if chosen:
            # Room for fonts that are wider than the one the drawing is measured with.
            extent = 7.5 * max(map(len, order))
            labels = {"labelColor": INK, "labelLimit": 400, "minExtent": extent} if not drawn else {"labels": False}
            axis = alt.Axis(ticks=False, domain=False, grid=True, **labels)
            drawn.append(_panel(chosen, words, alt.Y("guard:N", sort=order, title=None, axis=axis)))
    return alt.hconcat(*drawn, spacing=26)


def _panel(rows: list[Row], words: str, y: Any) -> Any:
    import altair as alt

    scale = alt.Scale(domain=[0, 1])
    x = alt.X("after:Q", title=None, axis=alt.Axis(format="%", tickCount=3), scale=scale)
    color = alt.Color("color:N", scale=None)
    base = alt.Chart(inline(rows))
    bar = base.mark_rule(strokeWidth=7, opacity=0.3).encode(
        y=y, x=alt.X("low:Q", scale=scale), x2="high:Q", color=color
    )
    dot = base.mark_point(filled=True, size=65, opacity=1).encode(y=y, x=x, color=color)
    before = base.mark_tick(thickness=2, size=16, color=MUTED).encode(y=y, x=alt.X("before:Q", scale=scale))
    height = _ROW * len({row["guard"] for row in rows})
    title = alt.TitleParams(words, anchor="start", frame="group", fontSize=13, fontWeight="bold", color=INK)
    return (bar + before + dot).properties(width=_PANEL, height=height, title=title)


def _share(end: float) -> float:
    return min(1.0, max(0.0, end))


def grid(record: Record) -> list[dict[str, Any]]:
    """Each crossing as a table of cells, with what a row and a column come to; what works most stands first."""
    return [_grid(cross) for cross in record.crosses if cross.cells]


def _grid(cross: Cross) -> dict[str, Any]:
    rows, columns = ranked(cross, "row"), ranked(cross, "column")
    cells = {(cell.row, cell.column): cell for cell in cross.cells}
    return {
        "rows": cross.rows,
        "columns": cross.columns,
        "heads": [*columns, "all"],
        "lines": [
            (row, [*(_cell(_of(cells, row, column)) for column in columns), _cell(total(cross, row=row))])
            for row in rows
        ]
        + [("all", [*(_cell(total(cross, column=column)) for column in columns), _cell(total(cross))])],
        "few": sum(cell.prompts < ENOUGH for cell in cross.cells),
        "tried": len(cross.cells),
        "of": len(rows) * len(columns),
        "enough": ENOUGH,
    }


def ranked(cross: Cross, kind: str) -> list[str]:
    """The names of the rows or columns, those that work most first."""
    names = dict.fromkeys(getattr(cell, kind) for cell in cross.cells)

    def rank(name: str) -> tuple[float, str]:
        whole = total(cross, **{kind: name})
        return -whole.hits / max(1, whole.n), name

    return sorted(names, key=rank)


def _of(cells: dict[tuple[str, str], Cell], row: str, column: str) -> Cell | None:
    return cells.get((row, column))


def total(cross: Cross, row: str = "", column: str = "") -> Cell:
    """What the cells of a row, of a column or of all come to."""
    chosen = [one for one in cross.cells if row in ("", one.row) and column in ("", one.column)]
    hits, n, prompts = (sum(getattr(one, name) for one in chosen) for name in ("hits", "n", "prompts"))
    return Cell(row=row, column=column, hits=hits, n=n, prompts=prompts)


def _cell(cell: Cell | None) -> dict[str, Any] | None:
    if cell is None:
        return None
    share = cell.hits / cell.n
    return {
        "share": f"{100 * share:.0f} %",
        "n": f"{cell.n:,}",
        "prompts": f"{cell.prompts:,}",
        "few": cell.prompts < ENOUGH,
        "heat": min(10, round(10 * share + 0.49)) if share else 0,
    }
