"""Ranking figures under row weights (one sort serves every bootstrap replicate), and paired drops in closed form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
Places = np.ndarray[Any, np.dtype[np.int64]]
_CELLS = 2_000_000  # 16 MB of weights at a time


def resamples(n: int, replicates: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Blocks (b, n) of bootstrap weights: how often each of n rows was drawn; b sums to `replicates`.

    >>> [block.sum(axis=1).tolist() for block in resamples(4, 2, np.random.default_rng(0))]
    [[4.0, 4.0]]
    """
    size = max(1, _CELLS // max(n, 1))
    for start in range(0, replicates, size):
        count = min(size, replicates - start)
        drawn = rng.integers(0, n, (count, n), dtype=np.int32) + (np.arange(count) * n)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rows sorted once by score, so that AUC and average precision under many weights cost one pass each.

    `ones`, `zeros`: positions of both classes by rising score. Per row of class 1: `below`, `upto` count the rows of
    class 0 with a smaller, and with no larger score; `behind` counts the rows of class 1 with a smaller score.
    """

    ones: Places
    zeros: Places
    below: Places
    upto: Places
    behind: Places

    @staticmethod
    def of(y: Any, score: Any) -> Ranked:
        """Sort by `score` (n,); `y` (n,) is 1 for class 1.

        >>> ranked = Ranked.of([0, 1, 1], [0.1, 0.2, 0.1])
        >>> ranked.auc(np.ones((1, 3)))
        array([0.75])
        """
        one, values = np.asarray(y) == 1, np.asarray(score)
        order = np.argsort(values, kind="stable")
        ones, zeros = order[one[order]], order[~one[order]]
        high, low = values[ones], values[zeros]
        below, upto = (np.searchsorted(low, high, side=side) for side in ("left", "right"))
        return Ranked(ones, zeros, below, upto, np.searchsorted(high, high, side="left"))

    def auc(self, weights: Floats) -> Floats:
        """AUC of each row of `weights` (b, n); NaN where one class got no weight."""
        positive, negative = weights[:, self.ones], _cumulated(weights[:, self.zeros])
        beaten = negative[:, self.below] + negative[:, self.upto]
        wins = 0.5 * np.einsum("bn,bn->b", positive, beaten)
        with np.errstate(invalid="ignore"):
            return np.asarray(wins / (positive.sum(axis=1) * negative[:, -1]))

    def average_precision(self, weights: Floats) -> Floats:
        """Average precision of each row of `weights` (b, n); NaN where class 1 got no weight."""
        positive, negative = weights[:, self.ones], _cumulated(weights[:, self.zeros])
        passed = _cumulated(positive)
        hits = passed[:, -1:] - passed[:, self.behind]
        flagged = hits + negative[:, -1:] - negative[:, self.below]
        precision = np.divide(hits, flagged, out=np.zeros_like(hits), where=flagged > 0)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.einsum("bn,bn->b", positive, precision) / passed[:, -1])


def auc_drop(y: Any, before: Any, after: Any) -> tuple[float, float]:
    """Drop of the AUC from `before` to `after` (scores (n,) of the same rows) and its standard error.

    Source: DeLong, DeLong & Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
    characteristic curves", 1988.

    >>> auc_drop([0, 0, 1, 1], [1, 2, 3, 4], [1, 2, 3, 4])
    (0.0, 0.0)
    """
    one = np.asarray(y) == 1
    first, second = _placements(one, before), _placements(one, after)
    wins, losses = first[0] - second[0], first[1] - second[1]
    variance = np.var(wins, ddof=1) / len(wins) + np.var(losses, ddof=1) / len(losses)
    return float(wins.mean()), float(np.sqrt(variance))


def r2_drop(y: Any, before: Any, after: Any) -> tuple[float, float]:
    """Drop of R2 from `before` to `after` (predictions (n,)) and its standard error by linearisation.

    >>> r2_drop([0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [1.0, 1.0, 1.0])[0]
    1.0
    """
    truth = np.asarray(y, dtype=np.float64)
    spread = (truth - truth.mean()) ** 2
    lost = (truth - np.asarray(after)) ** 2 - (truth - np.asarray(before)) ** 2
    drop = lost.sum() / spread.sum()
    error = np.std(lost - drop * spread, ddof=1) / spread.mean() / np.sqrt(len(truth))
    return float(drop), float(error)


def _cumulated(weights: Floats) -> Floats:
    """(b, k) -> (b, k + 1): the weight of the first 0, 1, ..., k columns."""
    total = np.zeros((len(weights), weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=total[:, 1:])
    return total


def _placements(one: Any, score: Any) -> tuple[Floats, Floats]:
    """Per row of class 1 the share of class 0 below it, per row of class 0 the share of class 1 above it."""
    values = np.asarray(score, dtype=np.float64)
    return _share_below(values[one], values[~one]), 1.0 - _share_below(values[~one], values[one])


def _share_below(values: Any, others: Any) -> Floats:
    """Per value the share of `others` below it, ties counting half."""
    others = np.sort(others)
    twice = np.searchsorted(others, values, side="left") + np.searchsorted(others, values, side="right")
    return np.asarray(twice / (2 * len(others)))
