"""Columns that go together otherwise than they did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.moved import TOGETHER, Moved
from temper.core.schema import TOLERANCE
from temper.kernels.mean_discrepancy import exchanged
from temper.monitoring.reference import Window

Array = np.ndarray[Any, Any]
_FEWEST = 50
_PAIRS = 2_048


@dataclass(frozen=True, slots=True, kw_only=True)
class RankCorrelation:
    """The largest change of a correlation of two columns of numbers, each by its ranks in the reference.

    From the samples of 500 rows. Every pair is measured in units of its own spread, and p is the share of exchanges of
    rows of both samples in which any pair changes as surely, so it is never nought. Changes below `least` are none.
    Blind to codes, and to what goes together otherwise than up or down; misleads where rows come in clusters.
    Source: Spearman, "The proof and measurement of association between two things", 1904; Westfall & Young,
    "Resampling-based multiple testing", 1993 (the largest of all pairs).

    >>> from temper.core.schema import Schema
    >>> from temper.monitoring.reference import Reference
    >>> first = np.random.Generator(np.random.Philox(key=0)).normal(size=(4_000, 2))
    >>> rows = np.column_stack([first[:, 0], first.sum(axis=1)])
    >>> known, late = Reference.fit(rows[:2_000], Schema()), rows[2_000:].copy()
    >>> late[:, 1] = np.roll(late[:, 1], 500)
    >>> windows = [Window.of(known, one, np.arange(2_000)) for one in (rows[2_000:], late)]
    >>> [bool(RankCorrelation().compare(one).p[0] < 0.01) for one in windows]
    [False, True]
    """

    least: float = 0.2
    exchanges: int = 999

    def compare(self, window: Window) -> Moved:
        """How much the correlation has changed that changed most surely; all columns together."""
        known = window.reference
        numbers = np.flatnonzero(~known.cells.category)
        before, now = (known.ranks(one.rows)[:, numbers] for one in (known.sample, window.sample))
        value, p = _changed(before, now, self.exchanges) if min(len(before), len(now)) >= _FEWEST else (np.nan, 1.0)
        surely = p if abs(value) >= self.least else 1.0
        return Moved(columns=np.array([TOGETHER]), values=np.array([value]), p=np.array([surely]))


def _changed(before: Array, now: Array, exchanges: int) -> tuple[float, float]:
    """The change of the pair that changed most surely, and p of so sure a one; NaN without a pair."""
    rows, n = np.concatenate([before, now]), len(before)
    u = rows - rows.mean(axis=0)
    spread = u.std(axis=0)
    u = u[:, spread > TOLERANCE] / spread[spread > TOLERANCE]
    one, other = np.triu_indices(u.shape[1], 1)
    if not len(one):
        return float("nan"), 1.0
    told = np.concatenate([_influence(u, one[at : at + _PAIRS], other[at : at + _PAIRS]) for at in _steps(len(one))])

    def surest(chosen: Array) -> Array:
        parts = [np.abs(told[at : at + _PAIRS] @ chosen).max(axis=0) for at in _steps(len(told))]
        return np.asarray(np.max(parts, axis=0))

    _, p = exchanged(surest, len(rows), n, exchanges, 1e-3)
    first = int(np.argmax(np.abs(told[:, :n].sum(axis=1, dtype=np.float64))))
    a, b = (part[:, [one[first], other[first]]] for part in (u[:n], u[n:]))
    return _correlation(b) - _correlation(a), p


def _influence(u: Array, one: Array, other: Array) -> Array:
    """What each row adds to the correlation of each pair (pairs, rows), in units of its spread: the difference of two
    means of it is that of two correlations.
    """
    usual = (u[:, one] * u[:, other]).mean(axis=0)
    adds = u[:, one] * u[:, other] - usual / 2.0 * (u[:, one] ** 2 + u[:, other] ** 2)
    adds /= np.maximum(adds.std(axis=0), TOLERANCE)
    adds -= adds.mean(axis=0)
    return np.ascontiguousarray(adds.T, dtype=np.float32)


def _steps(pairs: int) -> range:
    """Where parts of the pairs begin: those of three hundred columns together are a gigabyte of numbers."""
    return range(0, pairs, _PAIRS)


def _correlation(pair: Array) -> float:
    centred = pair - pair.mean(axis=0)
    size = float(np.sqrt((centred**2).sum(axis=0).prod()))
    return float(centred[:, 0] @ centred[:, 1]) / max(size, TOLERANCE)


PLUGIN = RankCorrelation
