"""The rows of a feed as one stream, window after window in order of time: which columns have shifted, and since when.

Where a stream stands is a value. It is kept in the store in one transaction with the windows that went into it, so
every row counts once, whenever a monitor stops or is killed. Rows of one moment are in the order of their ids, which no
file and no look decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from temper.core.detector import from_arrays, to_arrays
from temper.core.watch import Seen, Shifted, Watched
from temper.detectors.stream.shift import Shift
from temper.detectors.stream.shift import Watch as State
from temper.monitoring.hours import hours_of, unsure
from temper.store.arrays import packed, unpacked
from temper.store.control.windows import Stream

Array = np.ndarray[Any, Any]
_MARKS = 20_000
_LATE = "its rows came after those of a later window, so they are not in the stream"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Rows of one window: `x` (n, d) in single precision, their `ids` (n,), and when they came (`at`, seconds)."""

    x: Array
    ids: Array
    at: Array

    @staticmethod
    def together(parts: Sequence[Rows]) -> Rows:
        """All of them."""
        return Rows(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Rows)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standing:
    """Where a stream stands: the `state` of its detector, and when some of its `rows` came, by their numbers."""

    state: State
    rows: Array
    times: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Following:
    """How a feed is watched as a stream, and the state it `begins` in. With a `zone`, rows get the hour of the week
    there as their last column.
    """

    watch: Shift
    begins: Callable[[], State]
    zone: str = ""

    @property
    def options(self) -> str:
        """What tells streams of one feed apart."""
        watch = self.watch
        hours = f" hours={self.zone}" if self.zone else ""
        how = f"one_false_alarm_per={watch.one_false_alarm_per} tolerance={watch.tolerance:g}"
        return f"{how} strata={watch.strata}{hours}"

    def rows(self, x: Array, at: Array) -> Array:
        """Rows (n, d) that came at these times, as the detector has them."""
        return np.column_stack([x, hours_of(at, self.zone).astype(x.dtype)]) if self.zone else x


@dataclass(slots=True, kw_only=True, eq=False)
class Followed:
    """A stream during one look: as it was `before`, and the end of the last window in it."""

    how: Following
    before: Stream | None
    upto: float = field(init=False)
    _standing: Standing | None = None

    def __post_init__(self) -> None:
        self.upto = self.before.upto if self.before is not None else -math.inf

    def add(self, one: Watched, rows: Rows) -> Watched:
        """What is said of this window, with what its rows say as a part of the stream."""
        if one.start < self.upto:
            return replace(one, notes=(*one.notes, _LATE))
        first = self.before is None and self._standing is None
        standing, shifts = self._went_on(rows)
        if first and self.how.zone:
            one = replace(one, notes=(*one.notes, *unsure(standing.state)))
        self._standing, self.upto = standing, one.ends
        return replace(one, seen=Seen.FAIL if shifts else one.seen, shifts=shifts, streamed=standing.state.rows)

    @property
    def after(self) -> Stream | None:
        """The stream as it stands, None where nothing was added."""
        if self._standing is None:
            return None
        return Stream(options=self.how.options, upto=self.upto, state=packed(to_arrays(self._standing)))

    def _stands(self) -> Standing:
        if self._standing is not None:
            return self._standing
        if self.before is not None:
            return from_arrays(Standing, unpacked(self.before.state, "stream"))
        return Standing(state=self.how.begins(), rows=np.zeros(0), times=np.zeros(0))

    def _went_on(self, new: Rows) -> tuple[Standing, tuple[Shifted, ...]]:
        stands, order = self._stands(), np.lexsort((new.ids, new.at))
        numbers, times = stands.state.rows + np.arange(len(order)), new.at[order]
        state, signal = self.how.watch.step(stands.state, self.how.rows(new.x[order], times))
        known = np.append(stands.rows, numbers), np.append(stands.times, times)
        ends = np.unique([0, len(order) - 1])
        rows, moments = np.append(stands.rows, numbers[ends]), np.append(stands.times, times[ends])
        stands = Standing(state=state, rows=rows[-_MARKS:], times=moments[-_MARKS:])
        return stands, tuple(_dated(one, *known) for one in signal.shifts)


def _dated(one: Shifted, rows: Array, times: Array) -> Shifted:
    """With the times at which its rows came; between rows whose time is known it passes evenly."""
    return replace(one, times=tuple(np.interp((one.since, one.low, one.high, one.seen), rows, times).tolist()))
