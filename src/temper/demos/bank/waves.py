"""When losses rose and fell again, and when the bank noticed: by the truth, which only this ledger has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from temper.core.incident import Incident
from temper.demos.bank.guard import DAY
from temper.demos.bank.watch import OUTAGE

_OVER, _BACK, _AT_ONCE, _USUAL, _LEAST = 1.5, 1.2, 3, 21, 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """Losses from the day `start` on were far above those of the weeks before; on the day `ends` no more, None where
    that was never. `noticed`: days until an incident was opened, None where none was.
    """

    start: int
    ends: int | None
    noticed: float | None

    @property
    def contained(self) -> int | None:
        """Days until losses were back."""
        return None if self.ends is None else self.ends - self.start


def waves(lost: Sequence[float], incidents: Sequence[Incident]) -> list[Wave]:
    """A wave begins where three days cost half as much again as three days usually did in the three weeks before, and
    is over where they cost no more than a fifth more than that.

    >>> quiet = [10.0] * 10
    >>> [(one.start, one.ends) for one in waves(quiet + [40.0] * 4 + quiet, ())]
    [(10, 16)]
    """
    found, start, usual = [], -1, 0.0
    for day in range(_LEAST, len(lost)):
        now = float(np.mean(lost[day - _AT_ONCE + 1 : day + 1]))
        if start < 0:
            usual = float(np.median(lost[max(0, day - _USUAL - 2) : day - 2]))
            if now > _OVER * usual and lost[day] > _OVER * usual:
                start = day
        elif now <= _BACK * usual:
            found.append(_wave(start, day, incidents))
            start = -1
    return [*found, _wave(start, None, incidents)] if start >= 0 else found


def _wave(start: int, ends: int | None, incidents: Sequence[Incident]) -> Wave:
    opened = [one.opened / DAY - start for one in incidents if one.source != OUTAGE]
    until = float("inf") if ends is None else ends - start
    return Wave(start=start, ends=ends, noticed=min((at for at in opened if 0 <= at <= until), default=None))
