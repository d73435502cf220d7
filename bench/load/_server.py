"""SIMULATED services with known truth, as a process of their own: one queue, one server, every request the same work.

python -m bench.load._server PORT --service 0.01 [--stall 2.0:0.5] [--queue 20] [--dies 3.0] [--leaks 100000] [--cert C]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
SHED = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"


class Queue:
    """First come, first served: each request takes `service` seconds, and nothing is served in a stall. The clock of
    stalls starts with the first request. With `room`, who would be further behind than that is turned away.
    """

    def __init__(self, service: float, stall: tuple[float, float], room: int, leaks: int) -> None:
        self.service, self.stall, self.room, self.leaks = service, stall, room, leaks
        self.start, self.until = -1.0, 0.0
        self.leaked: list[bytes] = []

    def served(self, now: float) -> float | None:
        """When this request is done; None where it is turned away."""
        if self.start < 0:
            self.start = now
        if self.leaks:
            self.leaked.append(os.urandom(self.leaks))
        if self.room and self.until - now > self.room * self.service:
            return None
        began = max(now, self.until)
        first, last = self.start + self.stall[0], self.start + sum(self.stall)
        if first <= began < last:
            began = last
        self.until = began + self.service
        return self.until


class Line(asyncio.Protocol):
    """A connection: requests with a body of known length, one after the other."""

    def __init__(self, queue: Queue) -> None:
        self.queue, self.buffer = queue, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, rest = self.buffer.partition(b"\r\n\r\n")
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            many = int(lengths[0].partition(b":")[2]) if lengths else 0
            if len(rest) < many:
                return
            self.buffer = rest[many:]
            self.answer()

    def answer(self) -> None:
        now = time.perf_counter()
        done = self.queue.served(now)
        if done is None:
            self.transport.write(SHED)
        elif done <= now:
            self.transport.write(OK)
        else:
            asyncio.get_running_loop().call_later(done - now, self.transport.write, OK)


async def run(words: argparse.Namespace) -> None:
    """Serve until the end, or until it dies."""
    start, length = (float(one) for one in words.stall.split(":"))
    queue = Queue(words.service, (start, length), words.queue, words.leaks)
    tls = None
    if words.cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(words.cert)
    server = await asyncio.get_running_loop().create_server(
        lambda: Line(queue), "127.0.0.1", words.port, ssl=tls, backlog=4096
    )
    async with server:
        if words.dies:
            while queue.start < 0 or time.perf_counter() - queue.start < words.dies:
                await asyncio.sleep(0.01)
            os._exit(1)
        await server.serve_forever()


@contextmanager
def served(service: float, **more: object) -> Iterator[tuple[int, int]]:
    """(port, process id) of such a service."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    words = [word for name, value in more.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "bench.load._server", str(port), "--service", str(service), *words]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:
        _up(port, process)
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


def _up(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError("the simulated service does not come up")


def main(words: list[str]) -> None:
    """What stands at the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--service", type=float, default=0.0)
    parser.add_argument("--stall", default="0:0")
    parser.add_argument("--queue", type=int, default=0)
    parser.add_argument("--dies", type=float, default=0.0)
    parser.add_argument("--leaks", type=int, default=0)
    parser.add_argument("--cert", default="")
    asyncio.run(run(parser.parse_args(words)))


if __name__ == "__main__":
    main(sys.argv[1:])
