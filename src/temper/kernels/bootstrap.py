"""Bootstrap intervals over rows: BCa and percentile, single and paired, reproducible from the generator passed."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Any, Literal, TypeAlias

import numpy as np

from temper.core.errors import TemperError

Statistic: TypeAlias = Callable[..., Any]
Method: TypeAlias = Literal["bca", "percentile"]
Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

GROUPS = 500
CHUNK = 1_000_000
_REDUCTIONS: tuple[Statistic, ...] = (np.mean, np.sum, np.std, np.var, np.median)


def interval(
    statistic: Statistic,
    *arrays: Any,
    rng: np.random.Generator,
    replicates: int = 1000,
    confidence: float = 0.95,
    method: Method = "bca",
) -> tuple[float, float, float]:
    """`statistic(*arrays)` with its bootstrap interval: (value, low, high).

    All arrays are resampled along axis 0 by the same row numbers. Resamples where the statistic is NaN (one class
    only) are dropped; the ends are NaN when fewer than half remain, because then they would speak of other data.
    Misleads below about 20 rows, and for extremes such as a maximum.
    Source: Efron, "Better bootstrap confidence intervals", 1987.

    >>> value, low, high = interval(np.mean, np.arange(100.0), rng=np.random.default_rng(0))
    >>> value, low < 49.5 < high
    (49.5, True)
    """
    columns = _columns(arrays)
    _check_settings(replicates, confidence, method)
    value = float(statistic(*columns))
    drawn = _replicates(statistic, columns, rng, replicates)
    kept = np.sort(drawn[~np.isnan(drawn)])
    if np.isnan(value) or len(kept) < replicates / 2:
        return value, float("nan"), float("nan")
    if kept[0] == kept[-1]:
        return value, min(value, float(kept[0])), max(value, float(kept[0]))
    tails = np.array([0.5 - confidence / 2, 0.5 + confidence / 2])
    if method == "bca":
        tails = _corrected(tails, kept, value, _jackknife(statistic, columns))
    low, high = np.quantile(kept, tails)
    return value, float(low), float(high)


def paired(
    statistic: Statistic,
    before: tuple[Any, ...],
    after: tuple[Any, ...],
    *,
    rng: np.random.Generator,
    replicates: int = 1000,
    confidence: float = 0.95,
    method: Method = "bca",
) -> tuple[float, float, float]:
    """`statistic(*after) - statistic(*before)` with its interval, both sides resampled by the same rows.

    >>> y, p = np.array([0, 1] * 30), np.linspace(0, 1, 60)
    >>> paired(lambda y, p: np.mean((y - p) ** 2), (y, p), (y, p), rng=np.random.default_rng(0))
    (0.0, 0.0, 0.0)
    """

    def difference(*arrays: Any) -> float:
        return float(statistic(*arrays[len(before) :])) - float(statistic(*arrays[: len(before)]))

    return interval(difference, *before, *after, rng=rng, replicates=replicates, confidence=confidence, method=method)


def _columns(arrays: tuple[Any, ...]) -> tuple[np.ndarray[Any, Any], ...]:
    columns = tuple(np.asarray(array) for array in arrays)
    lengths = {len(column) if column.ndim else 0 for column in columns}
    if len(lengths) != 1 or lengths == {0}:
        raise TemperError(f"the bootstrap needs arrays of one length above zero, got lengths {sorted(lengths)}")
    return columns


def _check_settings(replicates: int, confidence: float, method: str) -> None:
    if replicates < 10 or not 0 < confidence < 1:
        raise TemperError(f"the bootstrap got {replicates} replicates at confidence {confidence!r}")
    if method not in ("bca", "percentile"):
        raise TemperError(f"bootstrap method {method!r} is unknown", fix="use bca or percentile")


def _replicates(
    statistic: Statistic, columns: tuple[np.ndarray[Any, Any], ...], rng: np.random.Generator, replicates: int
) -> Floats:
    """The statistic on every resample; rows are drawn in chunks whose size does not change the numbers drawn."""
    n = len(columns[0])
    at_once = max(1, CHUNK // n)
    whole = statistic in _REDUCTIONS and len(columns) == 1 and columns[0].ndim == 1
    drawn = np.empty(replicates)
    for start in range(0, replicates, at_once):
        rows = rng.integers(0, n, size=(min(at_once, replicates - start), n))
        if whole:
            drawn[start : start + len(rows)] = statistic(columns[0][rows], axis=1)
        else:
            drawn[start : start + len(rows)] = [statistic(*(c[row] for c in columns)) for row in rows]
    return drawn


def _jackknife(statistic: Statistic, columns: tuple[np.ndarray[Any, Any], ...]) -> Floats:
    """The statistic with one group of rows left out at a time; every group is a comb, so order does not matter."""
    n = len(columns[0])
    groups = min(n, GROUPS)
    group = np.arange(n) % groups
    if n == 1:
        return np.zeros(1)
    left = np.array([statistic(*(c[group != g] for c in columns)) for g in range(groups)], dtype=float)
    kept: Floats = left[~np.isnan(left)]
    return kept


def _corrected(tails: Floats, kept: Floats, value: float, left: Floats) -> Floats:
    """The tail probabilities after correction for bias (z0) and acceleration (a)."""
    normal = NormalDist()
    below = (np.sum(kept < value) + 0.5 * np.sum(kept == value)) / len(kept)
    half = 0.5 / len(kept)
    bias = normal.inv_cdf(float(np.clip(below, half, 1 - half)))
    gaps = left.mean() - left if len(left) else np.zeros(1)
    spread = float((gaps**2).sum())
    acceleration = float((gaps**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    shifted = [bias + normal.inv_cdf(float(tail)) for tail in tails]
    # Beyond 1 / a the correction turns over; such data carry no more than the percentile interval.
    scales = [1 - acceleration * z for z in shifted]
    if min(scales) <= 0:
        return tails
    return np.array([normal.cdf(bias + z / scale) for z, scale in zip(shifted, scales, strict=True)])
