"""What is mixed into uvicorn's protocol on httptools to put it behind a door."""

from __future__ import annotations

from asyncio import TimerHandle
from typing import Any

from temper.gateway.transport import Door, whole

_FULL = b'{"error":"too busy, ask again"}'
_SHED = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\ncontent-length: "
    + str(len(_FULL)).encode()
    + b"\r\n\r\n"
    + _FULL
)
_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Guarded:
    """One connection; comes before uvicorn's own class. Turned away is only a POST that has come whole in one piece,
    because nothing of it has to be read for that; others meet the limits above ASGI.
    """

    door: Door
    loop: Any
    transport: Any
    cycle: Any
    scope: Any
    timeout_keep_alive: float
    timeout_keep_alive_task: Any
    timeout_keep_alive_handler: Any
    _unset_keepalive_if_required: Any
    _timer: TimerHandle | None = None
    _head = 0
    _inside = False

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        door = self.door
        if door.full(door.entered) and self._idle() and whole(data):
            door.shed += 1
            self._unset_keepalive_if_required()
            self.transport.write(_SHED)
            self._wait()
            return
        if not door.entered:
            self.loop.call_soon(self._met)
        door.entered += 1
        self._head += len(data)
        super().data_received(data)  # type: ignore[misc]
        if self._inside and self._timer is None:
            self._timer = self.loop.call_later(self.door.seconds, self._late)
        if self._inside and self._head > self.door.head and self._head_open():
            self.door.long += 1
            self.transport.write(_LONG)
            self.transport.close()

    def _head_open(self) -> bool:
        """Whether the head has not ended."""
        return "path" not in self.scope

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._inside = True
        super().on_message_begin()  # type: ignore[misc]

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        self._inside, self._head = False, 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().on_message_complete()  # type: ignore[misc]

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side has gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().connection_lost(exc)  # type: ignore[misc]

    def _met(self) -> None:
        """Whoever came in this pass is met before the next one reads."""
        self.door.entered = 0

    def _idle(self) -> bool:
        return not self._inside and (self.cycle is None or self.cycle.response_complete)

    def _wait(self) -> None:
        """Wait for the next request as after an answer."""
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _late(self) -> None:
        self._timer = None
        if self._inside and not self.transport.is_closing():
            self.door.slow += 1
            self.transport.close()
