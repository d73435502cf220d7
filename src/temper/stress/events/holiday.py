"""The busiest week of the year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.events import DAY
from temper.core.seed import Draws
from temper.stress._choice import level
from temper.stress.events._history import Cases, History


@dataclass(frozen=True, slots=True, kw_only=True)
class Holiday:
    """A holiday peak: in the last `days` customer and counterparty see several times as many events, and all of them,
    the judged one too, are larger.

    Severity 1-5: 1.25, 1.5, 2, 3, 4 times as many, amounts 5, 10, 20, 40, 70 % larger. Further events repeat earlier
    ones of that week at other hours.
    Misleads where a peak changes what is bought: the further events are of the usual kind.
    Source: Le Borgne et al., "Reproducible machine learning for credit card fraud detection", 2022 (concept drift).

    >>> Holiday().days
    7.0
    """

    times: tuple[float, ...] = (1.25, 1.5, 2.0, 3.0, 4.0)
    larger: tuple[float, ...] = (1.05, 1.1, 1.2, 1.4, 1.7)
    days: float = 7.0

    def apply(self, cases: Cases, severity: int, rng: Draws) -> History:
        """The histories with the busier week."""
        history, amount = cases.history(), cases.events.amount
        more, larger = level(self.times, severity) - 1, level(self.larger, severity)
        recent = history.past & (history.before <= self.days)
        place = np.arange(len(history.world))
        # Drawn per event: the same one is repeated in whosever world it stands, and more often at a higher severity.
        draws = Draws(rng.seed, rng.name)
        extra = np.floor(more + np.asarray(draws.uniform(history.source, 1))).astype(np.int64) * recent
        of = np.repeat(place, extra)
        turn = np.arange(len(of)) - np.repeat(np.cumsum(extra) - extra, extra)
        moved = (np.asarray(draws.uniform(history.source[of], 2 + turn)) - 0.5) * DAY
        time = np.minimum(
            history.time[of] + moved.astype(np.int64), history.time[history.judged][history.world[of]] - 1
        )
        history = history.with_copies(of, time)
        factor = np.where(history.before <= self.days, larger, 1.0)
        columns = history.columns | {amount: history.columns[amount] * factor}
        return History(
            events=history.events, world=history.world, source=history.source, time=history.time, columns=columns,
            worlds=history.worlds,
        )  # fmt: skip


PLUGIN = Holiday
