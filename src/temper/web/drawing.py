"""What pages draw: scales with round numbers, and columns as they lay before and now."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from temper.core.watch import Shape

WIDE, HIGH, TOP, FOOT, SIDE = 460.0, 132.0, 10.0, 24.0, 8.0
"""Of the drawing of a column, in its own units: the plot, and what lies above, below and beside it."""
BEYOND, GAP = 16.0, 6.0
"""How wide a bar of everything beyond the plot is, and how far from it."""
ROWS, ROW, NAMES, TOLD = 9, 25.0, 118.0, 66.0
"""How many values are drawn as bars in rows, how high one is, and the room for their names and shares."""
SHORT, REST = 6, "(rest)"


def ticks(low: float, high: float, many: int) -> list[float]:
    """Round numbers between two, at most so many steps.

    >>> ticks(0.0, 20.0, 8), ticks(0.83, 0.97, 4)
    ([0.0, 5.0, 10.0, 15.0, 20.0], [0.85, 0.9, 0.95])
    """
    if not high > low:
        return [low]
    rough = (high - low) / many
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * one for one in (1, 2, 5, 10) if size * one >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(step * at, 10) for at in range(first, last + 1)]


def percent(share: float) -> str:
    """A share as people read it; what is there is never 0 %, and what is not everything never 100 %.

    >>> percent(0.1234), percent(0.00001), percent(0.0), percent(0.9999)
    ('12.3 %', 'under .1 %', '0 %', 'over 99.9 %')
    """
    if 0.0 < share < 0.001:
        return "under .1 %"
    return "over 99.9 %" if 0.999 < share < 1.0 else f"{100.0 * share:.3g} %"


def drawn(shape: Shape) -> dict[str, Any]:
    """A column as its page draws it."""
    n, m = sum(shape.before), sum(shape.now)
    before, now = ([one / max(many, 1) for one in rows] for rows, many in ((shape.before, n), (shape.now, m)))
    told = {"column": shape.column, "part": shape.part, "n": f"{n:,}", "m": f"{m:,}", "missing": _missing(shape)}
    if shape.names:
        rest = shape.before[-1] or shape.now[-1]
        before, now = (one if rest else one[:-1] for one in (before, now))
        names = [name or REST for name in (shape.names if rest else shape.names[:-1])]
        if max(map(len, names), default=0) <= SHORT:
            return told | {"kind": "bars", "said": _named(shape.column, names, before, now)} | _bars(names, before, now)
        return told | {"kind": "rows", "said": _named(shape.column, names, before, now)} | _rows(names, before, now)
    return told | {"kind": "steps", "said": _moved(shape, before, now)} | _steps(shape, before, now)


def _steps(shape: Shape, before: Sequence[float], now: Sequence[float]) -> dict[str, Any]:
    """Two outlines over the values, and bars for what lies beyond them: as high as their share in bins of the usual
    width.
    """
    edges = shape.edges
    room = 0.0 if shape.part else BEYOND + GAP
    span = (WIDE - 2.0 * room) / (edges[-1] - edges[0])
    usual = (edges[-1] - edges[0]) / (len(edges) - 1)
    x = [round(SIDE + room + span * (edge - edges[0]), 2) for edge in edges]
    heights = [
        [share * usual / (right - left) for share, left, right in zip(one[1:-1], edges, edges[1:], strict=False)]
        for one in (before, now)
    ]
    ends = [(0, SIDE), (-1, SIDE + WIDE - BEYOND)] if not shape.part else []
    most = max(*heights[0], *heights[1], *(one[at] for one in (before, now) for at, _ in ends), 1e-9)
    area, line = (_outline(x, [_up(one, most) for one in side]) for side in heights)
    return {
        "area": area,
        "line": line,
        "beyond": [_pair(left, BEYOND, before[at], now[at], most) for at, left in ends],
        "across": [(round(SIDE + room + span * (at - edges[0]), 2), f"{at:g}") for at in ticks(edges[0], edges[-1], 5)],
        "mark": None if shape.threshold is None else round(SIDE + room + span * (shape.threshold - edges[0]), 2),
        **_frame(HIGH),
    }


def _bars(names: Sequence[str], before: Sequence[float], now: Sequence[float]) -> dict[str, Any]:
    """Two bars beside each other for each short name."""
    most, slot = max(*before, *now, 1e-9), WIDE / len(names)
    pairs = [
        _pair(SIDE + slot * at + slot * 0.12, slot * 0.76, one, other, most)
        for at, (one, other) in enumerate(zip(before, now, strict=True))
    ]
    every = math.ceil(len(names) / 14)
    across = [(round(SIDE + slot * (at + 0.5), 2), name) for at, name in enumerate(names) if not at % every]
    return {"pairs": pairs, "across": across, "mark": None, **_frame(HIGH)}


def _rows(names: Sequence[str], before: Sequence[float], now: Sequence[float]) -> dict[str, Any]:
    """Two bars above each other for each name, the commonest ones; the rest is one."""
    found = list(zip(names, before, now, strict=True))
    shown, rest = (found, []) if len(found) <= ROWS else (found[: ROWS - 1], found[ROWS - 1 :])
    if rest:
        shown = [*shown, (REST, sum(one[1] for one in rest), sum(one[2] for one in rest))]
    most, room = max(1e-9, *(max(one[1:]) for one in shown)), WIDE - NAMES - TOLD
    rows = [
        {
            "name": name,
            "y": round(TOP + ROW * at, 2),
            "before": round(room * share / most, 2),
            "now": round(room * other / most, 2),
            "told": percent(other),
        }
        for at, (name, share, other) in enumerate(shown)
    ]
    return {"rows": rows, "left": SIDE + NAMES, "across": [], "mark": None, **_frame(ROW * len(shown) - FOOT)}


def _frame(high: float) -> dict[str, float]:
    return {"width": WIDE + 2.0 * SIDE, "height": TOP + high + FOOT, "top": TOP, "bottom": TOP + high}


def _up(share: float, most: float) -> float:
    return round(TOP + HIGH * (1.0 - share / most), 2)


def _outline(x: Sequence[float], y: Sequence[float]) -> str:
    """A path over bins, from the ground and back to it."""
    steps = " ".join(f"V{up} H{right}" for up, right in zip(y, x[1:], strict=True))
    return f"M{x[0]} {TOP + HIGH} {steps} V{TOP + HIGH}"


def _pair(left: float, wide: float, before: float, now: float, most: float) -> dict[str, float]:
    """Two bars in one place: where the first begins, how wide one is, and how high both are."""
    one, other = (round(HIGH * share / most, 2) for share in (before, now))
    return {"x": round(left, 2), "wide": round(wide / 2.0, 2), "before": one, "now": other}


def _missing(shape: Shape) -> str:
    """How many values are missing, where any ever were."""
    before, now = (
        gaps / max(sum(rows) + gaps, 1) for gaps, rows in zip(shape.missing, (shape.before, shape.now), strict=True)
    )
    return f"missing {percent(before)} before, {percent(now)} now" if before or now else ""


def _named(column: str, names: Sequence[str], before: Sequence[float], now: Sequence[float]) -> str:
    """The value whose share has changed most, in words."""
    name, one, other = max(zip(names, before, now, strict=True), key=lambda each: abs(each[2] - each[1]))
    return f"{column}: {name} {percent(one)} before, {percent(other)} now"


def _moved(shape: Shape, before: Sequence[float], now: Sequence[float]) -> str:
    """The middle value before and now, as far as bins tell; of scores what is stopped."""
    if shape.threshold is not None:
        one, other = (_above(shape, side) for side in (before, now))
        return f"{shape.column}: {percent(one)} at {shape.threshold:.4g} or above before, {percent(other)} now"
    one_, other_ = (_middle(shape.edges, side) for side in (before, now))
    return f"{shape.column}: half of the values below {one_} before, {other_} now"


def _above(shape: Shape, shares: Sequence[float]) -> float:
    """The share of scores from the threshold on; it is an edge, or lies in a bin of which all counts."""
    edges = [-math.inf, *shape.edges]
    return sum(share for share, edge in zip(shares, edges, strict=True) if edge >= (shape.threshold or 0.0) - 1e-6)


def _middle(edges: Sequence[float], shares: Sequence[float]) -> str:
    below = shares[0]
    if below > 0.5:
        return f"under {edges[0]:.4g}"
    for share, left, right in zip(shares[1:-1], edges, edges[1:], strict=False):
        if below + share >= 0.5 and share:
            return f"{left + (right - left) * (0.5 - below) / share:.4g}"
        below += share
    return f"over {edges[-1]:.4g}" if sum(shares) else "nothing"
