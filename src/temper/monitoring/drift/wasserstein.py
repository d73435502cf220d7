"""How far, in units of the column, values have moved on average."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.moved import Moved
from temper.kernels import drift
from temper.monitoring.reference import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Wasserstein:
    """The area between the distributions of every column of numbers, in its own units, within the reference's range.

    p is the share of areas that chance makes as large: a Brownian bridge along both samples, drawn 4,000 times, so it
    is never below 1/4001. Misleads where values lie beyond the reference: they count as its outermost ones, which is
    also why one wild row can neither raise nor blind it.
    Source: Vallender, "Calculation of the Wasserstein distance between probability distributions on the line", 1974;
    del Barrio, Gine & Matran, 1999 (the limit).

    >>> from temper.core.schema import Schema
    >>> from temper.monitoring.reference import Reference
    >>> rows = np.random.Generator(np.random.Philox(key=0)).normal(size=(4_000, 2))
    >>> known = Reference.fit(rows[:2_000], Schema())
    >>> found = Wasserstein().compare(Window.of(known, rows[2_000:] + [0.0, 0.5], np.arange(2_000)))
    >>> found.values.round(1), bool(found.p[1] < 0.001)
    (array([0. , 0.5]), True)
    """

    def compare(self, window: Window) -> Moved:
        """The area, in units of the column."""
        known = window.reference
        columns = np.flatnonzero(~known.cells.category)
        values, p = drift.wasserstein(known.cells, known.tally, window.tally)
        return Moved(columns=columns, values=values[columns], p=p[columns])


PLUGIN = Wasserstein
