"""Whether two samples of rows come from one distribution, by the distance of their means in a kernel's space."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from temper.core.seed import Draws

Array = np.ndarray[Any, Any]
_FEW, _PLAIN = 99, 20


def mean_discrepancy(first: Array, second: Array, exchanges: int) -> tuple[float, float]:
    """The unbiased squared discrepancy under a Gaussian kernel of the median distance, and p by exchanging rows.

    All exchanges are one product of the kernel matrix with a matrix of signs.
    Source: Gretton et al., "A kernel two-sample test", 2012.
    """
    rows, n = np.concatenate([first, second]).astype(np.float32), len(first)
    kernel = _gaussian(rows)
    np.fill_diagonal(kernel, 0.0)
    return exchanged(lambda chosen: _unbiased(kernel, chosen, n), len(rows), n, exchanges, 1e-9)


def exchanged(
    statistic: Callable[[Array], Array], rows: int, n: int, exchanges: int, slack: float
) -> tuple[float, float]:
    """The statistic of the split that was observed, and p: the share of all splits, this one among them, in which it is
    as large, but for `slack`. Where few splits make p plain, no more are looked at.
    """
    values = np.zeros(1)
    for many in sorted({min(_FEW, exchanges), exchanges}):
        values = statistic(_splits(rows, n, many))
        larger = int((values >= values[0] - slack).sum())
        if larger > _PLAIN:
            break
    return float(values[0]), larger / len(values)


@lru_cache(maxsize=4)
def _splits(rows: int, n: int, exchanges: int) -> Array:
    """Which n rows are of the first sample (rows, exchanges + 1), the observed split before all others."""
    draws = Draws(0, "kernels.mean_discrepancy").generator()
    chosen = np.zeros((rows, exchanges + 1), dtype=np.float32)
    chosen[:n, 0] = 1.0
    for at in range(1, exchanges + 1):
        chosen[draws.permutation(rows)[:n], at] = 1.0
    return chosen


def _gaussian(rows: Array) -> Array:
    squares = (rows**2).sum(axis=1)
    apart = np.maximum(squares[:, None] + squares[None, :] - 2.0 * rows @ rows.T, 0.0)
    middle = float(np.median(apart[np.triu_indices(len(rows), 1)]))
    return np.asarray(np.exp(-apart / (middle or 1.0)))


def _unbiased(kernel: Array, chosen: Array, n: int) -> Array:
    """The statistic (k,) of every choice (rows, k) of n rows; the diagonal of the kernel is nought."""
    m = len(kernel) - n
    reached = kernel @ chosen
    within = (chosen * reached).sum(axis=0, dtype=np.float64)
    between = reached.sum(axis=0, dtype=np.float64) - within
    others = kernel.sum(dtype=np.float64) - within - 2.0 * between
    return np.asarray(within / (n * (n - 1)) + others / (m * (m - 1)) - 2.0 * between / (n * m))
