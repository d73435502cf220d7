"""One connection to an upstream: a request, its whole answer, and never anything else in its place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_HEAD = 64 * 1024


class UpstreamError(Exception):
    """There is no answer that can be used: why, and the `status` where one came. `unread` says that a connection that
    had been used before was closed before a byte of the answer.
    """

    def __init__(self, why: str, status: int = 0, *, unread: bool = False) -> None:
        super().__init__(why)
        self.why, self.status, self.unread = why, status, unread


class Connection(asyncio.Protocol):
    """Sends one request at a time. Whatever is not exactly one whole answer of at most `most` bytes, in time, ends the
    connection: cut off, more bytes than the answer, bytes nobody asked for, no HTTP.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int, gone: Callable[[Connection], None]) -> None:
        import httptools

        self.alive = False
        self.since = 0.0
        self._loop, self._most, self._gone = loop, most, gone
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._reset()

    def ask(self, request: bytes, deadline: float) -> asyncio.Future[tuple[int, bytes]]:
        """The status and body to come, or `UpstreamError`."""
        self._reset()
        answer = self._answer = self._loop.create_future()
        if not self.alive:
            self._end(UpstreamError("the connection was closed before the request", unread=True))
            return answer
        self._deadline = deadline
        # A timer is left standing when an answer comes, and looked at when it fires: cheaper than one for each request.
        if self._timer is None or deadline < self._timer.when():
            self._watch(deadline)
        self._transport.write(request)
        return answer

    def abort(self) -> None:
        """End it now, with whatever is on its way."""
        if self.alive:
            self.alive = False
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = transport  # type: ignore[assignment]
        self.alive = True

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed."""
        self.alive = False
        if self._timer:
            self._timer.cancel()
        self._end(UpstreamError("the connection was closed before the answer was whole", unread=not self._begun))
        self._gone(self)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._answer is None:
            return self.abort()
        self._begun = True
        if not self._inside:
            self._head += len(data)
        try:
            self._parser.feed_data(data)
        except Exception as wrong:  # whatever the parser calls it, it is no answer
            return self._fail(f"the answer is no HTTP/1.1: {type(wrong).__name__}")
        if self._size > self._most:
            return self._fail(f"the answer is over {self._most:,} bytes")
        if not self._inside and self._head > _HEAD:
            return self._fail(f"the head of the answer is over {_HEAD:,} bytes")
        if self._whole:
            self._done()
        return None

    def on_message_begin(self) -> None:
        """An answer starts; a second one was not asked for."""
        if self._whole:
            raise ValueError("more than one answer")

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._inside = True

    def on_body(self, body: bytes) -> None:
        """A piece of it."""
        self._size += len(body)
        if self._size > self._most:
            return
        self._body.append(body)

    def on_message_complete(self) -> None:
        """It is whole, unless it only told to wait."""
        if 100 <= self._parser.get_status_code() < 200:
            self._inside = False
            self._body.clear()
        else:
            self._whole, self._keep = True, self._parser.should_keep_alive()

    def _reset(self) -> None:
        self._body: list[bytes] = []
        self._size = self._head = 0
        self._inside = self._whole = self._begun = self._keep = False

    def _done(self) -> None:
        status = self._parser.get_status_code()
        if not self._keep:
            self.abort()
        answer, self._answer = self._answer, None
        if answer and not answer.done():
            answer.set_result((status, b"".join(self._body)))

    def _fail(self, why: str) -> None:
        self.abort()
        self._end(UpstreamError(why))

    def _end(self, error: UpstreamError) -> None:
        answer, self._answer = self._answer, None
        if answer and not answer.done():
            answer.set_exception(error)

    def _watch(self, deadline: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._late)

    def _late(self) -> None:
        self._timer = None
        if self._answer is None:
            return
        if self._deadline - self._loop.time() > 0.0005:
            return self._watch(self._deadline)
        self._fail("no answer in time")
