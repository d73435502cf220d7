"""A distance of distributions that is between nought and one for every column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.moved import Moved
from temper.kernels import drift
from temper.monitoring.reference import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class JensenShannon:
    """Jensen and Shannon's distance over bins of equal share of the reference, categories being bins.

    Without drift its square is about a chi-squared variable, which gives p. Misleads as a number: it depends on how
    many rows there are. Blind to the order of bins.
    Source: Lin, "Divergence measures based on the Shannon entropy", 1991.

    >>> from temper.core.schema import Schema
    >>> from temper.monitoring.reference import Reference
    >>> rows = np.random.Generator(np.random.Philox(key=0)).normal(size=(4_000, 2))
    >>> known = Reference.fit(rows[:2_000], Schema())
    >>> found = JensenShannon().compare(Window.of(known, rows[2_000:] * [1.0, 1.5], np.arange(2_000)))
    >>> bool(found.p[0] > 0.01), bool(found.p[1] < 1e-6)
    (True, True)
    """

    bins: int = 10

    def compare(self, window: Window) -> Moved:
        """The distance, in [0, 1]."""
        known = window.reference
        values, p = drift.jensen_shannon(known.cells, known.tally, window.tally, self.bins)
        return Moved(columns=np.arange(len(values)), values=values, p=p)


PLUGIN = JensenShannon
