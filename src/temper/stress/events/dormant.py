"""A customer who was away comes back."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.seed import Draws
from temper.stress._choice import level
from temper.stress.events._history import Cases, History


@dataclass(frozen=True, slots=True, kw_only=True)
class Dormant:
    """A dormant account wakes: nothing of the customer in the days before the event, which is as it was.

    Severity 1-5: 3, 7, 14, 30, 60 days of silence.
    Misleads where silence means more than the aggregates can show: a returning customer may also come with a new device
    and from a new place.
    Source: Bolton & Hand, "Statistical fraud detection: a review", 2002 (changes of behaviour of an account).

    >>> Dormant().days[-1]
    60.0
    """

    days: tuple[float, ...] = (3.0, 7.0, 14.0, 30.0, 60.0)

    def apply(self, cases: Cases, severity: int, rng: Draws) -> History:
        """The histories without the customer's own events in these days."""
        history = cases.history()
        return history.without(
            history.past & history.shares(cases.events.entity) & (history.before <= level(self.days, severity))
        )


PLUGIN = Dormant
