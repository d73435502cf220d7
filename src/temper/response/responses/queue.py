"""The review queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.incident import Acted
from temper.response.context import Context

PAUSE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Counts the cases of clients that wait for people and are due within `minutes`, overdue ones too, and holds them
    against `at_least` and `at_most`; for `seconds` they are counted again until they fit.

    The gateway closes what is overdue as the policy says, so a queue can look well because nobody was in time.
    """

    risky: ClassVar[bool] = False
    minutes: float = 15.0
    at_least: int = 0
    at_most: int = 1_000_000
    seconds: float = 0.0

    def act(self, context: Context) -> Acted:
        ends = 0.0 if context.dry else self.seconds
        while True:
            waiting, soon = context.control.reviews.waiting(context.clock() + 60.0 * self.minutes)
            well = self.at_least <= soon <= self.at_most
            if well or ends <= 0:
                said = f"{waiting:,} cases wait, {soon:,} of them are due within {self.minutes:g} minutes"
                return Acted(found=said, well=well)
            context.wait(min(PAUSE, ends))
            ends -= PAUSE


PLUGIN = Queue
