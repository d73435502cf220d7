"""Scores that are no scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.detector import Signal
from temper.core.schema import Schema
from temper.detectors._ordinary import none

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Range:
    """What a score may be."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sane:
    """Alarms at scores that are not finite or lie outside [`low`, `high`].

    Without limits it takes 0 and 1 where all scores it is fitted on lie there, else their range and as much again to
    either side. Its rows are scores, (n, 1) or (n, classes). Misleads about wrong scores that look like right ones:
    those take known rows whose answers are known.
    Source: Breck et al., "The ML test score: a rubric for ML production readiness", 2017 (checks of serving).

    >>> watch = Sane(low=0.0, high=1.0)
    >>> watch.step(watch.fit(np.array([[0.5]]), Schema()), np.array([[0.2], [np.nan], [1.5]]))[1].alarms
    array([False,  True,  True])
    """

    low: float | None = None
    high: float | None = None

    def fit(self, x: Array, schema: Schema) -> Range:
        """The limits, given or taken from these scores."""
        low, high = float(np.min(x)), float(np.max(x))
        low, high = (0.0, 1.0) if low >= 0.0 and high <= 1.0 else (2.0 * low - high, 2.0 * high - low)
        return Range(low=low if self.low is None else self.low, high=high if self.high is None else self.high)

    def step(self, state: Range, batch: Array) -> tuple[Range, Signal]:
        """How far each row's scores lie outside the limits."""
        if batch.size and state.low <= batch.min() and batch.max() <= state.high:  # not so where one is no number
            return state, Signal(values=np.zeros(len(batch)), alarms=none(len(batch)))
        outside = np.maximum(batch - state.high, state.low - batch).max(axis=1, initial=-np.inf)
        values = np.where(np.isnan(outside), np.inf, np.maximum(outside, 0.0))
        alarms = values > 0.0
        reason = f"a score is not a number in [{state.low:g}, {state.high:g}]" if alarms.any() else ""
        return state, Signal(values=values, alarms=alarms, reason=reason)


PLUGIN = Sane
