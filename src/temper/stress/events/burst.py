"""Many payments within hours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.seed import Draws
from temper.stress._choice import level
from temper.stress.events._history import Cases, History


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """A customer pays many times within hours, as on a shopping day: copies of own earlier events come just before.

    Severity 1-5: 2, 4, 8, 15, 30 further payments within `hours`, drawn from what the customer did in the history that
    the aggregates know; who did nothing repeats the judged payment.
    Misleads where a burst is never honest for this product: then a high rate is what is wanted.
    Source: Bolton & Hand, "Statistical fraud detection: a review", 2002.

    >>> Burst(hours=2.0).payments[0]
    2
    """

    payments: tuple[int, ...] = (2, 4, 8, 15, 30)
    hours: float = 6.0

    def apply(self, cases: Cases, severity: int, rng: Draws) -> History:
        """The histories with the further payments."""
        history, most = cases.history(), int(level(self.payments, severity))
        rows = np.arange(len(cases))
        own = np.flatnonzero(history.shares(cases.events.entity))  # the judged event itself is one of them
        own = own[np.argsort(history.world[own], kind="stable")]
        sizes = np.bincount(history.world[own], minlength=len(cases))
        first = np.cumsum(sizes) - sizes
        picks = (np.asarray(rng.uniform(rows, 1, (max(self.payments),)))[:, :most] * sizes[:, None]).astype(np.int64)
        ago = np.asarray(rng.uniform(rows, 2, (max(self.payments),)))[:, :most] * self.hours * 3600
        of = own[(first[:, None] + picks).ravel()]
        time = np.repeat(history.time[history.judged], most) - 1 - ago.ravel().astype(np.int64)
        return history.with_copies(of, time)


PLUGIN = Burst
