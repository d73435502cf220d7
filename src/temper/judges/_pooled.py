"""Closed-form intervals for payload judges: areas under the curve, and losses pooled over rows and repeats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Vector = np.ndarray[Any, Any]


def placements(y: Vector, score: Vector) -> tuple[Vector, Vector]:
    """Per positive the share of negatives below it, per negative the share of positives above it; ties count half.

    Source: DeLong, DeLong & Clarke-Pearson, Biometrics 44, 1988. Either mean is the area under the ROC curve.

    >>> placements(np.array([0, 1, 1]), np.array([0.2, 0.1, 0.9]))
    (array([0., 1.]), array([0.5]))
    """
    positive, negative = score[y == 1], score[y != 1]
    below, above = np.sort(negative), np.sort(positive)
    mine = (np.searchsorted(below, positive, "left") + np.searchsorted(below, positive, "right")) / (2.0 * len(below))
    passed = (np.searchsorted(above, negative, "left") + np.searchsorted(above, negative, "right")) / (2.0 * len(above))
    return mine, 1.0 - passed


def area(y: Vector, score: Vector, confidence: float = 0.95) -> tuple[float, float, float]:
    """The area under the ROC curve with its DeLong interval; both classes must be present.

    A perfect (or perfectly wrong) order has no spread of its own, so it gets the binomial one of its smaller class.
    """
    mine, theirs = placements(y, score)
    value = float(mine.mean())
    few = min(len(mine), len(theirs))
    variance = _variance(mine) / len(mine) + _variance(theirs) / len(theirs)
    if variance == 0.0:
        near = (few * value + 1.0) / (few + 2.0)
        variance = near * (1.0 - near) / (few + 2.0)
    low, high = student(value, [(variance, max(few - 1, 1))], confidence)
    return value, max(low, 0.0), min(high, 1.0)


def paired_area_loss(y: Vector, before: Vector, after: Vector, confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean area lost from `before` to `after`, both (repeats, n), with an interval over rows and repeats."""
    moved = [_moved(y, one, other) for one, other in zip(before, after, strict=True)]
    mine, theirs = np.stack([m for m, _ in moved]), np.stack([t for _, t in moved])
    value = float(mine.mean())
    rows = [(_variance(part.mean(0)) / part.shape[1], part.shape[1] - 1) for part in (mine, theirs)]
    low, high = student(value, [*rows, *_between(mine.mean(1))], confidence)
    return value, low, high


def paired_loss(before: Vector, after: Vector, confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean loss from `before` to `after`, both (repeats, n) with values in [0, 1], over the same rows.

    The spread of rows and the spread of repeats are added, which is never too narrow for crossed designs. Half a row
    more in each corner keeps the interval open when nothing moved.
    Source: Agresti & Min, "Simple improved confidence intervals for comparing matched proportions", 2005; crossed
    spreads as in Owen, "The pigeonhole bootstrap", 2007.
    """
    loss = before - after
    value = float(loss.mean())
    rows = loss.mean(0)
    n = len(rows) + 2
    centre = float(rows.sum()) / n
    variance = (float((rows * rows).sum()) + 1.0) / n - centre * centre
    low, high = student(centre, [(variance / n, n - 1), *_between(loss.mean(1))], confidence)
    return value, min(low, value), max(high, value)


def student(value: float, parts: Sequence[tuple[float, float]], confidence: float = 0.95) -> tuple[float, float]:
    """`value` plus and minus the t quantile of summed variances, each (variance of the mean, degrees of freedom).

    Source: Satterthwaite, "An approximate distribution of estimates of variance components", 1946.
    """
    from scipy.stats import t

    total = sum(variance for variance, _ in parts)
    if total <= 0.0:
        return value, value
    freedom = total**2 / sum(variance**2 / max(df, 1) for variance, df in parts)
    half = float(t.ppf(0.5 + confidence / 2.0, freedom)) * total**0.5
    return value - half, value + half


def _moved(y: Vector, before: Vector, after: Vector) -> tuple[Vector, Vector]:
    mine, theirs = placements(y, before)
    mine_after, theirs_after = placements(y, after)
    return mine - mine_after, theirs - theirs_after


def _between(repeats: Vector) -> list[tuple[float, float]]:
    """The spread between repeats; one repeat has none to show (the caller says so)."""
    return [(_variance(repeats) / len(repeats), len(repeats) - 1)] if len(repeats) > 1 else []


def _variance(values: Vector) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0
