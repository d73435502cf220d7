"""Below ASGI: requests that come too slowly, heads that are too long, and refusals that cost next to nothing where
there is too much to do.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,9})\r\n", re.IGNORECASE)


@dataclass(slots=True, kw_only=True, eq=False)
class Door:
    """`full` says whether one more request would only wait, where so many have been let in that nobody has met yet;
    `shed` counts those that were turned away, `slow` those that did not come within `seconds`, `long` those whose head
    passed `head` bytes. `entered` are those of this pass of the event loop: all that is ready is read before any of it
    is looked at.
    """

    full: Callable[[int], bool]
    seconds: float = 10.0
    head: int = 16 * 1024
    entered: int = 0
    shed: int = 0
    slow: int = 0
    long: int = 0


class Orderly:
    """Before uvicorn's Server: SIGTERM and Ctrl-C end the process in good order and with status 0, where uvicorn would
    raise them again and lose what is still to be written. Whoever presses Ctrl-C twice cuts off what is under way.
    """

    should_exit: bool

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to go down."""
        if self.should_exit and sig == signal.SIGINT:
            super().handle_exit(sig, frame)  # type: ignore[misc]
        self.should_exit = True


def whole(data: bytes) -> bool:
    """Whether this is one whole POST and nothing more."""
    if not data.startswith(b"POST "):
        return False
    end = data.find(b"\r\n\r\n")
    found = _LENGTH.search(data, 0, end + 2) if end > 0 else None
    return found is not None and len(data) == end + 4 + int(found[1])


def settings(door: Door | None = None) -> dict[str, Any]:
    """What uvicorn is to be run with, at this gateway and at that for assistants."""
    found: dict[str, Any] = {
        "log_config": None,  # everything of this process goes through one log
        "access_log": False,
        "timeout_keep_alive": 30,
        "server_header": False,
        "date_header": False,
        "proxy_headers": False,  # who asks is told by a key, not by a header anybody can write
    }
    if door is None:
        return found
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    from temper.gateway._protocol import Guarded

    found["timeout_graceful_shutdown"] = 3  # a body that dawdles must not keep the process
    return {**found, "http": type("Guarded", (Guarded, HttpToolsProtocol), {"door": door})}
