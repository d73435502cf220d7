"""Rows in which other values are missing than ever were before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from temper.core.detector import Signal
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.detectors._ordinary import halves, none, served
from temper.kernels.conformal import Threshold, threshold

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """The patterns of gaps by their keys, sorted, with how strange each is, and last one that is not there; `marks`
    (d,) make the key of a pattern.
    """

    marks: Array
    patterns: Array
    known: Array
    limit: Threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Alarms at patterns of missing values that at most `rate` of ordinary rows have.

    Which values are there, not which they are. Misleads where a gap is itself ordinary news (a sensor that fails for
    the first time), and sees nothing where unseen patterns are commoner than `rate`.
    Source: Rubin, "Inference and missing data", 1976 (the pattern of missing values as data of its own).

    >>> rows = np.where(np.arange(4_000)[:, None] % 2 < [0, 1], np.nan, 1.0)
    >>> watch = Missing(rate=0.01)
    >>> watch.step(watch.fit(rows, Schema()), np.array([[1.0, np.nan], [np.nan, 1.0]]))[1].alarms
    array([False,  True])
    """

    rate: float = 0.001

    def fit(self, x: Array, schema: Schema) -> Fitted:
        """Patterns of one half of the rows, threshold from the other."""
        from temper.kernels._jit_gaps import keys

        rows, held_out = halves(x, schema)
        marks = Draws(0, "detectors.missing").generator().integers(2**63, size=rows.shape[1], dtype=np.uint64)
        found = np.empty(len(rows), np.uint64)
        keys(rows, marks, found)
        patterns, counts = np.unique(found, return_counts=True)
        known = -np.log(np.append(counts, 0.5) / len(rows))
        limit = threshold(_strange(marks, patterns, known, held_out)[0], self.rate)
        return Fitted(marks=marks, patterns=patterns, known=known, limit=limit)

    def step(self, state: Fitted, batch: Array) -> tuple[Fitted, Signal]:
        """Minus the logarithm of the share of each row's pattern."""
        values, largest = _strange(state.marks, state.patterns, state.known, served(batch, len(state.marks)))
        if largest <= state.limit.value:
            return state, Signal(values=values, alarms=none(len(values)))
        alarms = values > state.limit.value
        gaps = int(np.isnan(batch[int(np.argmax(values))]).sum())
        reason = f"{gaps} values are missing in a way that less than {state.limit.rate:g} of rows have"
        return state, Signal(values=values, alarms=alarms, reason=reason)


def _strange(marks: Array, patterns: Array, known: Array, x: Array) -> tuple[Array, float]:
    """How strange (n,) each pattern is, minus the logarithm of its share; and the strangest."""
    out = np.empty(len(x))
    return out, _compiled()(x, marks, patterns, known, out)


@cache  # an import statement costs half as much as the row
def _compiled() -> Any:
    from temper.kernels._jit_gaps import strange

    return strange


PLUGIN = Missing
