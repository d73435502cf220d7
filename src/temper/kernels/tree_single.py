"""The nearest break of a single tree in closed form: the nearest point of every leaf's box, in one look at the leaves.

Source: Yang et al., "Robustness for non-parametric classification: a generic attack and defense", 2020 (exact regions).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from temper.core.schema import Schema
from temper.kernels.tree_reach import SLACK, Reach

Floats = np.ndarray[Any, np.dtype[np.float64]]
_EXACT = 1e-9  # what a nearest value may be off by, relative


def is_single(forests: tuple[Any, ...]) -> bool:
    """Whether every margin has one tree."""
    return all(len(forest.root) == 1 for forest in forests)


def leaf_boxes(forest: Any, base: float, deepest: int, box: Reach, row: int) -> Iterator[tuple[float, Any]]:
    """Every leaf of the tree within a reach: the margin there, and its cells (columns, 3)."""
    from temper.kernels._jit_tree_verify_paths import cells, read

    start = cells(forest, box.low[row], box.high[row], box.valued[row], box.missing[row], box.whole[row])
    paths, trees = read(forest, start, box.whole[row], base, deepest)
    if not trees:
        yield float(paths.base[0]), start
    for leaf in range(int(paths.tree[trees])):
        found = start.copy()
        for at in range(int(paths.limit[leaf]), int(paths.limit[leaf + 1])):
            found[paths.narrows[at, 0]] = paths.narrows[at, 1:]
        yield float(paths.base[0] + paths.value[leaf]), found


def nearest_leaf(
    leaves: Iterator[tuple[float, Floats, float]],
    schema: Schema,
    x0: Any,
    norm: str,
    *,
    cost: float | None,
    keep: Callable[[Floats, float], Floats | None],
) -> tuple[float, float, Floats | None]:
    """(nothing nearer changes the decision, the nearest point known to, that point) of leaves given as margin, nearest
    point and rounding. `keep(point, margin above rounding)` gives the point that counts, or None.
    """
    held, broken, kept = np.inf, np.inf, None
    start = np.asarray(x0, dtype=np.float64)
    for margin, point, slack in leaves:
        shaped = point.reshape(np.shape(x0))
        dear = cost is not None and schema.distance(shaped, start, "cost")[0] > cost * (1 + SLACK) + SLACK
        away = float(schema.distance(shaped, start, norm)[0])
        if margin <= -slack or dear:
            continue
        held = min(held, away * (1 - _EXACT))
        if away < broken and (counts := keep(point, margin - slack)) is not None:
            broken, kept = float(schema.distance(counts.reshape(np.shape(x0)), start, norm)[0]), counts
    return held, broken, kept
