"""Shares of categories, or of bins, that have changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.moved import Moved
from temper.kernels import drift
from temper.monitoring.reference import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class GTest:
    """The likelihood-ratio test of every column, two samples against each other: categories, and bins of equal share.

    Both sides are samples and rare kinds are counted together, so a reference of many levels raises nothing by itself.
    Misleads where rows come in clusters (many of one customer): they count as independent. Blind to the order of bins.
    Source: Wilks, "The likelihood test of independence in contingency tables", 1935; Williams, 1976 (the correction).

    >>> from temper.core.schema import Schema
    >>> from temper.monitoring.reference import Reference
    >>> rows = np.random.Generator(np.random.Philox(key=0)).normal(size=(4_000, 2))
    >>> known = Reference.fit(rows[:2_000], Schema())
    >>> found = GTest().compare(Window.of(known, rows[2_000:] * [1.0, 1.5], np.arange(2_000)))
    >>> bool(found.p[0] > 0.01), bool(found.p[1] < 1e-6)
    (True, True)
    """

    bins: int = 10

    def compare(self, window: Window) -> Moved:
        """Cramer's V, in [0, 1]."""
        known = window.reference
        values, p = drift.g_test(known.cells, known.tally, window.tally, self.bins)
        return Moved(columns=np.arange(len(values)), values=values, p=p)


PLUGIN = GTest
