"""Values in each other's column."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import faulty, level, numbers, table
from temper.stress._strike import follow


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped:
    """Two quantities of a row stand in each other's column: a file whose columns moved, a form filled in wrongly.

    Severity 1-5: 1, 5, 10, 25, 50 % of rows; each such row has one pair of neighbouring quantities swapped, drawn at
    random. `columns` limits it to these, neighbours in the order of the schema. Ranges are not respected.
    Misleads where the columns that are mixed up are not neighbours: name the two.
    Source: Schelter, Rukat & Biessmann, "JENGA: a framework to study the impact of data errors", 2021 (swapped values).

    >>> Swapped(shares=(1, 1, 1, 1, 1)).apply(np.array([[1.0, 2.0]]), 1, Draws(0, "swapped"))
    array([[2., 1.]])
    """

    shares: tuple[float, ...] = (0.01, 0.05, 0.1, 0.25, 0.5)
    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d) in which some rows have two values swapped."""
        clean = table(x)
        out, found = clean.copy(), numbers(self.schema, clean, self.columns)
        if len(found) < 2:
            raise Unsupported(f"{found[0].name} has no other quantity to be swapped with")
        which = faulty(rng, len(out), level(self.shares, severity), len(found) - 1)
        for number, (one, other) in enumerate(pairwise(found)):
            rows = np.flatnonzero(which == number)
            out[rows, one.at[0]], out[rows, other.at[0]] = clean[rows, other.at[0]], clean[rows, one.at[0]]
        return follow(self.schema, out, clean)


PLUGIN = Swapped
