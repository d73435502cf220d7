"""Amounts in another currency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import features, level, only, table
from temper.stress._strike import follow


@dataclass(frozen=True, slots=True, kw_only=True)
class Currency:
    """All amounts of a row arrive in another currency: multiplied by one rate of exchange.

    Severity 1-5: 2 % of rows at 1.1, 5 % at 1.1, 10 % at 4, 20 % at 20, 40 % at 150 (round figures for currencies that
    are close, a few times smaller, and small). `columns` are the amounts; without them every number that is not a whole
    number. Ranges are not respected.
    Misleads without `columns` where numbers are not money: rates, distances and shares have no currency.
    Source: Schelter, Rukat & Biessmann, "JENGA: a framework to study the impact of data errors", 2021 (scaling errors).

    >>> x = Currency().apply(np.ones((1000, 3)), 3, Draws(0, "currency"))
    >>> np.unique(x.sum(axis=1))
    array([ 3., 12.])
    """

    shares: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.4)
    rates: tuple[float, ...] = (1.1, 1.1, 4.0, 20.0, 150.0)
    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d) with all amounts of some rows in another currency."""
        out, rate = table(x), level(self.rates, severity)
        found = features(self.schema, out, self.columns)
        money = [f for f in found if f.numeric and (self.columns or f.column.type == "number")]
        rows = np.flatnonzero(np.asarray(rng.uniform(np.arange(len(out)), 0)) < level(self.shares, severity))
        for feature in only(found, money, "column of amounts"):
            out[rows, feature.at[0]] *= rate
        return follow(self.schema, out, x)


PLUGIN = Currency
