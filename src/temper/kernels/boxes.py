"""Boxes in a table whose rows weigh much together: where to start, and how to move their sides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np

Rows = np.ndarray[Any, Any]
Box: TypeAlias = Mapping[int, tuple[float, float]]
"""Per column the lowest and the highest value that lies inside; missing values are infinite."""

_PARTS = (16, 32, 64)
_DEEPEST, _ROUNDS = 5, 4
_PAYS, _MATTERS = 1.1, 0.95
_LEAST = 3.0
_TESTED, _STARTS, _SEEDS = 4, 30, 1_000


def inside(x: Rows, box: Box) -> Rows:
    """Mask (n,) of the rows in the box.

    >>> inside(np.array([[1.0], [4.0]]), {0: (0.0, 2.0)})
    array([ True, False])
    """
    mask = np.ones(len(x), dtype=bool)
    for at, (low, high) in box.items():
        mask &= (x[:, at] >= low) & (x[:, at] <= high)
    return mask


def heaviest_run(values: Rows, weight: Rows) -> tuple[float, float, float] | None:
    """The weight and the ends of the run of values that weighs most; equal values stay together, None if none weighs.

    >>> heaviest_run(np.array([1.0, 2.0, 3.0, 4.0]), np.array([-1.0, 2.0, 2.0, -9.0]))
    (4.0, 2.0, 3.0)
    """
    seen, of = np.unique(values, return_inverse=True)
    total = np.concatenate([[0.0], np.cumsum(np.bincount(of, weight, minlength=len(seen)))])
    gain = total - np.minimum.accumulate(total)
    end = int(gain.argmax())
    if end == 0:
        return None
    first = int(np.flatnonzero(total[: end + 1] == total[: end + 1].min())[-1])
    return float(gain[end]), float(seen[first]), float(seen[end - 1])


def heaviest_value(values: Rows, weight: Rows) -> tuple[float, float, float] | None:
    """The single value that weighs most, as a run: for columns without an order."""
    seen, of = np.unique(values, return_inverse=True)
    total = np.bincount(of, weight, minlength=len(seen))
    at = int(total.argmax()) if len(total) else 0
    return (float(total[at]), float(seen[at]), float(seen[at])) if len(total) and total[at] > 0 else None


def cut(values: Rows, parts: int, shifted: bool, unordered: bool) -> tuple[Rows, Rows, Rows]:
    """Codes (n,) of `parts` cells of about equal counts, with the lowest and highest value of each cell.

    A value that would fill half of a cell, and every value of an unordered column, is a cell of its own.

    >>> code, low, high = cut(np.array([1.0, 2.0, 3.0, 4.0, 7.0, 7.0, 7.0, 7.0]), 4, False, False)
    >>> high.tolist()
    [2.0, 4.0, 7.0]
    """
    seen, of, count = np.unique(values, return_inverse=True, return_counts=True)
    alone = np.isinf(seen) | (count > max(len(values) / (2.0 * parts), 1.0)) | unordered
    spread = np.where(alone, 0, count)
    width = max(len(values) / parts, 1.0)
    cell = ((np.cumsum(spread) - spread + (0.5 * width if shifted else 0.0)) // width).astype(np.int64)
    used = np.unique(cell[~alone])
    code = np.where(alone, len(used) + np.cumsum(alone) - 1, np.searchsorted(used, cell))
    total = len(used) + int(alone.sum())
    low, high = np.full(total, np.inf), np.full(total, -np.inf)
    np.minimum.at(low, code, seen)
    np.maximum.at(high, code, seen)
    return code[of], low, high


def starts(x: Rows, weight: Callable[[int, int], Rows], unordered: Rows, best: int = 2) -> Iterator[Box]:
    """Cells of two columns, the heaviest first, at three resolutions; `weight(i, j)` (n,) is what rows weigh there."""
    columns = range(x.shape[1])
    cells = {
        (at, parts, shifted): cut(x[:, at], parts, shifted, bool(unordered[at]))
        for at in columns
        for parts in _PARTS
        for shifted in (False, True)
    }
    found: list[tuple[float, Box]] = []
    for i, j in combinations(columns, 2):
        weighed = weight(i, j)
        for parts in _PARTS:
            for shifted in (False, True):
                found += _heavy(cells[i, parts, shifted], cells[j, parts, shifted], weighed, (i, j), best)
    found.sort(key=lambda entry: -entry[0])
    return (box for _, box in found)


def _heavy(a: Any, b: Any, weight: Rows, columns: tuple[int, int], best: int) -> list[tuple[float, Box]]:
    (code, low, high), (other, others_low, others_high) = a, b
    across = len(others_low)
    total = np.bincount(code * across + other, weight, minlength=len(low) * across)
    top = np.argpartition(-total, min(best, len(total) - 1))[:best]
    i, j = columns
    return [
        (
            float(total[at]),
            {
                i: (float(low[at // across]), float(high[at // across])),
                j: (float(others_low[at % across]), float(others_high[at % across])),
            },
        )
        for at in top
        if total[at] > _LEAST
    ]


def climb(x: Rows, weight: Rows, box: Box, unordered: Rows) -> tuple[float, Box]:
    """The box with its sides moved, a column at a time, to where its rows (n, d) weigh most together, and that weight.

    A column is taken in where it adds a tenth, and dropped where the weight hardly hangs on it.
    Source: Friedman & Fisher, "Bump hunting in high-dimensional data", 1999 (boxes; here every move is the best run).
    """
    now = float(weight[inside(x, box)].sum())
    for _ in range(_ROUNDS):
        before = now
        for at in list(box):
            rows = inside(x, _without(box, at))
            moved = _best(x[rows, at], weight[rows], bool(unordered[at]))
            if moved is not None and moved[0] >= now - 1e-9:
                now, box = moved[0], {**box, at: moved[1:]}
        now, box = _deeper(x, weight, box, unordered, now)
        if now <= before + 1e-9:
            break
    for at in list(box):
        rest = _without(box, at)
        if rest and float(weight[inside(x, rest)].sum()) >= _MATTERS * now:
            box = rest
    return now, box


def heaviest_boxes(x: Rows, weight: Callable[[int, int], Rows], unordered: Rows) -> list[Box]:
    """The few heaviest boxes reached from cells of two columns, each once; `weight(i, j)` (n,) as for `starts`."""
    covered: list[Rows] = []
    found: dict[bytes, tuple[float, Box]] = {}
    for at, box in enumerate(starts(x, weight, unordered)):
        mask = inside(x, box)
        size = int(mask.sum())
        if any((mask & one).sum() > 0.5 * size and one.sum() < 4 * size for one in covered):
            continue
        i, j = box
        value, moved = climb(x, weight(i, j), box, unordered)
        reached = inside(x, moved)
        covered += [reached, mask]
        found.setdefault(reached.tobytes(), (value, moved))
        if len(found) >= _STARTS or at >= _SEEDS:
            break
    ranked = sorted(found.values(), key=lambda entry: -entry[0])
    return [box for _, box in ranked[:_TESTED]]


def widened(box: Box, unordered: Rows, share: float = 0.25) -> Box:
    """The box with the sides of ordered columns moved out by a share of its width.

    >>> widened({0: (1.0, 3.0), 1: (2.0, 2.0)}, np.array([False, True]))
    {0: (0.5, 3.5), 1: (2.0, 2.0)}
    """
    moved = {at: share * (high - low) for at, (low, high) in box.items() if not unordered[at] and np.isfinite(high)}
    return {at: (low - moved.get(at, 0.0), high + moved.get(at, 0.0)) for at, (low, high) in box.items()}


def _deeper(x: Rows, weight: Rows, box: Box, unordered: Rows, now: float) -> tuple[float, Box]:
    if len(box) >= _DEEPEST:
        return now, box
    rows = inside(x, box)
    tried = {at: _best(x[rows, at], weight[rows], bool(unordered[at])) for at in range(x.shape[1]) if at not in box}
    found = {at: run for at, run in tried.items() if run is not None}
    at = max(found, key=lambda at: found[at][0], default=None)
    if at is None or found[at][0] <= _PAYS * now + 1.0:
        return now, box
    return found[at][0], {**box, at: found[at][1:]}


def _best(values: Rows, weight: Rows, unordered: bool) -> tuple[float, float, float] | None:
    return heaviest_value(values, weight) if unordered else heaviest_run(values, weight)


def _without(box: Box, at: int) -> Box:
    return {other: side for other, side in box.items() if other != at}
