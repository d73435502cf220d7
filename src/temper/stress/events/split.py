"""One payment becomes several small ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.seed import Draws
from temper.stress._choice import level
from temper.stress.events._history import Cases, History


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A payment is split into equal parts at the same place (structuring); the last of them is judged.

    Severity 1-5: 2, 3, 5, 8, 12 parts, `minutes` apart. For honest customers it is a bill paid in parts, for fraud a
    way below a threshold: read what is still detected.
    Misleads where only the last part is looked at: an earlier one may be flagged already.
    Source: FATF, "Money laundering and terrorist financing red flag indicators", 2020 (structuring).

    >>> Split().parts
    (2, 3, 5, 8, 12)
    """

    parts: tuple[int, ...] = (2, 3, 5, 8, 12)
    minutes: float = 10.0

    def apply(self, cases: Cases, severity: int, rng: Draws) -> History:
        """The histories with the earlier parts, and the last part in the place of the payment."""
        count, amount = int(level(self.parts, severity)), cases.events.amount
        history = cases.history()
        history = history.with_judged(**{amount: history.columns[amount][history.judged] / count})
        of = np.repeat(np.arange(len(history.world))[history.judged], count - 1)
        steps = np.tile(np.arange(count - 1, 0, -1), len(cases))
        return history.with_copies(of, history.time[of] - (steps * self.minutes * 60).astype(np.int64))


PLUGIN = Split
