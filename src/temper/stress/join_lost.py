"""A join that fails: all columns of one feed are empty together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import features, half, level, table
from temper.stress._strike import fill, follow


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinLost:
    """A join finds no partner: in some rows every column of one feed is empty at once.

    Severity 1-5: 1, 5, 10, 25, 50 % of the rows. `columns` are the feed; without them it is half of the columns, drawn
    once per seed. A missing one-hot group is all zeros, any other value NaN.
    Misleads where the drawn half is no feed of yours: name the columns that come together.
    Source: Schelter, Rukat & Biessmann, "JENGA: a framework to study the impact of data errors", 2021 (missing values).

    >>> x = JoinLost(columns=("0", "1")).apply(np.ones((4, 3)), 5, Draws(1, "join_lost"))
    >>> np.unique(np.isnan(x).sum(axis=1))
    array([0, 2])
    """

    shares: tuple[float, ...] = (0.01, 0.05, 0.1, 0.25, 0.5)
    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d) without the feed in some rows; the same rows and more at a higher severity."""
        share, out = level(self.shares, severity), table(x)
        found = features(self.schema, out, self.columns)
        rows = np.flatnonzero(np.asarray(rng.uniform(np.arange(len(out)), 0)) < share)
        for feature in found if self.columns else half(found, rng):
            fill(out, rows, feature, feature.empty)
        return follow(self.schema, out, x)


PLUGIN = JoinLost
