"""Numbers that stand for "no value"."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import level, numbers, table
from temper.stress._strike import follow, strikes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentinel:
    """A source writes a number where it has no value: -999, -1, 0, 9999 or the day 9999-12-31 as 99991231.

    Severity 1-5 hits 1, 5, 10, 20, 40 % of the values of each quantity. Each column has one of the `codes`, drawn once
    per seed, as each source has one habit; ranges are not respected.
    Misleads where a loader turns these codes into missing values: then `missing` is what the model meets.
    Source: Breck et al., "Data validation for machine learning", 2019 (values outside a feature's domain).

    >>> import numpy as np
    >>> x = Sentinel(codes=(-999.0,)).apply(np.ones((1000, 2)), 5, Draws(0, "sentinel"))
    >>> np.unique(x)
    array([-999.,    1.])
    """

    shares: tuple[float, ...] = (0.01, 0.05, 0.1, 0.2, 0.4)
    codes: tuple[float, ...] = (-999.0, -1.0, 0.0, 9999.0, 99991231.0)
    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d) with codes for missing values in its quantities."""
        share, out = level(self.shares, severity), table(x)
        found = numbers(self.schema, out, self.columns)
        for feature, rows in strikes(rng, len(out), found, share):
            out[rows, feature.at[0]] = self.codes[rng.child(feature.name).integer() % len(self.codes)]
        return follow(self.schema, out, x)


PLUGIN = Sentinel
