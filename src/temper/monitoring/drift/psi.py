"""The population stability index, with a threshold that fits every number of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.moved import Moved
from temper.kernels import drift
from temper.monitoring.reference import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationStability:
    """The index over bins of equal share of the reference, categories being bins, and the p-value that goes with it.

    Misleads as a number: the customary limits of .1 and .25 are of no use by themselves, since of a hundred rows they
    alarm without any drift, and of a hundred thousand they see none. One wild row moves it like any other.
    Blind to the order of bins.
    Source: Yurdakul & Naranjo, "Statistical properties of the population stability index", 2020.

    >>> from temper.core.schema import Schema
    >>> from temper.monitoring.reference import Reference
    >>> rows = np.random.Generator(np.random.Philox(key=0)).normal(size=(4_000, 2))
    >>> known = Reference.fit(rows[:2_000], Schema())
    >>> found = PopulationStability().compare(Window.of(known, rows[2_000:] * [1.0, 1.5], np.arange(2_000)))
    >>> bool(found.p[0] > 0.01), bool(found.p[1] < 1e-6)
    (True, True)
    """

    bins: int = 10

    def compare(self, window: Window) -> Moved:
        """The index."""
        known = window.reference
        values, p = drift.psi(known.cells, known.tally, window.tally, self.bins)
        return Moved(columns=np.arange(len(values)), values=values, p=p)


PLUGIN = PopulationStability
