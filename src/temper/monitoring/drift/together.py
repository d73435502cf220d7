"""Columns that go together otherwise than they did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.moved import TOGETHER, Moved
from temper.core.schema import TOLERANCE
from temper.monitoring.reference import Window

Array = np.ndarray[Any, Any]
_FEWEST, _TAILS = 50, 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RankCorrelation:
    """The largest change of a correlation of two columns of numbers, each by its ranks in the reference.

    From the samples of 500 rows; every pair is divided by its own standard error, and p is the smallest one times the
    number of pairs. Changes below `least` are none. Columns that hardly vary are left out, because few rows decide
    about them. Blind to codes, and to what goes together otherwise than up or down; misleads where rows come in
    clusters.
    Source: Spearman, "The proof and measurement of association between two things", 1904; van der Vaart, "Asymptotic
    Statistics", 1998, section 3.1 (the standard error).

    >>> from temper.core.schema import Schema
    >>> from temper.monitoring.reference import Reference
    >>> first = np.random.Generator(np.random.Philox(key=0)).normal(size=(4_000, 2))
    >>> rows = np.column_stack([first[:, 0], first.sum(axis=1)])
    >>> known, late = Reference.fit(rows[:2_000], Schema()), rows[2_000:].copy()
    >>> late[:, 1] = np.roll(late[:, 1], 500)
    >>> windows = [Window.of(known, one, np.arange(2_000)) for one in (rows[2_000:], late)]
    >>> [bool(RankCorrelation().compare(one).p[0] < 1e-9) for one in windows]
    [False, True]
    """

    least: float = 0.2

    def compare(self, window: Window) -> Moved:
        """How much the correlation has changed that changed most surely; all columns together."""
        known = window.reference
        numbers = np.flatnonzero(~known.cells.category)
        before, now = (known.ranks(one.rows)[:, numbers] for one in (known.sample, window.sample))
        value, p = _changed(before, now, self.least) if min(len(before), len(now)) >= _FEWEST else (np.nan, 1.0)
        return Moved(columns=np.array([TOGETHER]), values=np.array([value]), p=np.array([p]))


def _changed(before: Array, now: Array, least: float) -> tuple[float, float]:
    """The change of the pair that is surest, and its p times the number of pairs; NaN without a pair."""
    from scipy.special import erfc

    varies = np.array([_tails(one) <= _TAILS for one in (before, now)]).all(axis=0)
    (old, old_error), (new, new_error) = (_correlations(one[:, varies]) for one in (before, now))
    pairs = np.triu_indices(len(old), 1)
    if not len(pairs[0]):
        return float("nan"), 1.0
    apart = (new - old)[pairs]
    error = np.sqrt(old_error + new_error)[pairs]
    sure = np.where(np.abs(apart) >= least, np.abs(apart) / np.maximum(error, TOLERANCE), 0.0)
    first = int(np.argmax(sure))
    return float(apart[first]), float(min(1.0, len(apart) * erfc(sure[first] / np.sqrt(2.0))))


def _correlations(rows: Array) -> tuple[Array, Array]:
    """Pearson's (d, d) of these places, and the squares of their standard errors."""
    u, n = _standard(rows), len(rows)
    r, squares = u.T @ u / n, u**2
    fourth, cubes = squares.T @ squares / n, (u**3).T @ u / n
    tails = np.diag(fourth)
    own = fourth - r * (cubes + cubes.T) + r**2 / 4.0 * (tails[:, None] + tails[None, :] + 2.0 * fourth)
    return r, np.maximum(own, 1.0 / n) / n


def _tails(rows: Array) -> Array:
    """The kurtosis of each column, infinite for one that does not vary."""
    u = _standard(rows)
    return np.where(u.any(axis=0), (u**4).mean(axis=0), np.inf)


def _standard(rows: Array) -> Array:
    u = rows - rows.mean(axis=0)
    spread = u.std(axis=0)
    return np.asarray(np.where(spread > TOLERANCE, u / np.maximum(spread, TOLERANCE), 0.0))


PLUGIN = RankCorrelation
