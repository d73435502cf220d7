"""How far a row lies from the middle of ordinary rows, in units of how they vary together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_STEEP, _FLOOR = 1e30, 1e-4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Whitened:
    """Centre and shape of ordinary rows, float32: `whiten` (d, d), lower triangular, of columns less their mean and
    over their spread.

    `columns` (d, 4): mean, one over the spread, whether it is a category, whether values may be missing (the mean then
    stands in). A category counts as minus the logarithm of its share, from `levels` (d, most categories + 1), whose
    last entry is for one that was not there.
    """

    columns: Array
    whiten: Array
    levels: Array


def whitened(x: Array, category: Array) -> Whitened:
    """Fit on ordinary rows (n, d), NaN where a value is missing; the covariance is shrunk towards its diagonal.

    A column that never varies has no spread to measure by: any other value is all but infinitely far.
    Source: Ledoit & Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", 2004.
    """
    levels = _levels(x, category)
    rows = np.where(np.isfinite(x), x, np.nan).astype(float)
    for at in np.flatnonzero(category):
        here = ~np.isnan(rows[:, at])
        rows[here, at] = levels[at, rows[here, at].astype(int)]
    there = ~np.isnan(rows)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, rows, 0.0).sum(axis=0) / count
    away = np.where(there, rows - mean, 0.0)
    spread = np.sqrt((away**2).sum(axis=0) / count)
    varies = spread > 1e-7 * np.abs(mean)
    middle = np.where(varies, mean, rows[there.argmax(axis=0), np.arange(len(mean))])
    scale = np.where(varies, 1.0 / np.where(varies, spread, 1.0), _STEEP)
    gap = np.isnan(x).any(axis=0)
    return Whitened(
        columns=np.column_stack([np.nan_to_num(middle), scale, category, gap]).astype(np.float32),
        whiten=_whiten(away * scale, varies),
        levels=levels,
    )


def distances(shape: Whitened, x: Array) -> tuple[Array, float]:
    """The mean squared whitened distance (n,) of each row, near 1 for ordinary ones and infinite for no number; and the
    largest of them.

    Misleads where ordinary rows form several heaps: what lies between them is near the middle of all.
    Source: Mahalanobis, "On the generalised distance in statistics", 1936.

    >>> rows = np.random.Generator(np.random.Philox(key=0)).normal(size=(500, 2))
    >>> distances(whitened(rows, np.zeros(2, bool)), np.float32([[0, 0], [9, 9]]))[1] > 50
    True
    """
    out = np.empty(len(x))
    return out, _compiled()(x, shape.columns, shape.whiten, shape.levels, out)


@cache  # an import statement costs half as much as the row
def _compiled() -> Any:
    from temper.kernels._jit_whitened import whitened_squares

    return whitened_squares


def _whiten(z: Array, varies: Array) -> Array:
    """What turns scaled columns (n, d) into uncorrelated ones of spread one; the columns that never vary stay."""
    from sklearn.covariance import ledoit_wolf

    whiten, moving = np.eye(len(varies)), np.flatnonzero(varies)
    if len(moving):
        # One-hot and derived columns follow from others exactly, and rows enough leave nothing to shrink.
        covariance = ledoit_wolf(z[:, moving], assume_centered=True)[0] + _FLOOR * np.eye(len(moving))
        whiten[np.ix_(moving, moving)] = np.linalg.inv(np.linalg.cholesky(covariance))
    return np.ascontiguousarray(whiten, dtype=np.float32)


def _levels(x: Array, category: Array) -> Array:
    """Minus the logarithm of each category's share (d, most + 1), the last for what was not there."""
    codes = [int(np.nanmax(x[:, at], initial=0.0)) + 1 if category[at] else 0 for at in range(x.shape[1])]
    levels = np.full((x.shape[1], max(codes, default=0) + 1), np.log(2.0 * len(x)), dtype=np.float32)
    for at in np.flatnonzero(category):
        seen, count = np.unique(x[np.isfinite(x[:, at]), at].astype(int), return_counts=True)
        levels[at, seen] = -np.log(count / count.sum())
    return levels
