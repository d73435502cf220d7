"""A detector of rows with a value far from the middle of its column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.detector import Signal
from temper.core.schema import Schema
from temper.kernels.conformal import Threshold, threshold

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """The median and the spread of every column (d,), and how far is too far."""

    middle: Array
    spread: Array
    limit: Threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Far:
    """Alarms where a value lies farther from its column's median, in median absolute deviations, than in all but `rate`
    of ordinary rows.

    Looks at columns one by one. Misleads about strange combinations of ordinary values, which it never sees.
    Source: Leys et al., "Detecting outliers: do not use standard deviation around the mean, use absolute deviation
    around the median", 2013.

    >>> rows = np.random.Generator(np.random.Philox(key=0)).normal(size=(4_000, 2))
    >>> watch = Far()
    >>> watch.step(watch.fit(rows, Schema()), np.array([[0.0, 1.0], [0.0, 90.0]]))[1].alarms
    array([False,  True])
    """

    rate: float = 0.001

    def fit(self, x: Array, schema: Schema) -> Fitted:
        """Middle and spread of every second row, the threshold from the others."""
        rows, held_out = x[::2], x[1::2]
        middle = np.nanmedian(rows, axis=0)
        spread = np.nanmedian(np.abs(rows - middle), axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        return Fitted(middle=middle, spread=spread, limit=threshold(_distance(held_out, middle, spread), self.rate))

    def step(self, state: Fitted, batch: Array) -> tuple[Fitted, Signal]:
        """The farthest value of each row; one that is missing is nowhere."""
        values = _distance(batch, state.middle, state.spread)
        alarms = values > state.limit.value
        reason = f"a value lies {values.max():.3g} deviations from the middle of its column" if alarms.any() else ""
        return state, Signal(values=values, alarms=alarms, reason=reason)


def _distance(rows: Array, middle: Array, spread: Array) -> Array:
    far = np.abs(np.asarray(rows, dtype=np.float64) - middle) / spread
    found: Array = np.where(np.isnan(far), 0.0, far).max(axis=1, initial=0.0)
    return found


PLUGIN = Far
