"""Features that have stopped moving."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import features, half, level, table
from temper.stress._strike import follow


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """A feed has stopped: from some row on its columns hold the last value they had.

    Severity 1-5: over the last 5, 10, 20, 40, 80 % of the rows. `columns` are the feed; without them it is half of the
    columns, drawn once per seed. Rows must be in the order of time.
    Misleads when rows are not in that order, or when every row is another customer: then the held value is a
    stranger's.
    Source: Breck et al., "Data validation for machine learning", 2019 (stale features and training/serving skew).

    >>> Frozen(columns=("0",)).apply(np.arange(5.0)[:, None], 4, Draws(0, "frozen")).ravel()
    array([0., 1., 2., 2., 2.])
    """

    shares: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4, 0.8)
    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d), rows in order, whose last rows repeat the values from before them."""
        clean = table(x)
        out, share = clean.copy(), level(self.shares, severity)
        found = features(self.schema, clean, self.columns)
        start = max(len(out) - int(np.ceil(share * len(out))), 1)
        for feature in found if self.columns else half(found, rng):
            out[start:, feature.where] = clean[start - 1 : start, feature.where]
        return follow(self.schema, out, clean)


PLUGIN = Frozen
