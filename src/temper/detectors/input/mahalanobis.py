"""Rows far from the middle of ordinary rows, as these vary together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.detector import Signal
from temper.core.schema import Schema
from temper.detectors._ordinary import categories, halves, none, served
from temper.kernels.conformal import Threshold, threshold
from temper.kernels.whitened import Whitened, distances, whitened

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """The shape of ordinary rows, and the distance few of them exceed."""

    shape: Whitened
    limit: Threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Mahalanobis:
    """Alarms at rows whose whitened distance from the mean is one that at most `rate` of ordinary rows have.

    Sees rows whose columns do not go together. Half of the rows it is fitted on set the threshold only. A gap counts as
    the mean where gaps occur, else as infinitely far. Misleads where ordinary rows form heaps far apart.
    Source: Mahalanobis, "On the generalised distance in statistics", 1936; Ledoit & Wolf, 2004 (shrinkage).

    >>> rows = np.random.Generator(np.random.Philox(key=0)).normal(size=(4_000, 3))
    >>> watch = Mahalanobis(rate=0.01)
    >>> watch.step(watch.fit(rows, Schema()), np.array([[0.0, 0, 0], [9, 9, 9]]))[1].alarms
    array([False,  True])
    """

    rate: float = 0.001

    def fit(self, x: Array, schema: Schema) -> Fitted:
        """Shape of one half of the rows, threshold from the other."""
        rows, held_out = halves(x, schema)
        shape = whitened(rows, categories(schema, rows.shape[1]))
        return Fitted(shape=shape, limit=threshold(distances(shape, held_out)[0], self.rate))

    def step(self, state: Fitted, batch: Array) -> tuple[Fitted, Signal]:
        """The mean squared whitened distance of each row."""
        values, largest = distances(state.shape, served(batch, len(state.shape.columns)))
        if largest <= state.limit.value:
            return state, Signal(values=values, alarms=none(len(values)))
        alarms = values > state.limit.value
        limit = state.limit
        beyond = f"{limit.rate:.2%} of rows are beyond {limit.value:,.0f}"
        reason = f"as a whole unlike the training rows: squared distance {largest:,.0f}, {beyond}"
        return state, Signal(values=values, alarms=alarms, reason=reason)


PLUGIN = Mahalanobis
