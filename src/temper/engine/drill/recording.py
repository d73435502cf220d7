"""A drill as it runs, in the control store, for whoever watches the dashboard and for later."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.core.drill import Slot, Turn
from temper.core.errors import TemperError
from temper.engine.drill.terms import LONGER
from temper.response import figures
from temper.store.control import Control

EVERY = 0.5
"""Seconds between writes."""
LOOKS = 0.05, 0.25
"""Seconds between looks at the breaker, while something is about to change and else."""
SLOTS = 120
_OPEN = 2.0


@dataclass(slots=True, kw_only=True, eq=False)
class Recording:
    """Counts answers by short times and writes those that are over, twice a second, in a thread. A control store that
    fails costs the record and not the drill: `told` hears of it, once.

    `metrics` is where the gateway's figures are; the breaker is seen there, so its times are up to 50 ms late.
    """

    place: str
    by: str
    told: Callable[[str], None]
    seconds: float
    rate: float
    metrics: str
    turns: dict[Turn, float] = field(default_factory=dict, init=False)
    _control: Control | None = field(default=None, init=False, repr=False)
    _id: int = field(default=0, init=False, repr=False)
    _start: float = field(default=0.0, init=False, repr=False)
    _counts: Any = field(default=None, init=False, repr=False)
    _written: int = field(default=0, init=False, repr=False)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list, init=False, repr=False)

    @property
    def width(self) -> float:
        """Seconds of one slot."""
        return max(0.1, self.seconds / SLOTS)

    def open(self, name: str, fault: str) -> None:
        """Write that it begins; before the load does, for it waits for the disk."""
        self._counts = np.zeros((math.ceil((self.seconds + LONGER) / self.width) + SLOTS, 3), dtype=np.int64)

        def begin() -> None:
            self._control = Control.open(self.place)
            self._id = self._control.drills.begin(
                name, fault, self.seconds, self.rate, self.width, self.by, time.time()
            )

        self._tried(begin)

    def start(self, at: float) -> None:
        """The load starts, at this monotonic time; on the running event loop."""
        self._start = at
        self._tasks = [asyncio.create_task(self._writing()), asyncio.create_task(self._looking())]

    def heard(self, at: float, status: int, mark: int) -> None:
        """A request ended; `mark` is 1 where the model answered it."""
        column = 2 if status != 200 else 0 if mark == 1 else 1
        self._counts[min(int(at / self.width), len(self._counts) - 1), column] += 1
        if column == 1 and Turn.FAULT in self.turns:
            self.turned(Turn.OTHER, at)

    def turned(self, turn: Turn, at: float) -> None:
        """Something happened, at so many seconds from the start; the first time counts."""
        self.turns.setdefault(turn, at)

    async def stop(self) -> None:
        """No more is counted; what was is written."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._tried, lambda: self._follow(len(self._counts)))

    def end(self, held: bool, found: Mapping[str, Any]) -> None:
        """What came of it."""

        def end() -> None:
            if self._control is not None:
                self._follow(self._written)
                self._control.drills.end(self._id, held, found, self.by, time.time())

        self._tried(end)
        if self._control is not None:
            self._control.close()

    async def _writing(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await asyncio.to_thread(self._tried, self._now)

    def _now(self) -> None:
        """Write what is over; the slot before this one may still be heard of."""
        self._follow(int((time.monotonic() - self._start) / self.width) - 1)

    def _follow(self, over: int) -> None:
        """Write the slots before this one; the last that was answered in is the last there is."""
        if self._control is None:
            return
        filled = np.flatnonzero(self._counts.sum(axis=1))
        until = min(over, int(filled[-1]) + 1 if len(filled) else 0)
        slots = [_slot(at, self._counts[at]) for at in range(self._written, until)]
        self._control.drills.follow(self._id, slots, dict(self.turns))
        self._written = max(self._written, until)

    async def _looking(self) -> None:
        """Look at the breaker, closely once it is about to open or close."""
        while Turn.CLOSED not in self.turns:
            faulty = Turn.FAULT in self.turns
            close = faulty and (Turn.OPEN not in self.turns or Turn.BACK in self.turns)
            await asyncio.sleep(LOOKS[0] if close else LOOKS[1])
            state = await asyncio.to_thread(self._breaker)
            at = time.monotonic() - self._start
            if faulty and state == _OPEN:
                self.turned(Turn.OPEN, at)
            elif state == 0.0 and Turn.BACK in self.turns and Turn.OPEN in self.turns:
                self.turned(Turn.CLOSED, at)

    def _breaker(self) -> float | None:
        try:
            told = figures.text(self.metrics)
        except (OSError, ValueError):
            return None
        return next((value for name, _, value in figures.series(told) if name == "temper_breaker"), None)

    def _tried(self, work: Callable[[], None]) -> None:
        try:
            work()
        except TemperError as trouble:
            self.told(f"this drill is not recorded any more: {trouble.message}")
            control, self._control = self._control, None
            if control is not None:
                control.close()


def _slot(at: int, counts: Any) -> Slot:
    full, other, failed = (int(one) for one in counts)
    return Slot(at=at, full=full, other=other, failed=failed)
