"""Intervals of several means at once over few actors: a bootstrap that knows that there are actors nobody has seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.errors import TemperError

Floats = np.ndarray[Any, Any]


def over_actors(
    values: Floats,
    ends: tuple[Floats | float, Floats | float],
    rng: np.random.Generator,
    *,
    confidence: float = 0.95,
    simultaneous: bool = False,
    replicates: int = 4_000,
) -> tuple[Floats, Floats]:
    """The ends of an interval for the mean of each column of `values` (actors, k), low (k,) and high (k,).

    Every resample weighs the actors at random, with one more that nobody has seen, whose values are the least that they
    can be (`ends`) for the low end and the most for the high one: so the ends never meet where all actors agree, and
    hold for as few as there are. Each column has its interval by itself, unless `simultaneous` asks for all of them to
    hold at once. Misleads where the actors are no sample of those that will come.
    Source: Rubin, "The Bayesian bootstrap", 1981; Gaffke, "Three test statistics for a nonparametric one-sided
    hypothesis on the mean of a nonnegative variable", 2005; Mandel & Betensky, "Simultaneous confidence intervals based
    on the percentile bootstrap approach", 2008.

    >>> low, high = over_actors(np.zeros((10, 1)), (0.0, 1.0), np.random.default_rng(0))
    >>> float(low[0]), bool(0.2 < high[0] < 0.35)
    (0.0, True)
    """
    if not len(values) or not 0 < confidence < 1:
        raise TemperError(f"{len(values)} actors at confidence {confidence} have no interval")
    weights = rng.exponential(size=(replicates, len(values) + 1))
    weights /= weights.sum(axis=1, keepdims=True)
    seen, unseen = weights[:, :-1] @ values, weights[:, -1:]
    below, above = (seen + unseen * end for end in ends)
    tail = (1 - confidence) / 2
    if simultaneous:
        tail = _deeper(below, above, np.sort(below, axis=0), np.sort(above, axis=0), 2 * tail)
    low = np.quantile(below, tail, axis=0, method="lower")
    high = np.quantile(above, 1 - tail, axis=0, method="higher")
    means = values.mean(axis=0)
    return np.minimum(low, means), np.maximum(high, means)


def _deeper(low: Floats, high: Floats, below: Floats, above: Floats, error: float) -> float:
    """The tail of each column at which all of them together miss this share of the resamples."""
    many = len(low)
    worst = np.ones(many)
    for at in range(low.shape[1]):
        first = np.searchsorted(below[:, at], low[:, at], side="right") / many
        last = 1 - np.searchsorted(above[:, at], high[:, at], side="left") / many
        worst = np.minimum(worst, np.minimum(first, last))
    # Low and high ends lean on unseen actors of opposite kinds, so each of them has half of the error.
    return float(min(np.quantile(worst, error), error / 2))
