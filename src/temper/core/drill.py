"""A fault on purpose, and what those who asked noticed of it, as it is kept and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

PATIENCE = 300.0
"""Seconds beyond its time after which a drill that has not ended is taken for one that was killed: its model may take
long to start."""


class Turn(StrEnum):
    """What can happen in a drill, in the order in which it does where all goes well."""

    FAULT = "fault"
    OTHER = "other"
    OPEN = "open"
    BACK = "back"
    CLOSED = "closed"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The answers of one short time: how many by the model, by whatever stands in for it, and how many failed."""

    at: int
    full: int
    other: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One drill. Times of `turns` are seconds after `started` (seconds since 1970); a slot lasts `width` seconds.
    `ended` and `held` are None until it has ended; `figures` are what came of it.
    """

    id: int
    name: str
    fault: str
    by: str
    started: float
    seconds: float
    rate: float
    width: float
    ended: float | None = None
    held: bool | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)
    turns: Mapping[Turn, float] = field(default_factory=dict)
    slots: tuple[Slot, ...] = ()

    def running(self, now: float) -> bool:
        """Whether it still goes on, as far as one can tell."""
        return self.ended is None and now < self.started + self.seconds + PATIENCE

    def between(self, first: Turn, second: Turn) -> float | None:
        """Seconds from one turn to another, None where one of them did not happen."""
        if first not in self.turns or second not in self.turns:
            return None
        return self.turns[second] - self.turns[first]
