"""What leaving a group of rows out changes, beside leaving as many random rows out; and labels nobody expected."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Rows = np.ndarray[Any, Any]
_LEAST = 1e-6


def beyond_random(gain: Rows, size: Rows, random_gain: Rows, random_size: Rows) -> tuple[Rows, Rows, Rows]:
    """Per group: gain beyond as many random rows, its standard error, and the one-sided p-value that there is none.

    What `random_size` rows gain has a mean in proportion to their number and a variance too, so groups of all sizes
    share the random draws; the group's own share of the spread is added (a prediction, by Student's t).

    >>> beyond, spread, p = beyond_random(
    ...     np.array([0.5, 0.0]), np.array([10, 10]), np.array([0.01, -0.01, 0.02, -0.02]), np.array([10] * 4)
    ... )
    >>> bool(p[0] < 0.001 < p[1])
    True
    """
    from scipy.stats import t

    total, freedom = float(random_size.sum()), len(random_size) - 1
    rate = float(random_gain.sum()) / total
    variance = float(((random_gain - rate * random_size) ** 2 / random_size).sum()) / freedom
    beyond = gain - rate * size
    spread = np.sqrt(np.maximum(variance, 1e-30) * size * (1.0 + size / total))
    return beyond, spread, t.sf(beyond / spread, freedom)


def surprises(y: Rows, probabilities: Rows) -> Rows:
    """How many standard deviations (k + 1,) more rows of each class there are than a model expects, and how much less
    likely the labels are to it than labels drawn from its own probabilities; the sums are Poisson-binomial.

    >>> surprises(np.ones(100, dtype=int), np.full((100, 2), 0.5)).round(1)
    array([-10.,  10.,   0.])
    """
    p = np.clip(probabilities, _LEAST, None)
    p = p / p.sum(axis=1, keepdims=True)
    counts = np.bincount(y, minlength=p.shape[1]) - p.sum(axis=0)
    loss = -np.log(p)
    mean = (p * loss).sum(axis=1)
    variance = float(((p * loss**2).sum(axis=1) - mean**2).sum())
    excess = float((loss[np.arange(len(y)), y] - mean).sum()) / math.sqrt(max(variance, 1e-12))
    return np.append(counts / np.sqrt((p * (1.0 - p)).sum(axis=0)), 0.0 if variance < 1e-9 else excess)


def unexpected(found: Rows, random: Rows) -> tuple[Rows, Rows]:
    """p-values (groups,) of too many or too few rows of some class, and of labels too unlikely, beside random groups.

    `found` (groups, k + 1) and `random` (draws, k + 1) are `surprises`. A model is never quite calibrated, so random
    rows are further from it than chance would be: their spread is taken, where it is larger, in place of one.
    """
    from scipy.stats import t

    draws = len(random)
    spread = np.sqrt(np.maximum((random[:, :-1] ** 2).mean(axis=0), 1.0))
    each = 2.0 * t.sf(np.abs(found[:, :-1]) / spread, draws)
    # Of two classes one count is the other's complement: the same test twice.
    kinds = each.shape[1] if each.shape[1] > 2 else 1
    middle = float(random[:, -1].mean())
    wide = math.sqrt(max(float(random[:, -1].var(ddof=1)), 1.0) * (1.0 + 1.0 / draws))
    return np.minimum(each.min(axis=1) * kinds, 1.0), t.sf((found[:, -1] - middle) / wide, draws - 1)
