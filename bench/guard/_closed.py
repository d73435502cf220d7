"""A closed loop: so many connections, each asks again as soon as it was answered. Says what a server can do, not what
its clients would feel; for that there is the open loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Requests answered well, others, both in a second, seconds at the median and at p99, and CPU microseconds each."""

    answered: int
    failed: int
    rate: float
    p50: float
    p99: float
    cpu: float


def closed(port: int, requests: Sequence[bytes], connections: int, seconds: float, pid: int) -> Closed:
    """After a quarter as long to warm up."""
    import uvloop

    return uvloop.run(_closed(port, requests, connections, seconds, pid))


async def _closed(port: int, requests: Sequence[bytes], connections: int, seconds: float, pid: int) -> Closed:
    await _round(port, requests, connections, seconds / 4)
    before = _cpu(pid)
    taken, failed = await _round(port, requests, connections, seconds)
    spent = _cpu(pid) - before
    n = len(taken)
    p50, p99 = np.quantile(taken, [0.5, 0.99]) if n else (np.nan, np.nan)
    return Closed(
        answered=n - failed,
        failed=failed,
        rate=n / seconds,
        p50=float(p50),
        p99=float(p99),
        cpu=1e6 * spent / max(n, 1),
    )


async def _round(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> tuple[list[float], int]:
    loop, state = asyncio.get_running_loop(), _State(requests, time.perf_counter() + seconds)
    lines = [await loop.create_connection(lambda: _Line(state), "127.0.0.1", port) for _ in range(connections)]
    await asyncio.sleep(seconds)
    while any(line.busy for _, line in lines):
        await asyncio.sleep(0.005)
    for transport, _ in lines:
        transport.close()
    await asyncio.sleep(0.01)
    return state.taken, state.failed


def _cpu(pid: int) -> float:
    process = psutil.Process(pid)
    every = [process, *process.children(recursive=True)]
    return sum(times.user + times.system for times in (one.cpu_times() for one in every))


class _State:
    def __init__(self, requests: Sequence[bytes], end: float) -> None:
        self.requests, self.end, self.at, self.taken, self.failed = requests, end, 0, [], 0

    def next(self) -> bytes:
        self.at += 1
        return self.requests[self.at % len(self.requests)]


class _Line(asyncio.Protocol):
    def __init__(self, state: _State) -> None:
        self._state, self._buffer, self._sent, self.busy = state, b"", 0.0, False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        length = int(head[head.index(b"content-length:") + 15 :].split(b"\r\n", 1)[0])
        if len(self._buffer) < end + 4 + length:
            return
        state, now = self._state, time.perf_counter()
        state.failed += not head.startswith(b"http/1.1 200")
        state.taken.append(now - self._sent)
        self._buffer = b""
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self._state.failed += self.busy
        self.busy = False

    def _ask(self) -> None:
        self._sent = time.perf_counter()
        self.busy = self._sent < self._state.end
        if self.busy:
            self._transport.write(self._state.next())
