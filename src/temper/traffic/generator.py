"""An open-loop generator: requests leave when they are due, whatever became of those before, so a slow answer cannot
hide the ones that should have followed it (coordinated omission).
"""

from __future__ import annotations

import asyncio
import ssl
import time
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from temper.traffic.address import not_taken
from temper.traffic.chat import BROKE_OFF, STALLED, Answer, Asked, Heard
from temper.traffic.heads import END, Heads
from temper.traffic.played import Played

Array = np.ndarray[Any, Any]
_TICK, _SWEEP, _LOOK = 0.001, 0.05, 0.25
"""Seconds: the finest that the loop's timer knows, between looks for requests that take too long, and for watchers."""


async def play(
    host: str,
    port: int,
    requests: Sequence[bytes],
    due: Array,
    *,
    connections: int = 64,
    timeout: float = 2.0,
    tls: ssl.SSLContext | None = None,
    read: Callable[[bytes], int] | None = None,
    chat: Asked | None = None,
    began: Callable[[float], None] = lambda at: None,
    heard: Callable[[float, int, int], None] | None = None,
    ready: Callable[[], float] = time.perf_counter,
    look: Callable[[float, Played], None] | None = None,
    until: Callable[[], float] | None = None,
) -> Played:
    """Send `requests`, whole HTTP/1.1 messages, each again in turn, at the times in `due`. A request with no free
    connection waits for one, and that wait counts; nobody waits longer than `timeout` in all. Of answers to a `chat`
    that is how long one may be silent, and `done` is when their first token came.

    `ready` is called once the lines stand and gives the time of `time.perf_counter` that is the start, `began` is told
    its monotonic time, `heard` of every request that ended: when, in seconds from the start, its status and its mark.
    `look` sees what is known so far, four times a second. What is due after `until`, which may become known while it
    runs, is no part of it. Errors: a host that takes no connection at all is refused.
    """
    loop = asyncio.get_running_loop()
    run = _Run(loop=loop, place=(host, port), tls=tls, requests=requests, due=due, timeout=timeout, read=read)
    run.chat, run.words = chat, Heard(len(due)) if chat is not None else None
    run.heard, run.look, run.until = heard, look, until
    await run.connect(connections)
    spent = time.process_time()
    run.start = ready()
    began(time.monotonic() + run.start - time.perf_counter())
    await run.through()
    played = run.played(time.process_time() - spent)
    return replace(played.take(np.arange(run.many)), refused=played.refused, cpu=played.cpu)


class _Run:
    """One run: its lines, those that are free, the requests that wait for one, and the clock."""

    heard: Callable[[float, int, int], None] | None
    look: Callable[[float, Played], None] | None
    until: Callable[[], float] | None
    chat: Asked | None = None
    words: Heard | None = None

    def __init__(
        self, *, loop: Any, place: tuple[str, int], tls: Any, requests: Any, due: Array, timeout: float, read: Any
    ) -> None:
        self.loop, self.place, self.requests, self.timeout, self.read = loop, place, requests, timeout, read
        self.open = {"ssl": tls, "server_hostname": place[0]} if tls is not None else {}
        self._due, self.due = due, array("d", due.tobytes())
        self.taken, self.sent, self.done = (array("d", [np.nan]) * len(due) for _ in range(3))
        self.status, self.marks = (array("q", [0]) * len(due) for _ in range(2))
        self.start, self.many, self.left, self.next, self.refused = 0.0, len(due), len(due), 0, 0
        self.lines: set[_Line] = set()
        self.free: deque[_Line] = deque()
        self.waiting: deque[int] = deque()
        self.heads = Heads()
        self.over = False

    def now(self) -> float:
        return time.perf_counter() - self.start

    def played(self, cpu: float = 0.0) -> Played:
        """What is known so far; the arrays are shared with the run."""
        times = {name: np.frombuffer(getattr(self, name)) for name in ("taken", "sent", "done")}
        counts = {name: np.frombuffer(getattr(self, name), dtype=np.int64) for name in ("status", "marks")}
        talk = self.words.talk() if self.words is not None else None
        return Played(due=self._due, refused=self.refused, cpu=cpu, talk=talk, **times, **counts)

    async def connect(self, many: int) -> None:
        """Open the lines; those that are refused while others stand are tried again while it runs."""
        found = await asyncio.gather(*(self._line() for _ in range(many)), return_exceptions=True)
        failed = [one for one in found if isinstance(one, BaseException)]
        if len(failed) == many:
            raise not_taken(self.place, failed[0])
        self.refused = len(failed)
        for _ in failed:
            self.loop.create_task(self._again())

    async def _line(self) -> None:
        make = self.loop.create_connection(partial(_Line, self), *self.place, **self.open)
        await asyncio.wait_for(make, max(self.timeout, 5.0))

    async def through(self) -> None:
        """Hand every request out when it is due, and wait for what is on its way, no longer than one may take."""
        self.tick()
        longest = self.timeout + (self.chat.longest if self.chat is not None else 0.0)
        looked = 0.0
        while self.left > 0 and self.now() < self.due[self.many - 1] + longest + 2 * _SWEEP:
            await asyncio.sleep(_SWEEP)
            self.sweep()
            if self.look is not None and self.now() - looked >= _LOOK:
                looked = self.now()
                self.look(looked, self.played())
        self.over = True
        for line in tuple(self.lines):
            line.transport.abort()
        await asyncio.sleep(0)

    def tick(self) -> None:
        """Hand out what is due, together; come again when the next is."""
        if self.until is not None:
            self.shorten(self.until())
        at, n, due, start, taken, free = self.next, self.many, self.due, self.start, self.taken, self.free
        while at < n and due[at] <= (now := time.perf_counter() - start):
            taken[at] = now
            if free and not self.waiting:
                free.popleft().send(at, now)
            else:
                self.waiting.append(at)
            at += 1
        self.next = at
        if at < n and not self.over:
            self.loop.call_later(max(due[at] - self.now(), _TICK), self.tick)

    def shorten(self, until: float) -> None:
        """Leave out what is due after this and was not sent."""
        many = max(self.next, bisect_left(self.due, until, hi=self.many))
        self.left, self.many = self.left - self.many + many, many

    def hand_out(self) -> None:
        """Give free lines to those that wait; who has waited too long has gone."""
        now = self.now()
        while self.waiting and self.free:
            at = self.waiting.popleft()
            if now - self.due[at] > self.timeout:
                self.ended(at, 0, now)
            else:
                self.free.popleft().send(at, now)

    def sweep(self) -> None:
        """End what takes too long, on a line or before it has one."""
        now = self.now()
        for line in tuple(self.lines):
            if line.at >= 0 and line.tires(now):
                line.cut = True
                line.transport.abort()
        while self.waiting and now - self.due[self.waiting[0]] > self.timeout:
            self.ended(self.waiting.popleft(), 0, now)
        self.hand_out()

    def ended(self, at: int, status: int, now: float, first: float | None = None) -> None:
        self.left -= 1
        self.status[at] = status
        if status:
            self.done[at] = now if first is None else first
        if self.heard is not None:
            self.heard(now, status, self.marks[at])

    def lost(self, line: _Line) -> None:
        """A line broke: another takes its place."""
        self.lines.discard(line)
        if line in self.free:
            self.free.remove(line)
        if not self.over:
            self.loop.create_task(self._again())

    async def _again(self) -> None:
        while not self.over:
            try:
                return await self._line()
            except (OSError, TimeoutError):
                self.refused += 1
                await asyncio.sleep(_SWEEP)


class _Line(asyncio.Protocol):
    """A connection with at most one request on its way."""

    def __init__(self, run: _Run) -> None:
        import httptools

        self.run, self.at = run, -1
        self.transport: Any = None
        self.since, self.cut, self._begun, self._body = 0.0, False, False, b""
        self.answer: Answer | None = None
        if run.chat is not None:
            self.on_body = self._hear  # type: ignore[method-assign]
        elif run.read is None:
            self.on_body = _ignored  # type: ignore[method-assign]
        self._parser = httptools.HttpResponseParser(self)  # which looks the methods up here, once

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.run.lines.add(self)
        self._free()

    def send(self, at: int, now: float) -> None:
        run = self.run
        self.at = at
        run.sent[at] = self.since = now
        if run.chat is not None:
            self.answer = Answer(run.chat.stream)
        self.transport.write(run.requests[at % len(run.requests)])

    def data_received(self, data: bytes) -> None:
        run, at = self.run, self.at
        head, _, body = data.partition(END)
        known = run.heads.get(head)
        if known is None or known[1] != len(body) or self._begun or at < 0:
            return self._parse(data)
        self.at = -1
        if run.read is not None:
            run.marks[at] = run.read(body)
        run.ended(at, known[0], time.perf_counter() - run.start)
        self._free()

    def _parse(self, data: bytes) -> None:
        """What is no whole answer with a head that is known."""
        import httptools

        begun, parser = self._begun, self._parser
        try:
            parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()
            return
        if not begun and not self._begun and self.answer is None:
            self.run.heads.learn(data, parser.get_status_code())

    def on_message_begin(self) -> None:
        self._begun = True

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        run, at, status = self.run, self.at, self._parser.get_status_code()
        keeps = self._parser.should_keep_alive()
        self._begun = not keeps
        if at < 0:  # an answer that nobody asked for
            self.transport.abort()
            return
        self.at = -1
        if run.read is not None:
            run.marks[at], self._body = run.read(self._body), b""
        if self.answer is not None and status == 200:
            self._said(at, self.answer)
        else:
            run.ended(at, status, run.now())
        if keeps:
            self._free()
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.at >= 0:
            at, self.at = self.at, -1
            if self.answer is not None and self.answer.done and not self.cut:  # the end of the line ended the body
                self._said(at, self.answer)
            else:
                self.run.marks[at] = 0 if self.answer is None else STALLED if self.cut else BROKE_OFF
                self.run.ended(at, 0, self.run.now())
        self.run.lost(self)

    def tires(self, now: float) -> bool:
        """Whether what is on its way takes too long."""
        run = self.run
        longest = run.timeout if run.chat is None else run.chat.longest
        return now - self.since > run.timeout or now - run.sent[self.at] > max(longest, run.timeout)

    def _hear(self, body: bytes) -> None:
        now = self.run.now()
        if self.answer is not None and self.answer.fed(body, now):
            self.since = now

    def _said(self, at: int, answer: Answer) -> None:
        """A 200 to a chat: an answer where it is a whole one, else a failure with its mark."""
        run, now = self.run, self.run.now()
        run.marks[at] = answer.over(now)
        if not run.marks[at] and run.words is not None:
            run.words.keep(at, answer, now)
        run.ended(at, 0 if run.marks[at] else 200, now, answer.first)

    def _free(self) -> None:
        self.run.free.append(self)
        if self.run.waiting:
            self.run.hand_out()


def _ignored(body: bytes) -> None:
    """Nobody reads the bodies of this run."""
