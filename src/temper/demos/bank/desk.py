"""The people who look at payments: so many hours a day, with a queue, and sometimes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.core.seed import Draws
from temper.demos.bank.world import Payments

Array = np.ndarray[Any, Any]
MINUTES = 6.0
"""Of one look."""
MISSES, WRONGS = 0.12, 0.03
"""Frauds that a look takes for honest, and honest payments that it takes for frauds."""
PATIENCE = 1
"""Days a customer waits for; then the payment goes through, whatever it is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Worked:
    """A day at the desk: whose payments (`day`, `place`) were looked at, and which of these are called fraud; which ran
    out, and how many still wait.
    """

    day: Array
    place: Array
    fraud: Array
    late_day: Array
    late_place: Array
    waiting: int

    @property
    def hours(self) -> float:
        """What it took."""
        return len(self.place) * MINUTES / 60.0


@dataclass(slots=True, kw_only=True, eq=False)
class Desk:
    """Looks at `most` payments a day, those that may cost most first, and knows the truth but for mistakes."""

    draws: Draws
    most: int
    _day: Array = field(default_factory=lambda: np.zeros(0, dtype=np.int64), init=False)
    _place: Array = field(default_factory=lambda: np.zeros(0, dtype=np.int64), init=False)
    _worth: Array = field(default_factory=lambda: np.zeros(0), init=False)
    _says: Array = field(default_factory=lambda: np.zeros(0, dtype=bool), init=False)

    def says(self, number: int, payments: Payments) -> Array:
        """What a look at each payment (n,) would say, were there one: fraud or not."""
        u = self.draws.uniform(np.arange(len(payments)), 10_000 + number)
        found: Array = np.where(payments.fraud, u >= MISSES, u < WRONGS)
        return found

    def work(self, number: int, asked: Array, worth: Array, says: Array) -> Worked:
        """The day's payments `asked` about (n,) bool join the queue; as many as time allows are looked at."""
        at = np.flatnonzero(asked)
        self._day = np.concatenate([self._day, np.full(len(at), number)])
        self._place = np.concatenate([self._place, at])
        self._worth = np.concatenate([self._worth, worth[at]])
        self._says = np.concatenate([self._says, says[at]])
        order = np.argsort(-self._worth, kind="stable")
        looked, rest = order[: self.most], np.sort(order[self.most :])
        late = rest[self._day[rest] <= number - PATIENCE]
        waits = rest[self._day[rest] > number - PATIENCE]
        worked = Worked(
            day=self._day[looked],
            place=self._place[looked],
            fraud=self._says[looked],
            late_day=self._day[late],
            late_place=self._place[late],
            waiting=len(waits),
        )
        self._day, self._place = self._day[waits], self._place[waits]
        self._worth, self._says = self._worth[waits], self._says[waits]
        return worked

    def closes(self) -> tuple[Array, Array]:
        """Those that wait when the quarter ends: they go through."""
        return self._day, self._place
