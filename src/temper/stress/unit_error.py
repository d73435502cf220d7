"""Quantities in the wrong unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import faulty, level, numbers, table
from temper.stress._strike import follow


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitError:
    """One quantity of a row arrives in the wrong unit: 10, 100 or 1000 times too large.

    Severity 1-5: 1 % of rows x10, 2 % x10, 5 % x100, 10 % x100, 20 % x1000; each such row has one wrong column, drawn
    at random. Ranges are not respected, since a wrong unit does not respect them.
    Misleads where an earlier check refuses values out of range: then the fault never reaches the model.
    Source: Schelter, Rukat & Biessmann, "JENGA: a framework to study the impact of data errors", 2021 (scaling errors).

    >>> x = UnitError().apply(np.ones((1000, 3)), 3, Draws(0, "unit_error"))
    >>> np.unique(x)
    array([  1., 100.])
    """

    shares: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2)
    factors: tuple[float, ...] = (10.0, 10.0, 100.0, 100.0, 1000.0)
    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d) with at most one wrong quantity per row."""
        out = table(x)
        numeric = numbers(self.schema, out, self.columns)
        which = faulty(rng, len(out), level(self.shares, severity), len(numeric))
        rows = np.flatnonzero(which >= 0)
        out[rows, np.array([feature.at[0] for feature in numeric])[which[rows]]] *= level(self.factors, severity)
        return follow(self.schema, out, x)


PLUGIN = UnitError
