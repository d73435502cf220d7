"""Events in time: who did what with whom, and the columns that are computed from the history of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.errors import ConfigError

FUNCTIONS = ("count", "sum", "mean")
DAY = 86_400
CLOCK = ("time_hour", "time_weekday", "time_day")
"""What a formula may ask of an event's time: hour of the day (0-24), weekday (0 is Monday), whole days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """A column computed from the history: a function over the events of one `key` column in the last `days`.

    The window ends `delay` days before the event; without a delay it ends with the event itself, which counts where
    `own` says so. `whole` counts complete days before today (and the event itself where `own` says so). The mean over
    no event is 0.
    """

    name: str
    key: str
    function: str
    days: float
    of: str = ""
    delay: float = 0.0
    own: bool = True
    whole: bool = False

    def __post_init__(self) -> None:
        if self.function not in FUNCTIONS:
            raise ConfigError(f"{self.name} is a {self.function!r}", fix=f"use one of {', '.join(FUNCTIONS)}")
        if (self.function == "count") == bool(self.of):
            raise ConfigError(f"{self.name}: a sum and a mean are `of` a column, a count is not")
        if not (self.days > 0 and self.delay >= 0):
            raise ConfigError(f"{self.name}: days must be above 0 and delay not below it")

    @property
    def reach(self) -> int:
        """Seconds before an event of which it may have to know."""
        return int((self.days + self.delay + self.whole) * DAY)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Events:
    """A history in order of time, and what is computed from it.

    `time` (n,) whole seconds; `columns` every other column as numbers (n,); `x` (n, d) the schema's columns as the
    model takes them, `y` (n,) the truth. `entity`, `counterparty` and `amount` name columns; `moves` are those that
    belong to the counterparty, `distance` the one that says how far away it is, "" where none does. `formulas` are
    (column, expression) in their order. Events before `start` only serve as history.
    """

    time: Array
    columns: dict[str, Array]
    x: Array
    y: Array
    entity: str
    counterparty: str
    amount: str
    aggregates: tuple[Aggregate, ...]
    formulas: tuple[tuple[str, str], ...] = ()
    moves: tuple[str, ...] = ()
    distance: str = ""
    start: int = 0

    @property
    def reach(self) -> int:
        """Seconds of history that the longest aggregate needs."""
        return max((aggregate.reach for aggregate in self.aggregates), default=0)

    @property
    def judged(self) -> np.ndarray[Any, Any]:
        """Positions of the events that are no mere history: from `start` on, with all the history they need."""
        first = max(self.start, int(self.time[0]) + self.reach if len(self.time) else 0)
        return np.flatnonzero(self.time >= first)
