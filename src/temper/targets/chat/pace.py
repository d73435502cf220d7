"""How many requests are on the way at once and how fast they follow: what the endpoint bears, found by asking."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from enum import Enum

from temper.core.errors import RunStopped
from temper.targets.chat.limits import Limits

_BROKEN = 8
"""Failures in a row after which nobody is sent for a while."""
_LONGEST, _FIRST, _OPENINGS = 60.0, 1.0, 6
_BACK_OFF = 0.5
_CALM = 1.0
"""Seconds in which 429s of requests that were on their way together count as one."""


class Answered(Enum):
    """How a request ended: it was answered; the endpoint is BUSY and says so; or it FAILED."""

    WELL = "well"
    BUSY = "busy"
    FAILED = "failed"


class Bucket:
    """So many a minute, saved up for at most a second's worth."""

    def __init__(self, a_minute: float | None, clock: Callable[[], float]) -> None:
        self.rate = None if a_minute is None else a_minute / 60.0
        self._clock, self._at, self._left = clock, clock(), max(1.0, (a_minute or 0.0) / 60.0)

    def wait(self) -> float:
        """Seconds until there is something left."""
        if self.rate is None:
            return 0.0
        now = self._clock()
        self._left = min(self._left + (now - self._at) * self.rate, max(1.0, self.rate))
        self._at = now
        # What rounding leaves over is no reason to wait: a clock does not move by it.
        return 0.0 if self._left >= 1.0 - 1e-6 else (1.0 - self._left) / self.rate

    def take(self, amount: float) -> None:
        """Take it, into debt where it is more than was left."""
        self._left -= amount


class Pace:
    """Lets requests go, and learns from how they end.

    Additive increase, multiplicative decrease of the number on the way (Jacobson 1988) on 429; a pause as long as
    Retry-After says; a breaker that lets one request try after `_BROKEN` failures in a row, and gives the run up, to be
    resumed, when it has opened `_OPENINGS` times without an answer between.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.limits, self.window = limits, float(limits.in_flight)
        self.flying = 0
        self._clock, self._sleep = clock, sleep
        self._requests = Bucket(limits.requests_per_minute, clock)
        self._tokens = Bucket(limits.tokens_per_minute, clock)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._pause, self._slowed = 0.0, -_CALM
        self._failures = self._openings = 0

    async def enter(self, tokens: float) -> None:
        """Wait for a place; `RunStopped` when the endpoint has been given up."""
        while True:
            if self._openings >= _OPENINGS:
                raise RunStopped(
                    f"the endpoint failed {self._failures} times in a row", fix="is it up? then go on with --resume"
                )
            wait = max(self._pause - self._clock(), self._requests.wait(), self._tokens.wait())
            if wait > 0.0:
                await self._sleep(wait)
            elif self.flying < self._room:
                break
            else:
                await self._in_line()
        self.flying += 1
        self._requests.take(1.0)
        self._tokens.take(tokens)

    def leave(self, how: Answered, after: float | None = None) -> None:
        """A request ended; `after` is the pause in seconds that the endpoint asks for."""
        self.flying -= 1
        if how is Answered.WELL:
            self._failures = self._openings = 0
            self.window = min(self.window + 1.0 / self.window, float(self.limits.in_flight))
        elif how is Answered.BUSY:
            self._slow()
            self._pause = max(self._pause, self._clock() + min(after or 0.0, _LONGEST))
        else:
            self._failed()
        self._call()

    @property
    def _room(self) -> int:
        return 1 if self._openings else max(1, int(self.window))

    def _slow(self) -> None:
        if self._clock() - self._slowed >= _CALM:
            self.window, self._slowed = max(1.0, self.window * _BACK_OFF), self._clock()

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= _BROKEN + self._openings:
            self._openings += 1
            self._pause = self._clock() + min(_FIRST * 2.0 ** (self._openings - 1), _LONGEST)

    async def _in_line(self) -> None:
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        await place

    def _call(self) -> None:
        """Wake as many as there is room for; a place that was given up is passed on."""
        free = self._room - self.flying
        while self._waiting and free > 0:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1
