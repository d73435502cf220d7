"""Several processes behind one port: each with its own journal; what they share of a quota they lease."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temper.gateway.events import tell
from temper.gateway.log import Signals, logged
from temper.gateway.tables.build import opened
from temper.gateway.tables.server import run

_LOOK, _SHORT = 0.1, 5.0
"""Seconds between looks at the processes, and how long one has to live to be restarted at once."""


@dataclass(slots=True, kw_only=True, eq=False)
class Workers:
    """Starts `many` processes that listen together, and one again that has ended by itself. SIGTERM and SIGHUP are
    passed on; where this process is gone, the others leave too.

    A client's requests meet any of them: what one process remembers (a request id, a trail of queries, a breaker's
    state) the others do not.
    """

    path: Path
    host: str
    port: int
    many: int
    node: str
    signals: Signals
    restarted: int = 0
    _socket: socket.socket = field(init=False, repr=False)
    _running: dict[int, tuple[Any, float]] = field(default_factory=dict, init=False, repr=False)
    _leaving: bool = field(default=False, init=False, repr=False)

    def run(self) -> None:
        """Until told to stop, and all have stopped."""
        self._socket = socket.create_server((self.host, self.port), backlog=2_048)
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(sig, self._told)
        for seat in range(self.many):
            self._start(seat)
        while self._running:
            time.sleep(_LOOK)
            for seat, (process, since) in list(self._running.items()):
                if not process.is_alive():
                    self._ended(seat, process, since)
        self._socket.close()

    def _start(self, seat: int) -> None:
        given = (self.path, self.host, self.port, self._socket, self.node, seat, self.many, os.getpid(), self.signals)
        process = multiprocessing.get_context("spawn").Process(target=_answer, args=given, name=f"worker {seat}")
        process.start()
        self._running[seat] = process, time.monotonic()

    def _ended(self, seat: int, process: Any, since: float) -> None:
        del self._running[seat]
        if self._leaving:
            return
        tell("worker.ended", worker=seat, code=process.exitcode)
        if time.monotonic() - since < _SHORT:
            time.sleep(1.0)
        self.restarted += 1
        self._start(seat)

    def _told(self, sig: int, frame: Any) -> None:
        self._leaving = self._leaving or sig != signal.SIGHUP
        for process, _ in self._running.values():
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, sig)


def _answer(
    path: Path,
    host: str,
    port: int,
    listening: socket.socket,
    node: str,
    seat: int,
    many: int,
    parent: int,
    signals: Signals,
) -> None:
    with logged(signals) as log:
        gateway = opened(path, node=node, worker=str(seat), workers=many, otlp=signals.otlp)
        gateway.parent, gateway.log, gateway.url = parent, log, f"http://{host}:{port}"
        run(gateway, host, port, [listening])


def serve_many(
    path: Path, host: str, port: int, many: int, told: Callable[[str], None], node: str, signals: Signals = Signals()
) -> None:
    """Answer by this many processes; `told` hears what cannot be shared."""
    told(f"{many} processes: quotas are shared; each has its own breaker, trails and request ids")
    Workers(path=path, host=host, port=port, many=many, node=node, signals=signals).run()
