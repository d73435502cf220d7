"""A counterparty that nobody knows yet."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.seed import Draws
from temper.stress._choice import level
from temper.stress.events._history import Cases, History


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMerchant:
    """The counterparty opened only days ago: what happened there earlier, with anybody, has not happened.

    Severity 1-5: it opened 14, 7, 3, 1, 0 days before the event.
    Misleads where a new counterparty also has other attributes (category, device) than an old one.
    Source: Bolton & Hand, "Statistical fraud detection: a review", 2002.

    >>> NewMerchant().opened
    (14.0, 7.0, 3.0, 1.0, 0.0)
    """

    opened: tuple[float, ...] = (14.0, 7.0, 3.0, 1.0, 0.0)

    def apply(self, cases: Cases, severity: int, rng: Draws) -> History:
        """The histories without the counterparty's events before it opened."""
        history = cases.history()
        early = history.before > level(self.opened, severity)
        return history.without(history.past & history.shares(cases.events.counterparty) & early)


PLUGIN = NewMerchant
