"""Counts and sums over the recent events of a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.events import DAY

Whole = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeline:
    """Events sorted once by key and time, so that every window over them costs two searches.

    `order` sorts the events, `place` is each one's position in it, `code` (sorted) joins key and time.

    >>> line = Timeline.of(np.zeros(3, dtype=int), np.array([0, 3600, 90_000]))
    >>> [part.tolist() for part in line.window(np.array([1.0, 2.0, 4.0]), np.arange(3), 1.0)]
    [[1.0, 2.0, 1.0], [1.0, 3.0, 4.0]]
    """

    order: Whole
    place: Whole
    code: Whole
    time: Whole
    base: int
    span: int

    @staticmethod
    def of(key: Any, time: Any) -> Timeline:
        """`key` (n,) whole numbers from 0, `time` (n,) whole seconds; of one moment, what stands later comes later."""
        key, time = np.asarray(key, dtype=np.int64), np.asarray(time, dtype=np.int64)
        base = int(time.min(initial=0)) if len(time) else 0
        span = (int(time.max()) - base + 2) if len(time) else 1
        joined = key * span + (time - base)
        order = np.argsort(joined, kind="stable")
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        return Timeline(order=order, place=place, code=joined[order], time=time, base=base, span=span)

    def window(
        self, value: Any, at: Any, days: float, *, delay: float = 0.0, own: bool = True, whole: bool = False
    ) -> tuple[Floats, Floats]:
        """Number of events and sum of `value` (n,) for the events at positions `at`, each over those of its key in the
        `days` that end `delay` days before it.

        Without a delay the event itself counts where `own`. `whole`: complete days, today's left out, and the event
        itself where `own`.
        """
        at, value = np.asarray(at, dtype=np.int64), np.asarray(value, dtype=np.float64)
        width, ago, now = round(days * DAY), round(delay * DAY), self.time[at]
        rolling = not whole and not ago  # the event itself is in the range
        until = now // DAY * DAY - ago - 1 if whole else now - ago
        start, end = self._upto(at, until - width), self._upto(at, until)
        end = self.place[at] + 1 if rolling else end
        summed = np.concatenate([[0.0], np.cumsum(value[self.order])])
        count, total = (end - start).astype(np.float64), summed[end] - summed[start]
        if own == rolling:
            return count, total
        sign = 1.0 if own else -1.0
        return count + sign, total + sign * value[at]

    def _upto(self, at: Whole, limit: Whole) -> Whole:
        """Per event how many positions come before the first of its key that is later than `limit`."""
        key = self.code[self.place[at]] // self.span
        inside = np.clip(limit - self.base, -1, self.span - 2)  # never into the events of another key
        found: Whole = np.searchsorted(self.code, key * self.span + inside, "right")
        return found
