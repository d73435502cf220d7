"""Which stratum a row belongs to, by its values in a few columns; all strata with too few rows are one. Each may be cut
by the hour of the week, which pools nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
HOURS = 168


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strata:
    """`columns` (k,) say where the values stand, `levels` (k, most) which there are, `known` (s,) the codes of strata
    1 to s; stratum 0 is everything else.
    """

    columns: Array
    levels: Array
    known: Array

    @property
    def many(self) -> int:
        """Strata, the pooled one included."""
        return len(self.known) + 1


def strata(x: Array, columns: Array, fewest: int) -> Strata:
    """The combinations of values with `fewest` rows of x (n, d) or more.

    >>> cut = strata(np.array([[0.0], [0.0], [7.0]]), np.array([0]), 2)
    >>> stratum(cut, np.array([[0.0], [7.0], [9.0], [np.nan]]))
    array([1, 0, 0, 0])
    """
    seen = [np.unique(x[np.isfinite(x[:, at]), at]) for at in columns]
    levels = np.full((len(columns), max((len(one) for one in seen), default=0)), np.inf)
    for at, one in enumerate(seen):
        levels[at, : len(one)] = one
    found = Strata(columns=np.asarray(columns, dtype=np.int64), levels=levels, known=np.zeros(0, dtype=np.int64))
    codes, count = np.unique(_codes(found, x), return_counts=True)
    known = codes[(count >= fewest) & (codes >= 0)]
    return Strata(columns=found.columns, levels=levels, known=known)


def stratum(cut: Strata, x: Array) -> Array:
    """The number of each row's stratum (n,)."""
    if not len(cut.known):
        return np.zeros(len(x), dtype=np.int64)
    codes = _codes(cut, x)
    place = np.minimum(np.searchsorted(cut.known, codes), len(cut.known) - 1)
    return np.where(cut.known[place] == codes, place + 1, 0)


def hourly(number: Array, hour: Array) -> Array:
    """The strata (n,) of `number` cut by the `hour` (n,) of the week, 0 to 167; what is no hour has a part of its own.

    >>> hourly(np.array([0, 0, 0, 1]), np.array([0.0, 167.0, np.nan, 0.0]))
    array([  0, 167, 168, 169])
    """
    known = (hour >= 0) & (hour < HOURS)
    return number * (HOURS + 1) + np.where(known, hour, HOURS).astype(np.int64)


def _codes(cut: Strata, x: Array) -> Array:
    """One number per combination of levels, -1 where a value is none of them, and for all rows without any columns."""
    code = np.full(len(x), 0 if len(cut.columns) else -1, dtype=np.int64)
    most = cut.levels.shape[1]
    for at, column in enumerate(cut.columns):
        place = np.minimum(np.searchsorted(cut.levels[at], x[:, column]), max(most - 1, 0))
        here = cut.levels[at, place] == x[:, column] if most else np.zeros(len(x), dtype=bool)
        code = np.where(here & (code >= 0) & np.isfinite(x[:, column]), code * most + place, -1)
    return code
