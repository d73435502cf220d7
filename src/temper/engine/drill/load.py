"""An open-loop generator: requests leave when they are due, whatever became of those before, so a slow answer cannot
hide the ones that should have followed it (coordinated omission).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
LATE = 0.1
"""A run whose own lateness at p99 is over this share of the time limit says nothing about the server."""
_AT_ONCE = 0.001


def arrivals(rate: float, seconds: float, rng: np.random.Generator, *, poisson: bool = True) -> Array:
    """When requests are due, in seconds from the start: at random with this mean rate, or evenly.

    >>> arrivals(4.0, 1.0, np.random.default_rng(0), poisson=False)
    array([0.  , 0.25, 0.5 , 0.75])
    """
    if not poisson:
        return np.arange(int(rate * seconds)) / rate
    gaps = rng.exponential(1.0 / rate, size=int(rate * seconds * 1.2) + 50)
    times: Array = np.cumsum(gaps)
    return times[times < seconds]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Played:
    """What became of every request, in the order in which they were due: when it was due, taken up by the generator,
    sent and answered (NaN where it was not), in seconds from the start, and its status (0 where the line broke or
    nothing came in time). `marks` is what the reader made of each answer's body, 0 without one.
    """

    due: Array
    taken: Array
    sent: Array
    done: Array
    status: Array
    marks: Array

    @property
    def response(self) -> Array:
        """Seconds from when a request was due to its answer, of those that were answered."""
        found: Array = (self.done - self.due)[self.status > 0]
        return found

    @property
    def lateness(self) -> Array:
        """Seconds by which the generator itself was late with each request. What a request then waits for a free
        connection is the server's doing, and no part of it.
        """
        found: Array = (self.taken - self.due)[np.isfinite(self.taken)]
        return found

    @property
    def held(self) -> float:
        """The share of requests that found no free connection. Where it is much, the server was never asked as much as
        was due: its clients queued where it could not see them.
        """
        return float((~(self.sent - self.taken <= _AT_ONCE)).mean()) if len(self.due) else 0.0

    def good(self, limit: float) -> Array:
        """Which requests were answered well (200) within `limit` seconds of when they were due."""
        found: Array = (self.status == 200) & (self.done - self.due <= limit)
        return found

    def trusted(self, limit: float) -> bool:
        """Whether the generator kept its own times well enough to judge a server by this limit."""
        late = self.lateness
        return bool(len(late)) and float(np.quantile(late, 0.99)) <= LATE * limit


async def play(
    host: str,
    port: int,
    requests: Sequence[bytes],
    due: Array,
    *,
    connections: int = 64,
    timeout: float = 2.0,
    read: Callable[[bytes], int] | None = None,
    began: Callable[[float], None] = lambda at: None,
    heard: Callable[[float, int, int], None] = lambda at, status, mark: None,
) -> Played:
    """Send `requests`, whole HTTP/1.1 messages, each again in turn, at the times in `due`. A request with no free
    connection waits for one, and that wait counts. `began` is told the monotonic time of the start, `heard` of
    every request that ended: when, in seconds from the start, its status and its mark.
    """
    loop = asyncio.get_running_loop()
    run = _Run(loop=loop, host=host, port=port, requests=requests, due=due, timeout=timeout, read=read, heard=heard)
    await run.connect(connections)
    run.start = time.perf_counter()
    began(time.monotonic())
    await run.pace()
    await run.settle()
    return Played(due=due, taken=run.taken, sent=run.sent, done=run.done, status=run.status, marks=run.marks)


class _Run:
    """One run: its lines, those that are free, the requests that wait for one, and the clock."""

    def __init__(
        self, *, loop: Any, host: str, port: int, requests: Any, due: Array, timeout: float, read: Any, heard: Any
    ) -> None:
        self.heard = heard
        self.read, self.marks = read, np.zeros(len(due), dtype=np.int64)
        self.loop, self.place, self.requests, self.due, self.timeout = loop, (host, port), requests, due, timeout
        self.taken, self.sent, self.done = (np.full(len(due), np.nan) for _ in range(3))
        self.status = np.zeros(len(due), dtype=np.int64)
        self.start, self.left = 0.0, len(due)
        self.lines: set[_Line] = set()
        self.free: deque[_Line] = deque()
        self.waiting: deque[int] = deque()
        self.over = False

    def now(self) -> float:
        return time.perf_counter() - self.start

    async def connect(self, many: int) -> None:
        for _ in range(many):
            await self.loop.create_connection(lambda: _Line(self), *self.place)

    async def pace(self) -> None:
        """Hand every request out when it is due; several that are due at once go together."""
        at, n = 0, len(self.due)
        while at < n:
            wait = self.due[at] - self.now()
            if wait > 0.0002:
                await asyncio.sleep(wait)
            now = self.now()
            while at < n and self.due[at] <= now:
                self.taken[at] = self.now()
                self.waiting.append(at)
                self.hand_out()
                at += 1
            await asyncio.sleep(0)

    def hand_out(self) -> None:
        while self.waiting and self.free:
            line = self.free.popleft()
            if line in self.lines:
                line.send(self.waiting.popleft())

    async def settle(self) -> None:
        """Wait for what is on its way, no longer than one may take."""
        end = self.now() + self.timeout
        while self.left > 0 and self.now() < end:
            self.hand_out()
            await asyncio.sleep(0.005)
        self.over = True
        for line in tuple(self.lines):
            line.transport.close()
        await asyncio.sleep(0)

    def ended(self, at: int, status: int) -> None:
        self.left -= 1
        self.status[at] = status
        now = self.now()
        if status:
            self.done[at] = now
        self.heard(now, status, int(self.marks[at]))

    def lost(self, line: _Line) -> None:
        """A line broke: another takes its place."""
        self.lines.discard(line)
        if not self.over:
            self.loop.create_task(self._again())

    async def _again(self) -> None:
        while not self.over:
            try:
                await self.loop.create_connection(lambda: _Line(self), *self.place)
                return
            except OSError:
                await asyncio.sleep(0.02)


class _Line(asyncio.Protocol):
    """A connection with at most one request on its way."""

    def __init__(self, run: _Run) -> None:
        import httptools

        self._run, self._at, self._parser = run, -1, httptools.HttpResponseParser(self)
        self._body = b""
        self._new, self._timer = httptools.HttpResponseParser, run.loop.call_soon(lambda: None)
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._run.lines.add(self)
        self._free()

    def send(self, at: int) -> None:
        run, self._at = self._run, at
        run.sent[at] = run.now()
        self._timer = run.loop.call_later(run.timeout, self.transport.abort)
        self.transport.write(run.requests[at % len(run.requests)])

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        at, self._at, status = self._at, -1, self._parser.get_status_code()
        if self._run.read is not None:
            self._run.marks[at] = self._run.read(self._body)
        self._body = b""
        self._timer.cancel()
        self._run.ended(at, status)
        if self._parser.should_keep_alive():
            self._parser = self._new(self)
            self._free()
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._at >= 0:
            self._timer.cancel()
            self._run.ended(self._at, 0)
        self._run.lost(self)

    def _free(self) -> None:
        run = self._run
        run.free.append(self)
        run.hand_out()
