"""Detectors, each of which breaks one law; `Honest` breaks none."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.core.detector import Signal
from temper.testing import detector

CALLS = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """How far ordinary rows go, and how many rows there were."""

    low: Any
    high: Any
    rows: int = 0
    kept: Any = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """Alarms outside the range of ordinary rows, and at gaps."""

    def fit(self, x: Any, schema: Any) -> Seen:
        return Seen(low=np.nanmin(x, axis=0) - 9.0, high=np.nanmax(x, axis=0) + 9.0)

    def step(self, state: Seen, batch: Any) -> tuple[Seen, Signal]:
        outside = ~((batch >= state.low) & (batch <= state.high)) & ~np.isnan(batch)
        values = outside.sum(axis=1).astype(float)
        alarms = values > 0
        signal = Signal(values=values, alarms=alarms, reason="outside" if alarms.any() else "")
        return replace(state, rows=state.rows + len(batch)), signal


class Nervous(Honest):
    """Alarms at everything."""

    def step(self, state: Seen, batch: Any) -> tuple[Seen, Signal]:
        return state, Signal(values=np.ones(len(batch)), alarms=np.ones(len(batch), bool), reason="who knows")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hasty(Honest):
    """Alarms twice as often as was chosen."""

    one_false_alarm_per: int = 1_000_000

    def step(self, state: Seen, batch: Any) -> tuple[Seen, Signal]:
        values = np.arange(state.rows, state.rows + len(batch)) % (self.one_false_alarm_per // 2)
        alarms = values == self.one_false_alarm_per // 2 - 1
        signal = Signal(values=values.astype(float), alarms=alarms, reason="soon" if alarms.any() else "")
        return replace(state, rows=state.rows + len(batch)), signal


class Blind(Honest):
    """Alarms at nothing."""

    def step(self, state: Seen, batch: Any) -> tuple[Seen, Signal]:
        return state, Signal(values=np.zeros(len(batch)), alarms=np.zeros(len(batch), bool))


class Silent(Honest):
    """Does not say why."""

    def step(self, state: Seen, batch: Any) -> tuple[Seen, Signal]:
        state, signal = Honest.step(self, state, batch)
        return state, replace(signal, reason="")


class Forgetful(Honest):
    """Counts rows in an object that no file holds."""

    def fit(self, x: Any, schema: Any) -> Seen:
        return replace(Honest.fit(self, x, schema), kept=np.array([object()], dtype=object))


class Crowd(Honest):
    """Measures a row by its batch."""

    def step(self, state: Seen, batch: Any) -> tuple[Seen, Signal]:
        state, signal = Honest.step(self, state, batch)
        return state, replace(signal, values=signal.values + len(batch))


class Brittle(Honest):
    """Makes whole numbers of what is infinite."""

    def step(self, state: Seen, batch: Any) -> tuple[Seen, Signal]:
        [int(value) for value in batch.ravel()[:30] if value == value]
        return Honest.step(self, state, batch)


class Vague(Honest):
    """Gives values that are no numbers."""

    def step(self, state: Seen, batch: Any) -> tuple[Seen, Signal]:
        state, signal = Honest.step(self, state, batch)
        return state, replace(signal, values=np.where(np.isnan(batch).any(axis=1), np.nan, signal.values))


class Scribbles(Honest):
    """Fills gaps where they are."""

    def step(self, state: Seen, batch: Any) -> tuple[Seen, Signal]:
        batch[:, 0] = 0.0
        return Honest.step(self, state, batch)


class Hoards(Honest):
    """Keeps every value."""

    def step(self, state: Seen, batch: Any) -> tuple[Seen, Signal]:
        state, signal = Honest.step(self, state, batch)
        return replace(state, kept=np.concatenate([state.kept, signal.values])), signal


class Moody(Honest):
    """Says something else each time."""

    def step(self, state: Seen, batch: Any) -> tuple[Seen, Signal]:
        state, signal = Honest.step(self, state, batch)
        return state, replace(signal, values=signal.values + next(CALLS))


INNOCENT = Honest
BITES = {
    detector.law_ordinary_rows_rarely_alarm: (Nervous,),
    detector.law_false_alarms_are_as_rare_as_chosen: (Hasty,),
    detector.law_something_alarms: (Blind,),
    detector.law_says_why: (Silent,),
    detector.law_a_state_is_a_value: (Forgetful,),
    detector.law_one_row_is_like_many: (Crowd,),
    detector.law_copes_with_anything: (Brittle, Vague),
    detector.law_leaves_inputs_alone: (Scribbles,),
    detector.law_a_state_is_bounded: (Hoards,),
    detector.law_same_rows_same_signals: (Moody,),
}
