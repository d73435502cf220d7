"""How bad a rate becomes when the mixture of groups shifts within a bound: worst mixtures in closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from temper.core.errors import TemperError
from temper.kernels.rate import wilson

Floats = np.ndarray[Any, np.dtype[np.float64]]


def most_frequent(shares: Any, rates: Any, times: float) -> Floats:
    """The mixture with the largest mean rate in which no group is more than `times` as frequent as it is now.

    Its mean is the CVaR of the rates at level 1 - 1 / times: the worst groups are filled up first.
    Source: Rockafellar & Uryasev, "Optimization of conditional value-at-risk", 2000.

    >>> most_frequent([0.5, 0.3, 0.2], [0.1, 0.2, 0.9], 2.0).tolist()
    [0.0, 0.6, 0.4]
    """
    p, r = _checked(shares, rates)
    if not times >= 1:
        raise TemperError(f"a group becomes {times!r} times as frequent", fix="give a number of 1 or more")
    order = np.argsort(-r, kind="stable")
    filled = np.minimum(np.cumsum(p[order] * times), 1.0)
    q = np.zeros(len(p))
    q[order] = np.diff(filled, prepend=0.0)
    return np.round(q, 12)


def within_chi_square(shares: Any, rates: Any, radius: float) -> Floats:
    """The mixture q with the largest mean rate among those with sum((q - p) ** 2 / p) <= `radius`.

    Where no share reaches zero the mean rises by sqrt(radius) standard deviations of the rates.
    Source: Namkoong & Duchi, "Variance-based regularization with convex objectives", 2017.

    >>> within_chi_square([0.5, 0.5], [0.0, 1.0], 0.04).round(6).tolist()
    [0.4, 0.6]
    """
    p, r = _checked(shares, rates)
    if not radius >= 0:
        raise TemperError(f"a chi-square radius of {radius!r}", fix="give a number of 0 or more")
    spread = math.sqrt(float(p @ (r - p @ r) ** 2))
    worst = np.where(r == r[p > 0].max(), p, 0.0)
    worst /= worst.sum()
    if spread == 0 or not radius:
        return p
    if _distance(worst, p) <= radius:
        return worst
    low, high = 0.0, 1e-9  # the tilt: q is in proportion to p * max(0, 1 + tilt * (rate - level))
    while _distance(_tilted(p, r, high), p) < radius:
        high *= 2
    for _ in range(80):
        tilt = (low + high) / 2
        low, high = (tilt, high) if _distance(_tilted(p, r, tilt), p) < radius else (low, tilt)
    return _tilted(p, r, low)


def _tilted(p: Floats, r: Floats, tilt: float) -> Floats:
    """p * max(0, 1 + tilt * (r - level)) with the level at which it sums to one."""
    order = np.argsort(-r, kind="stable")
    mass, weighted = np.cumsum(p[order]), np.cumsum((p * r)[order])
    with np.errstate(divide="ignore", invalid="ignore"):
        levels = (tilt * weighted + mass - 1) / (tilt * mass)
    inside = 1 + tilt * (r[order] - levels) > 0  # the last group that a level computed from it keeps
    level = levels[np.flatnonzero(inside & (mass > 0))[-1]]
    q = p * np.maximum(0.0, 1 + tilt * (r - level))
    return np.asarray(q / q.sum())


def _distance(q: Floats, p: Floats) -> float:
    return float(np.sum(np.divide((q - p) ** 2, p, out=np.zeros_like(p), where=p > 0)))


def mixed(weights: Any, events: Any, rows: Any, confidence: float = 0.95) -> tuple[float, float, float]:
    """The mean rate of groups under fixed weights, with its interval from each group's own.

    Groups of weight zero may be empty. Source: Zou & Donner, "Construction of confidence limits about effect measures",
    2008 (MOVER, with Wilson's intervals).

    >>> [round(value, 3) for value in mixed([0.5, 0.5], [10, 30], [100, 100])]
    [0.2, 0.154, 0.261]
    """
    total, below, above = 0.0, 0.0, 0.0
    for weight, count, n in zip(weights, events, rows, strict=True):
        if weight <= 0:
            continue
        if not n:
            raise TemperError("a group with weight has no rows", fix="leave it out of the mixture")
        low, high = wilson(int(count), int(n), confidence)
        rate = count / n
        total += float(weight) * rate
        below += (weight * (rate - low)) ** 2
        above += (weight * (high - rate)) ** 2
    return total, max(0.0, total - math.sqrt(below)), min(1.0, total + math.sqrt(above))


def _checked(shares: Any, rates: Any) -> tuple[Floats, Floats]:
    p, r = np.asarray(shares, dtype=np.float64), np.asarray(rates, dtype=np.float64)
    if p.shape != r.shape or not len(p) or (p < 0).any() or not p.sum() > 0 or not np.isfinite(r).all():
        raise TemperError("a mixture needs one share and one rate per group")
    return p / p.sum(), r
