"""Features that arrive late."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import faulty, features, level, only, table
from temper.stress._strike import follow


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """One feature of a row is late: it still has the value of k rows earlier.

    Severity 1-5: 5, 10, 20, 40, 80 % of rows, k = 1, 5, 25, 125, 625; each such row has one late feature, drawn at
    random; before the k-th row the oldest known value is used. Rows must be in the order of time.
    Misleads when rows are not in that order, or when every row is another customer: then the late value is a
    stranger's, which is worse than the same customer's older value.
    Source: Breck et al., "Data validation for machine learning", 2019 (stale features and training/serving skew).

    >>> late = Stale(shares=(1, 1, 1, 1, 1), lags=(2, 2, 2, 2, 2))
    >>> late.apply(np.arange(5.0)[:, None], 1, Draws(0, "stale")).ravel()
    array([0., 0., 0., 1., 2.])
    """

    shares: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4, 0.8)
    lags: tuple[int, ...] = (1, 5, 25, 125, 625)
    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d), rows in order, with at most one late feature per row."""
        clean = table(x)
        out, lag = clean.copy(), int(level(self.lags, severity))
        found = features(self.schema, clean, self.columns)
        which = faulty(rng, len(out), level(self.shares, severity), len(only(found, found, "column")))
        for number, feature in enumerate(found):
            late = np.flatnonzero(which == number)
            out[np.ix_(late, feature.where)] = clean[np.ix_(np.maximum(late - lag, 0), feature.where)]
        return follow(self.schema, out, clean)


PLUGIN = Stale
