"""Connections to one upstream, kept and handed on."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from temper.core.errors import ConfigError
from temper.gateway.upstream.address import Address
from temper.gateway.upstream.connection import Connection, UpstreamError

if TYPE_CHECKING:
    import ssl

_NAME, _VALUE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"), re.compile(r"[\t -~]*")
_OURS = (
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "expect",
    "te",
    "upgrade",
    "traceparent",
)


@dataclass(slots=True, kw_only=True, eq=False)
class Pool:
    """POSTs JSON to one address over at most `most` connections; who finds all in use waits, in order, until the
    deadline. Answers may have `most_bytes`. A connection whose request was cancelled or late is closed and never used
    again, so nobody gets an answer to another's question. Redirects are answers like any other status: not followed.

    Nothing is sent twice, with one exception: a kept connection that the other side had closed already, before a byte
    of the answer, which a score, being a function of its rows, allows. Of one event loop.
    """

    address: Address
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    most: int = 64
    most_bytes: int = 8 * 1024 * 1024
    idle_seconds: float = 4.0
    context: ssl.SSLContext | None = field(default=None, repr=False)
    again: int = field(default=0, init=False)
    """How many requests were sent again on a fresh connection."""
    _head: bytes = field(default=b"", init=False, repr=False)
    _open: int = field(default=0, init=False, repr=False)
    _idle: list[Connection] = field(default_factory=list, init=False, repr=False)
    _every: set[Connection] = field(default_factory=set, init=False, repr=False)
    _waiting: deque[asyncio.Future[Connection | None]] = field(default_factory=deque, init=False, repr=False)
    _closed: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.most < 1 or self.most_bytes < 1:
            raise ConfigError("a pool without connections or answers", fix="most and most_bytes at least 1")
        for name, value in self.headers.items():
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or name.lower() in _OURS:
                raise ConfigError(f"{name[:60]!r} is no header to send", fix="a name and printable text")
        lines = [
            f"POST {self.address.path} HTTP/1.1",
            f"Host: {self.address.authority}",
            "Content-Type: application/json",
            *(f"{name}: {value}" for name, value in self.headers.items()),
            "Content-Length: ",
        ]
        self._head = "\r\n".join(lines).encode("ascii")
        if self.address.secure and self.context is None:
            import ssl

            self.context = ssl.create_default_context()

    async def post(self, body: bytes, deadline: float, trace: str = "") -> tuple[int, bytes]:
        """Status and body of the answer; `deadline` in seconds of the loop's clock, `trace` a valid `traceparent` or
        nothing. `UpstreamError` where no answer came.
        """
        loop = asyncio.get_running_loop()
        traced = b"\r\ntraceparent: %b" % trace.encode("ascii") if trace else b""
        request = b"%b%d%b\r\n\r\n%b" % (self._head, len(body), traced, body)
        while True:
            connection, used = await self._take(loop, deadline)
            try:
                answer = await connection.ask(request, deadline)
            except UpstreamError as wrong:
                if not (used and wrong.unread):
                    raise
                self.again += 1
            except BaseException:
                connection.abort()
                raise
            else:
                self._back(connection, loop)
                return answer

    async def close(self) -> None:
        """End every connection; nothing is sent any more."""
        self._closed = True
        for connection in [*self._every]:
            connection.abort()
        await asyncio.sleep(0)

    async def _take(self, loop: asyncio.AbstractEventLoop, deadline: float) -> tuple[Connection, bool]:
        """A connection, and whether it had been used before."""
        now = loop.time()
        if self._closed or now >= deadline:
            raise UpstreamError("the pool is closed" if self._closed else "no time was left")
        while self._idle:
            connection = self._idle.pop()
            if connection.alive and now - connection.since < self.idle_seconds:
                return connection, True
            connection.abort()
        if self._open < self.most:
            self._open += 1
            return await self._connect(loop, deadline), False
        return await self._turn(loop, deadline)

    async def _turn(self, loop: asyncio.AbstractEventLoop, deadline: float) -> tuple[Connection, bool]:
        """Wait for a connection, or for the place of one."""
        waiter: asyncio.Future[Connection | None] = loop.create_future()
        self._waiting.append(waiter)
        timer = loop.call_at(deadline, _over, waiter)
        try:
            connection = await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and not waiter.exception():
                self._pass_on(waiter.result(), loop)
            raise
        finally:
            timer.cancel()
        if connection is None:
            return await self._connect(loop, deadline), False
        return connection, True

    async def _connect(self, loop: asyncio.AbstractEventLoop, deadline: float) -> Connection:
        """A new connection in a place that is already counted."""
        made = False
        try:
            if self._closed:
                raise UpstreamError("the pool is closed")
            async with asyncio.timeout_at(deadline):
                host, port = await self.address.place(loop)
                _, connection = await loop.create_connection(
                    lambda: Connection(loop, self.most_bytes, self._gone),
                    host,
                    port,
                    ssl=self.context,
                    server_hostname=self.address.host if self.context else None,
                )
            self._every.add(connection)
            made = True
            return connection
        except TimeoutError:
            raise UpstreamError("no connection in time") from None
        except (OSError, UnicodeError) as wrong:
            raise UpstreamError(f"no connection: {type(wrong).__name__}") from None
        finally:
            if not made:
                self._free()

    def _back(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        if connection.alive:
            self._pass_on(connection, loop)

    def _pass_on(self, connection: Connection | None, loop: asyncio.AbstractEventLoop) -> None:
        """To who waits longest, else into the pool; None is the place of a connection."""
        if connection is None:
            return self._free()
        if waiter := self._next():
            waiter.set_result(connection)
        else:
            connection.since = loop.time()
            self._idle.append(connection)
        return None

    def _next(self) -> asyncio.Future[Connection | None] | None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                return waiter
        return None

    def _free(self) -> None:
        if waiter := self._next():
            waiter.set_result(None)
        else:
            self._open -= 1

    def _gone(self, connection: Connection) -> None:
        """A connection is closed, by whomever; one that was never finished is not counted here."""
        if connection in self._every:
            self._every.remove(connection)
            if connection in self._idle:
                self._idle.remove(connection)
            self._free()


def _over(waiter: asyncio.Future[Connection | None]) -> None:
    if not waiter.done():
        waiter.set_exception(UpstreamError("no connection was free in time"))
