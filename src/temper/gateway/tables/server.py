"""The process around a gateway: it goes down so that nobody who was let in is left without an answer."""

from __future__ import annotations

import gc
import signal
import socket
import time
from types import FrameType
from typing import Any

from temper.gateway.events import tell
from temper.gateway.tables.build import Gateway
from temper.gateway.transport import Orderly, settings


class Draining(Orderly):
    """Before uvicorn's Server: at SIGTERM `/readyz` says 503 for `drain` seconds, in which requests are answered as
    before and whoever spreads them looks elsewhere; then no more are let in, those under way are answered, and the
    journal is closed. A second signal skips the wait.
    """

    gateway: Gateway
    until = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to go down."""
        drain = self.gateway.live.serving.drain if sig == signal.SIGTERM else 0.0
        first, self.gateway.leaving = not self.gateway.leaving, True
        if first:
            tell("gateway.draining", seconds=drain)
        if first and drain:
            self.until = time.monotonic() + drain
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop letting requests in."""
        over = bool(self.until) and time.monotonic() >= self.until
        return await super().on_tick(counter) or over  # type: ignore[misc]


def run(gateway: Gateway, host: str, port: int, sockets: list[socket.socket] | None = None) -> None:
    """Answer until told to stop."""
    import uvicorn

    # What is loaded by now stays: a full collection among so many libraries would hold requests up for 0.1 s.
    gc.collect()
    gc.freeze()
    config = uvicorn.Config(gateway, host=host, port=port, **settings(gateway.door))
    kind: Any = type("Server", (Draining, uvicorn.Server), {"gateway": gateway})
    kind(config).run(sockets=sockets)
