"""In which direction a column carries risk, and whether the data say so clearly."""

from __future__ import annotations

from typing import Any

import numpy as np

Vector = np.ndarray[Any, Any]
_BINS = 10


def direction(values: Vector, y: Vector, clear: float = 0.9, strength: float = 4.0) -> int:
    """+1 where the mean of `y` rises with the column, -1 where it falls, 0 where the data do not say so clearly.

    Clear means both: the trend over ranks is `strength` standard errors from zero in the even and in the odd rows, and
    at least the share `clear` of the variation between tenths of the column follows the direction.
    `values`, `y`: (n,); rows where the column is missing are left out.

    >>> x = np.arange(2000.0)
    >>> direction(x, (x % 100 < x / 40).astype(float)), direction(x, (x % 2).astype(float))
    (1, 0)
    """
    known = ~np.isnan(values)
    values, truth = values[known], np.asarray(y, dtype=float)[known]
    if len(values) < 4 * _BINS:
        return 0
    trends = [_trend(values[part::2], truth[part::2]) for part in (0, 1)]
    if min(abs(z) for z in trends) < strength or trends[0] * trends[1] < 0:
        return 0
    sign = 1 if trends[0] > 0 else -1
    return sign if _monotone_share(values, sign * truth) >= clear else 0


def _trend(values: Vector, y: Vector) -> float:
    """Rank correlation with `y` in standard errors."""
    order, codes = np.unique(values, return_inverse=True)
    if len(order) < 2 or y.min() == y.max():
        return 0.0
    counts = np.bincount(codes)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[codes]
    return float(np.corrcoef(ranks, y)[0, 1] * np.sqrt(len(y)))


def _monotone_share(values: Vector, y: Vector) -> float:
    """Share of the variance between bins that the best rising step function explains."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]))
    bins = np.searchsorted(edges, values, side="right")
    weights = np.bincount(bins, minlength=len(edges) + 1).astype(float)
    means = np.bincount(bins, weights=y, minlength=len(weights)) / np.maximum(weights, 1)
    means, weights = means[weights > 0], weights[weights > 0]
    between = float(weights @ (means - np.average(means, weights=weights)) ** 2)
    left = float(weights @ (means - rising(means, weights)) ** 2)
    return 1.0 - left / between if between > 0 else 0.0


def rising(means: Vector, weights: Vector) -> Vector:
    """The closest rising sequence in weighted least squares (isotonic regression by its max-min formula).

    Source: Robertson, Wright & Dykstra, "Order restricted statistical inference", 1988.

    >>> rising(np.array([1.0, 3.0, 2.0]), np.ones(3))
    array([1. , 2.5, 2.5])
    """
    total, weight = np.cumsum(np.r_[0.0, means * weights]), np.cumsum(np.r_[0.0, weights])
    size = len(means)
    average = np.full((size, size), np.inf)
    for start in range(size):
        average[start, start:] = (total[start + 1 :] - total[start]) / (weight[start + 1 :] - weight[start])
    fitted = [max(average[start, at:].min() for start in range(at + 1)) for at in range(size)]
    return np.array(fitted)
