"""A proxy that does nothing until it is given a fault, and nothing again when that is over."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from temper.chaos import reply
from temper.chaos.effect import NOTHING, Effect
from temper.chaos.injector import Injector

_DRAINED = 0.05


@dataclass(slots=True, kw_only=True, eq=False)
class Proxy:
    """Stands between a client and `upstream`, of one connection there for each here. Without a fault every byte goes on
    as it came, when it came, whatever protocol it is of. With one, HTTP/1.1 is taken exchange by exchange; of anything
    else each answer to what was sent last counts as an exchange, and only times and breaks apply.

    A client (of a `Scope`) is who is named by `Authorization: Bearer`, or an address.
    """

    upstream: tuple[str, int]
    injector: Injector = field(default_factory=Injector)
    _server: Any = field(default=None, init=False, repr=False)
    _open: set[Any] = field(default_factory=set, init=False, repr=False)

    async def listen(self, port: int = 0, host: str = "127.0.0.1") -> int:
        """Begin; the port, chosen by the system where it is 0."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Front(self), host, port, reuse_address=True)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Listen no more, and end every connection."""
        self._server.close()
        for front in tuple(self._open):
            front.transport.close()
        await self._server.wait_closed()


class _Front(asyncio.Protocol):
    """The client's side of one connection: it opens the other side and carries effects out."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy, self.loop = proxy, asyncio.get_running_loop()
        self.transport: Any = None
        self.back: Any = None
        self.early, self.held, self.peer, self.client = b"", b"", "", ""
        self.under_way, self.effect, self.reads = False, NOTHING, False
        self.questions, self.answers = _Framing(question=True), _Framing(question=False)
        self.delivering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.peer = str((transport.get_extra_info("peername") or ("",))[0])
        self.proxy._open.add(self)
        self.loop.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            back, _ = await self.loop.create_connection(lambda: _Back(self), *self.proxy.upstream)
        except OSError:
            self.break_off()
            return
        self.back = back
        if self.transport.is_closing():
            back.close()
        elif self.early:
            self.data_received(self.early)

    def data_received(self, data: bytes) -> None:
        if self.back is None:
            self.early += data
            return
        if not self.under_way or (self.questions.over and self.answers.begun):
            self._begin(data)
        self.questions.feed(data)
        if self.effect.refuse:
            self.break_off()
        elif not self.effect.status:
            self.back.write(data)
        elif self.questions.over:
            self._over(reply.failed(self.effect.status) if self.questions.framed else b"")

    def _begin(self, data: bytes) -> None:
        """Another exchange: what is done to it is settled now."""
        injector = self.proxy.injector
        self.under_way, self.held = True, b""
        self.questions, self.answers = _Framing(question=True), _Framing(question=False)
        self.effect, self.reads = NOTHING, injector.rescores()
        if injector.fault is not None:
            self.client = _bearer(data) or self.peer
            self.effect = injector.meet(self.client)

    def answered(self, data: bytes) -> None:
        """Bytes from the upstream: passed on as they are, or kept until the answer is whole."""
        self.answers.feed(data)
        if self.effect == NOTHING and not self.reads:
            self.transport.write(data)
            self.under_way = self.under_way and not self.answers.over
            return
        self.held += data
        if self.answers.over:
            self._hand_over()

    def _hand_over(self) -> None:
        raw, self.held = self.held, b""
        self.delivering = self.loop.create_task(self._deliver(raw, self.effect))

    async def _deliver(self, raw: bytes, effect: Effect) -> None:
        framed = self.answers.framed and b"\r\n\r\n" in raw
        told = self._changed(raw, effect) if framed else raw
        if effect.hang:
            await self._until_over()
        elif effect.wait:
            await asyncio.sleep(effect.wait)
        if self.transport.is_closing():
            return
        if effect.part == 1:
            self._over(told)
            return
        begun = len(reply.head(told)) if framed else 0
        self.transport.write(told[: begun + int(effect.part * (len(told) - begun))])
        await asyncio.sleep(_DRAINED)
        self.break_off() if effect.reset else self.transport.close()

    async def _until_over(self) -> None:
        while (left := self.proxy.injector.left) and not self.transport.is_closing():
            await asyncio.sleep(min(left, _DRAINED))

    def _changed(self, raw: bytes, effect: Effect) -> bytes:
        body, injector = self.answers.body, self.proxy.injector
        if effect.body is not None:
            return reply.rebuilt(raw, effect.body)
        new = reply.overwritten(body, dict(effect.fields)) if effect.fields else body
        if self.reads:
            new = reply.rescored(new, lambda scores: injector.answer(scores, self.client))
        return raw if new is body else reply.rebuilt(raw, new)

    def _over(self, told: bytes) -> None:
        self.under_way, self.effect, self.reads = False, NOTHING, False
        self.transport.write(told)

    def pause_writing(self) -> None:
        if self.back is not None:
            self.back.pause_reading()

    def resume_writing(self) -> None:
        if self.back is not None:
            self.back.resume_reading()

    def eof_received(self) -> bool:
        """A client that has said everything may still be waiting for its answer."""
        if self.back is None or not self.back.can_write_eof():
            return False
        self.back.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.proxy._open.discard(self)
        if self.back is not None:
            self.back.close()

    async def ended(self, broken: bool) -> None:
        """The upstream has closed: what it said before still arrives."""
        if self.held:
            self._hand_over()
        if self.delivering is not None:
            await self.delivering
        self.break_off() if broken else self.transport.close()

    def break_off(self) -> None:
        """Close by a reset."""
        found = self.transport.get_extra_info("socket")
        if found is not None and found.fileno() >= 0:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class _Back(asyncio.Protocol):
    """The upstream's side."""

    def __init__(self, front: _Front) -> None:
        self.front = front
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.front.answered(data)

    def pause_writing(self) -> None:
        self.front.transport.pause_reading()

    def resume_writing(self) -> None:
        self.front.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.front.loop.create_task(self.front.ended(exc is not None))


def _bearer(data: bytes) -> str:
    """Who the headers in these bytes say is asking, "" where they do not."""
    for line in data.split(b"\r\n\r\n", 1)[0].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"authorization" and value.strip().lower().startswith(b"bearer "):
            return value.strip()[7:].decode("latin-1").strip()
    return ""


class _Framing:
    """Where an HTTP message ends, and what its body is. What is no HTTP has no frame, and is over with every piece."""

    def __init__(self, *, question: bool) -> None:
        import httptools

        kind: Callable[[Any], Any] = httptools.HttpRequestParser if question else httptools.HttpResponseParser
        self._parser, self._wrong = kind(self), (httptools.HttpParserError, httptools.HttpParserUpgrade)
        self.framed, self.begun, self.body = True, False, b""
        self._whole = False

    @property
    def over(self) -> bool:
        """Whether nothing more belongs to it."""
        return self._whole or (self.begun and not self.framed)

    def feed(self, data: bytes) -> None:
        self.begun = True
        if self.framed:
            try:
                self._parser.feed_data(data)
            except self._wrong:
                self.framed = False

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self._whole = True
