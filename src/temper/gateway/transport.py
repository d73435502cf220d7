"""Below ASGI: requests that come too slowly, heads that are too long, and refusals that cost next to nothing where
there is too much to do.
"""

from __future__ import annotations

import re
from asyncio import TimerHandle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,9})\r\n", re.IGNORECASE)
_FULL = b'{"error":"too busy, ask again"}'
_SHED = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\ncontent-length: "
    + str(len(_FULL)).encode()
    + b"\r\n\r\n"
    + _FULL
)
_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@dataclass(slots=True, kw_only=True, eq=False)
class Door:
    """`full` says whether another request would only wait; `shed` counts those that were turned away, `slow` those that
    did not come within `seconds`, `long` those whose head passed `head` bytes.
    """

    full: Callable[[], bool]
    seconds: float = 10.0
    head: int = 16 * 1024
    shed: int = 0
    slow: int = 0
    long: int = 0


def protocol(door: Door) -> type:
    """The protocol class for uvicorn's `http=`: httptools' parser behind this door.

    Turned away is only a POST that has come whole in one piece, because nothing of it has to be read for that; others
    meet the limits above ASGI.
    """
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    class Guarded(HttpToolsProtocol):
        """One connection."""

        _timer: TimerHandle | None = None
        _head = 0
        _inside = False

        def data_received(self, data: bytes) -> None:
            if door.full() and self._idle() and _whole(data):
                door.shed += 1
                self._unset_keepalive_if_required()
                self.transport.write(_SHED)
                self._wait()
                return
            self._head += len(data)
            super().data_received(data)
            if self._inside and self._timer is None:
                self._timer = self.loop.call_later(door.seconds, self._late)
            if self._inside and self._head > door.head and self.cycle_pending():
                door.long += 1
                self.transport.write(_LONG)
                self.transport.close()

        def cycle_pending(self) -> bool:
            """Whether the head has not ended."""
            return "path" not in self.scope

        def on_message_begin(self) -> None:
            self._inside = True
            super().on_message_begin()

        def on_message_complete(self) -> None:
            self._inside, self._head = False, 0
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            super().on_message_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            super().connection_lost(exc)

        def _idle(self) -> bool:
            return not self._inside and (self.cycle is None or self.cycle.response_complete)

        def _wait(self) -> None:
            """Wait for the next request as after an answer."""
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

        def _late(self) -> None:
            self._timer = None
            if self._inside and not self.transport.is_closing():
                door.slow += 1
                self.transport.close()

    return Guarded


def _whole(data: bytes) -> bool:
    """Whether this is one whole POST and nothing more."""
    if not data.startswith(b"POST "):
        return False
    end = data.find(b"\r\n\r\n")
    found = _LENGTH.search(data, 0, end + 2) if end > 0 else None
    return found is not None and len(data) == end + 4 + int(found[1])


def settings(door: Door | None = None) -> dict[str, Any]:
    """What uvicorn is to be run with, at this gateway and at that for assistants."""
    found: dict[str, Any] = {
        "log_level": "warning",
        "access_log": False,
        "timeout_keep_alive": 30,
        "server_header": False,
        "date_header": False,
    }
    return found if door is None else {**found, "http": protocol(door)}
