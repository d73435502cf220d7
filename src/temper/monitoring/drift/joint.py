"""Rows that differ as wholes, though every column by itself may look as before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.moved import TOGETHER, Moved
from temper.kernels.mean_discrepancy import mean_discrepancy
from temper.monitoring.reference import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanDiscrepancy:
    """The kernel mean discrepancy of samples of rows, over all columns at once.

    A Gaussian kernel of the median distance, columns by their ranks in the reference and a gap in the middle; p by
    exchanging rows of both samples, the observed split among them, so it is never nought. Blind to what few rows do,
    and to changes of which the samples (500 rows) are too few; misleads where rows come in clusters.
    Source: Gretton et al., "A kernel two-sample test", 2012.

    >>> from temper.core.schema import Schema
    >>> from temper.monitoring.reference import Reference
    >>> rows = np.random.Generator(np.random.Philox(key=0)).normal(size=(4_000, 2))
    >>> known = Reference.fit(rows[:2_000], Schema())
    >>> turned = np.column_stack([rows[2_000:, 0], rows[2_000:, 0]])
    >>> bool(MeanDiscrepancy().compare(Window.of(known, turned, np.arange(2_000))).p[0] < 0.01)
    True
    """

    exchanges: int = 999

    def compare(self, window: Window) -> Moved:
        """The unbiased squared discrepancy; all columns together."""
        known = window.reference
        first, second = (known.ranks(one.rows) for one in (known.sample, window.sample))
        if min(len(first), len(second)) < 2 or not first.shape[1]:
            return Moved(columns=np.array([TOGETHER]), values=np.array([np.nan]), p=np.array([1.0]))
        value, p = mean_discrepancy(first, second, self.exchanges)
        return Moved(columns=np.array([TOGETHER]), values=np.array([value]), p=np.array([p]))


PLUGIN = MeanDiscrepancy
