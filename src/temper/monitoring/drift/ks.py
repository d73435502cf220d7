"""Numbers whose distribution has moved anywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.moved import Moved
from temper.kernels import drift
from temper.monitoring.reference import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class KolmogorovSmirnov:
    """Kolmogorov and Smirnov's two-sample test of every column of numbers: the largest distance of the distributions.

    Misleads where a window is large: it then finds what is too small to matter, so look at the distance. Sees little of
    what moves only far out.
    Source: Smirnov, "Table for estimating the goodness of fit of empirical distributions", 1948.

    >>> from temper.core.schema import Schema
    >>> from temper.monitoring.reference import Reference
    >>> rows = np.random.Generator(np.random.Philox(key=0)).normal(size=(4_000, 2))
    >>> known = Reference.fit(rows[:2_000], Schema())
    >>> found = KolmogorovSmirnov().compare(Window.of(known, rows[2_000:] + [0.0, 0.5], np.arange(2_000)))
    >>> found.columns[found.p < 1e-6]
    array([1])
    """

    def compare(self, window: Window) -> Moved:
        """The distance, in [0, 1]."""
        known = window.reference
        columns = np.flatnonzero(~known.cells.category)
        values, p = drift.ks(known.cells, known.tally, window.tally)
        return Moved(columns=columns, values=values[columns], p=p[columns])


PLUGIN = KolmogorovSmirnov
