"""Clocks that are wrong, and times of another zone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.schema import Column, Schema
from temper.core.seed import Draws
from temper.stress._choice import features, level, table
from temper.stress._strike import follow


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSkew:
    """Times are some hours late: a clock that was set wrong, or local time read as that of another zone.

    Severity 1-5: 5, 10, 20, 40, 80 % of rows by 1, 1, 2, 6, 11 hours; all times of such a row move together, and what
    passes midnight moves the day of the week. Which columns are times is declared: `hours` (0 to 23), `weekdays` (0 to
    6), `timestamps` (in seconds, or `second` units to the second). Where nothing is declared, a whole number from 0 to
    23 is taken for an hour.
    Misleads where a column derives from the time and its formula is not in the schema: it stays as it was.
    Source: Breck et al., "Data validation for machine learning", 2019 (training/serving skew).

    >>> skewed = ClockSkew(hours=("0",), weekdays=("1",), shares=(1, 1, 1, 1, 1))
    >>> skewed.apply(np.array([[23.0, 6.0], [8.0, 6.0]]), 1, Draws(0, "clock_skew"))
    array([[0., 0.],
           [9., 6.]])
    """

    shares: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4, 0.8)
    late: tuple[float, ...] = (1.0, 1.0, 2.0, 6.0, 11.0)
    hours: tuple[str, ...] = ()
    weekdays: tuple[str, ...] = ()
    timestamps: tuple[str, ...] = ()
    second: float = 1.0
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d) in which some rows are hours late; `Unsupported` where no column is a time."""
        out, late = table(x), level(self.late, severity)
        hours, weekdays, timestamps = self._times(out)
        rows = np.flatnonzero(np.asarray(rng.uniform(np.arange(len(out)), 0)) < level(self.shares, severity))
        passed = np.zeros(len(rows), dtype=bool)
        for at in hours:
            moved = out[rows, at] + late
            passed |= moved >= 24
            out[rows, at] = np.mod(moved, 24)
        for at in weekdays:
            out[rows, at] = np.where(passed, np.mod(out[rows, at] + 1, 7), out[rows, at])
        for at in timestamps:
            out[rows, at] += late * 3600 * self.second
        return follow(self.schema, out, x)

    def _times(self, out: np.ndarray[Any, Any]) -> list[list[int]]:
        """The positions of hours, weekdays and timestamps."""
        place = {feature.name: feature.at[0] for feature in features(self.schema, out)}
        told = (self.hours, self.weekdays, self.timestamps)
        for name in (name for names in told for name in names):
            features(self.schema, out, (name,))  # refuses a name that is not there
        if any(told):
            return [[place[name] for name in names] for names in told]
        found = [feature.at[0] for feature in features(self.schema, out) if _hour(feature.column)]
        if not found:
            raise Unsupported("no column is declared as a time", fix="name them: `hours`, `weekdays`, `timestamps`")
        return [found, [], []]


def _hour(column: Column) -> bool:
    return column.type == "integer" and (column.low, column.high) == (0, 23)


PLUGIN = ClockSkew
