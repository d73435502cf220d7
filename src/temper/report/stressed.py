"""Stress at a glance: one line per stressor, the worst first, with what it breaks; its figures are folded behind it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from temper.core.measure import Measurement, Point, Status
from temper.report._figure import is_rate, number, percent

_MAIN = ("loss", "flip_rate")  # what a stressor is ranked by: where a model's figure falls, else its decisions
_CELLS = {
    "Sure drop": "first_severity",
    "Changed decisions at\u00a05": "flip_rate",
    "Cost per 1,000 at\u00a05": "cost",
    "Frauds detected at\u00a05": "detection",
}
_WIDTH, _HEIGHT, _EDGE = 112, 32, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One stressor: the texts of its line, an inert drawing of its curve, and the figures folded behind it.

    `breaks` are (severity, requirement, whether it fails at some severity); `cells` follow the heads of the board.
    """

    plugin: str
    name: str
    column: str
    value: str
    ends: str
    drawing: str
    breaks: tuple[tuple[str, str, bool], ...]
    cells: tuple[str, ...]
    reason: str
    measurements: tuple[Measurement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Lines that are ranked by the same figure, under these heads; `summary` says in a sentence what they show."""

    summary: str
    heads: tuple[str, ...]
    cells: tuple[str, ...]
    lines: tuple[Line, ...]


def boards(group: Sequence[Measurement]) -> list[Board]:
    """One board per figure that stressors are ranked by; what belongs to no board is `beside`."""
    by_plugin = _by_plugin(group)
    found = []
    for metric in _MAIN:
        mains = [main for figures in by_plugin.values() if (main := _main(figures)) and main.metric == metric]
        for unit in dict.fromkeys(m.unit for m in mains if m.unit):
            alike = [m for m in mains if m.unit in (unit, "")]  # a figure that could not be taken has no unit
            found.append(_board(alike, by_plugin, unit))
            mains = [m for m in mains if m not in alike]
        if mains:
            found.append(_board(mains, by_plugin, ""))
    return found


def beside(group: Sequence[Measurement]) -> list[Measurement]:
    """What is not one stressor's: the worst combination, means over many, stressors that do not apply."""
    by_plugin = _by_plugin(group)
    return [m for figures in by_plugin.values() if _main(figures) is None for m in figures]


def ranked(measurements: Iterable[Measurement]) -> list[Measurement]:
    """The figures stressors are ranked by, the worst first: where the model stops working, then the largest."""
    mains = [main for figures in _by_plugin(measurements).values() if (main := _main(figures))]
    return sorted(mains, key=lambda m: (m.status is not Status.ERROR, -(m.value or 0.0)))


def _by_plugin(measurements: Iterable[Measurement]) -> dict[str, list[Measurement]]:
    found: dict[str, list[Measurement]] = {}
    for m in measurements:
        found.setdefault(m.plugin, []).append(m)
    return found


def _main(figures: Sequence[Measurement]) -> Measurement | None:
    able = [m for m in figures if m.curve is not None or m.status is Status.ERROR]
    return next((m for metric in _MAIN for m in able if m.metric == metric), None)


def _board(mains: Sequence[Measurement], by_plugin: dict[str, list[Measurement]], unit: str) -> Board:
    order = [(m, by_plugin[m.plugin]) for m in ranked(mains)]
    values = [p.value for m, _ in order for p in _points(m)]
    scale = min([*values, 0.0]), max([*values, 1e-9])
    other = [head for head, metric in _CELLS.items() if metric != order[0][0].metric]
    told = [head for head in other if any(_cell(head, figures) for _, figures in order)]
    lines = tuple(_line(m, figures, scale, told) for m, figures in order)
    figure = unit or order[0][0].metric.replace("_", " ")
    events = order[0][0].plugin.startswith("stress.events.")
    return Board(
        summary=_summary(lines, order, "rewritten histories" if events else "stressors"),
        heads=("History" if events else "Stressor", f"{figure[:1].upper()}{figure[1:]}, at\u00a03", "Severity 0 to 5"),
        cells=tuple(told),
        lines=lines,
    )


def _line(main: Measurement, figures: Sequence[Measurement], scale: tuple[float, float], told: Sequence[str]) -> Line:
    breaks = sorted(_breaks(figures))
    earliest = float(breaks[0][0]) if breaks else None
    rate = is_rate(main)
    return Line(
        plugin=main.plugin,
        name=main.plugin.rpartition(".")[2].replace("_", " "),
        column=_column(figures),
        value="stops working" if main.value is None else _short(main.value, rate),
        ends="" if main.low is None or main.high is None else f"{_short(main.low, rate)} to {_short(main.high, rate)}",
        drawing=_drawing(_points(main), scale, earliest),
        breaks=tuple(breaks),
        cells=tuple(_cell(head, figures) for head in told),
        reason=main.reason,
        measurements=tuple(figures),
    )


def _short(value: float, rate: bool) -> str:
    """Three decimals line up; the figure itself is behind the line."""
    return percent(value) if rate else f"{round(value, 3) + 0.0:.3f}".replace("-", "−")


def _column(figures: Sequence[Measurement]) -> str:
    """The column that alone costs most, where it costs something for sure."""
    worst = next((m for m in figures if m.metric == "worst_column_loss"), None)
    if worst is None or worst.value is None or (worst.low or 0.0) <= 0:
        return ""
    return f"{worst.slice.removeprefix('column:')} alone {_short(worst.value, False)} at 5"


def _cell(head: str, figures: Sequence[Measurement]) -> str:
    m = next((m for m in figures if m.metric == _CELLS[head]), None)
    if m is None or (m.curve is None and m.metric != "first_severity"):
        return ""
    if m.curve is None:
        return "none" if m.value is None else f"from {m.value:g}"
    value = m.curve.points[-1].value
    return percent(value) if is_rate(m) else f"{'+' if value > 0 else ''}{number(value)}"


def _breaks(figures: Sequence[Measurement]) -> list[tuple[str, str, bool]]:
    found = [m for m in figures if m.metric == "breaking_severity" and m.value is not None]
    return [(f"{m.value:g}", m.slice.partition(":")[0], "fails at severity" in " ".join(m.caveats)) for m in found]


def _summary(lines: Sequence[Line], order: Sequence[tuple[Measurement, Sequence[Measurement]]], what: str) -> str:
    """How many there are, how many are sure to cost something, and which requirement breaks first."""
    told = [f"{len(lines)} {what}, ranked at severity 3, of which requirements speak"]
    first = [m for _, figures in order for m in figures if m.metric == "first_severity"]
    if first:
        told.append(f"{sum(m.value is not None for m in first)} are sure to cost something by severity 5")
    if stopped := sum(m.value is None for m, _ in order):
        told.append(f"under {stopped} the model stops working")
    broken = [line for line in lines if line.breaks]
    if broken:
        worst = min(broken, key=lambda line: float(line.breaks[0][0]))
        told.append(f"{len(broken)} break a requirement, first {worst.name} at severity {worst.breaks[0][0]}")
    return "; ".join(told) + "."


def _points(m: Measurement) -> tuple[Point, ...]:
    """The points of a curve that can be drawn."""
    points = m.curve.points if m.curve is not None else ()
    return tuple(p for p in points if all(map(math.isfinite, (p.at, p.value, p.low, p.high))))


def _drawing(points: Sequence[Point], scale: tuple[float, float], breaks: float | None) -> str:
    """A curve with its band, a line at zero and a mark where a requirement breaks; all of a board share one scale."""
    if not points:
        return ""
    low, high = scale
    end = max(p.at for p in points) or 1.0

    def place(at: float, value: float) -> str:
        x = _EDGE + (_WIDTH - 2 * _EDGE) * at / end
        return f"{x:.1f},{_EDGE + (_HEIGHT - 2 * _EDGE) * (high - value) / (high - low):.1f}"

    band = " ".join([*(place(p.at, p.high) for p in points), *(place(p.at, p.low) for p in points[::-1])])
    line = " ".join(place(p.at, p.value) for p in points)
    mark = f'<path class="break" d="M{place(breaks, high)} L{place(breaks, low)}"/>' if breaks is not None else ""
    x, y = place(points[-1].at, points[-1].value).split(",")
    return (
        f'<svg class="spark" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="{number(points[0].value)} to {number(points[-1].value)} at severity {end:g}">'
        f'<path class="ground" d="M{place(0, 0.0)} L{place(end, 0.0)}"/><polygon points="{band}"/>{mark}'
        f'<polyline points="{line}"/><circle cx="{x}" cy="{y}" r="2.4"/></svg>'
    )
