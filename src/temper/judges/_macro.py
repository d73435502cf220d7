"""How well each of several values is told from the others, and how far every row pulls that figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.judges._pooled import placements, student

Vector = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Area:
    """A mean area under the curve and how far each row pulls it (n,), whose spread is the area's own."""

    value: float
    pull: Vector

    def interval(self, level: float) -> tuple[float, float]:
        """The ends at this confidence."""
        low, high = student(self.value, [spread(self.pull)], level)
        return max(low, 0.0), min(high, 1.0)


def area_of(truth: Vector, score: Vector) -> Area:
    """Mean over the values of how well `score` (n, k) tells each from the others.

    >>> area_of(np.array([0, 0, 1, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])).value
    0.75
    """
    values = [v for v in range(score.shape[1]) if 0 < np.count_nonzero(truth == v) < len(truth)]
    pull, total = np.zeros(len(truth)), 0.0
    for value in values:
        has = truth == value
        mine, theirs = placements(has.astype(int), score[:, value])
        area = float(mine.mean())
        pull[has] += (mine - area) / has.mean()
        pull[~has] += (theirs - area) / (1.0 - has.mean())
        total += area
    many = max(len(values), 1)
    return Area(value=total / many, pull=pull / many)


def difference(one: Area, other: Area, level: float) -> tuple[float, float, float]:
    """`one - other`, of different rows."""
    value = one.value - other.value
    return (value, *student(value, [spread(one.pull), spread(other.pull)], level))


def beyond(attack: Area, plain: Area) -> Area:
    """`attack - plain`, of the same rows."""
    return Area(value=attack.value - plain.value, pull=attack.pull - plain.pull)


def paired(before: Area, after: Area, level: float) -> tuple[float, float, float]:
    """`after - before`, of the same rows."""
    gain = beyond(after, before)
    return (gain.value, *student(gain.value, [spread(gain.pull)], level))


def spread(pull: Vector) -> tuple[float, int]:
    """Variance of the mean and its degrees of freedom."""
    return float(pull.var(ddof=1)) / len(pull), len(pull) - 1
