"""Rows with values far in the tails of their columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.detector import Signal
from temper.core.schema import Schema
from temper.detectors._ordinary import categories, halves, none, served
from temper.kernels.conformal import Threshold, threshold
from temper.kernels.ecod import Tails, tail_scores, tails

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """The tails of ordinary rows, and the score few of them exceed."""

    table: Tails
    limit: Threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Ecod:
    """Alarms at rows whose values together lie farther out in their columns' tails than all but `rate` of ordinary
    rows.

    The tails are a table fitted once, so that a row's score depends on nothing but the row; beyond the values seen
    they go on straight. Half of the rows it is fitted on set the threshold only. Misleads where values are usual one
    by one and strange together.
    Source: Li et al., "ECOD: Unsupervised outlier detection using empirical cumulative distribution functions", 2022.

    >>> rows = np.random.Generator(np.random.Philox(key=0)).normal(size=(4_000, 3))
    >>> watch = Ecod(rate=0.01)
    >>> watch.step(watch.fit(rows, Schema()), np.array([[0.0, 0, 0], [9, 9, 9]]))[1].alarms
    array([False,  True])
    """

    rate: float = 0.001

    def fit(self, x: Array, schema: Schema) -> Fitted:
        """Tails of one half of the rows, threshold from the other."""
        rows, held_out = halves(x, schema)
        table = tails(rows, categories(schema, rows.shape[1]))
        return Fitted(table=table, limit=threshold(tail_scores(table, held_out)[0], self.rate))

    def step(self, state: Fitted, batch: Array) -> tuple[Fitted, Signal]:
        """The largest sum of -log tail probabilities of each row."""
        values, largest = tail_scores(state.table, served(batch, len(state.table.columns)))
        if largest <= state.limit.value:
            return state, Signal(values=values, alarms=none(len(values)))
        alarms = values > state.limit.value
        limit = state.limit
        reason = (
            f"values far out in their columns: {largest:,.0f} by ECOD, {limit.rate:.2%} of rows are beyond "
            f"{limit.value:,.0f}"
        )
        return state, Signal(values=values, alarms=alarms, reason=reason)


PLUGIN = Ecod
