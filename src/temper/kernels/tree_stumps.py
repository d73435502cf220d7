"""The closed form of stumps: with one split a tree, every column adds on its own.

Source: Andriushchenko & Hein, "Provably robust boosted decision stumps and trees against adversarial attacks", 2019.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def is_stumps(forest: Any) -> bool:
    """Whether no tree splits twice."""
    inner = forest.root[forest.feature[forest.root] >= 0]
    return bool((forest.feature[forest.left[inner]] < 0).all() and (forest.feature[forest.right[inner]] < 0).all())


def best_stumps(forest: Any, base: float, box: Any, whole: Any) -> tuple[float, float, Any]:
    """The largest sum in a box of cells (columns, 3), the sum of the largest |leaves|, and the cells that reach it."""
    found = box.copy()
    alone = forest.root[forest.feature[forest.root] < 0]
    total = base + float(forest.value[alone].sum())
    size = abs(base) + float(np.abs(forest.value[alone]).sum())
    roots = forest.root[forest.feature[forest.root] >= 0]
    for q in np.unique(forest.feature[roots]):
        own = roots[forest.feature[roots] == q]
        left, right = forest.value[forest.left[own]], forest.value[forest.right[own]]
        size += float(np.maximum(np.abs(left), np.abs(right)).sum())
        count = int(forest.offset[q + 1] - forest.offset[q])
        sums = left.sum() + np.bincount(forest.cut[own] + 1, weights=right - left, minlength=count + 1).cumsum()[:count]
        cells = np.arange(box[q, 0], box[q, 1] + 1)
        cells = cells[forest.whole[forest.offset[q] + cells]] if whole[q] else cells
        best = float(sums[cells].max()) if len(cells) else -np.inf
        gone = float(np.where(forest.missing_left[own], left, right).sum()) if box[q, 2] else -np.inf
        if gone > best:
            found[q] = 1, 0, 1
        else:
            at = cells[int(sums[cells].argmax())]
            found[q] = at, at, 0
        total += max(best, gone)
    return total, size, found
