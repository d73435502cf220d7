"""Rows that arrive twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import level, table


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicated:
    """A row arrives a second time in the place of the one that should follow it: a retry, or a join off by one.

    Severity 1-5: 1, 5, 10, 25, 50 % of rows hold what the row before them holds. The truth stays with its place, so
    the decision about the row that was pushed out is made on a stranger's values.
    Misleads where a copy comes in addition: a model that judges each row alone says the same of it again, and what
    suffers is whoever counts rows.
    Source: Breck et al., "Data validation for machine learning", 2019 (unexpected numbers of examples).

    >>> Duplicated(shares=(1, 1, 1, 1, 1)).apply(np.arange(4.0)[:, None], 1, Draws(0, "duplicated")).ravel()
    array([0., 0., 1., 2.])
    """

    shares: tuple[float, ...] = (0.01, 0.05, 0.1, 0.25, 0.5)
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d), rows in order, some of which are the row before them."""
        clean = table(x)
        out, rows = clean.copy(), np.arange(1, len(clean))
        hit = rows[np.asarray(rng.uniform(rows, 0)) < level(self.shares, severity)]
        out[hit] = clean[hit - 1]
        return out


PLUGIN = Duplicated
