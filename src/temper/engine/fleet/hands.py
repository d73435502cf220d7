"""Where turns are carried out: by threads of this process, each of which watches a child."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from temper.core.fleet import Wanted
from temper.engine.fleet.turn import Say, Taken, take

Heard = Callable[[Wanted, str], None]
Turn = Callable[[Wanted, Say, Callable[[], bool]], Taken]


class Hands(Protocol):
    """Takes turns on so many cores at once, and gives them back in the order in which they end."""

    slots: int
    """Cores that there are, busy ones included."""
    widest: int
    """Cores that one turn can have."""

    def begin(self, wanted: Wanted) -> None:
        """Start this turn, on as many cores as it names."""

    def ended(self, seconds: float) -> Iterator[Taken]:
        """What ended within so many seconds; returns with the first."""

    def close(self) -> None:
        """End what is still running."""


class Threads:
    """Of this machine, each turn watched by a thread. `heard` is told how far each is."""

    def __init__(self, slots: int, heard: Heard = lambda wanted, words: None, turn: Turn = take) -> None:
        self.slots = self.widest = slots
        self._heard = heard
        self._turn = turn
        self._done: queue.Queue[Taken] = queue.Queue()
        self._going = True
        self._threads: list[threading.Thread] = []

    def begin(self, wanted: Wanted) -> None:
        """Start this turn."""
        thread = threading.Thread(target=self._take, args=(wanted,), daemon=True)
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()

    def ended(self, seconds: float) -> Iterator[Taken]:
        """What ended meanwhile."""
        try:
            yield self._done.get(timeout=seconds)
        except queue.Empty:
            return
        while not self._done.empty():
            yield self._done.get()

    def close(self) -> None:
        """End what is still running, and wait until it is gone."""
        self._going = False
        for thread in self._threads:
            thread.join()

    def _take(self, wanted: Wanted) -> None:
        def said(words: str) -> None:
            self._heard(wanted, words)

        try:
            taken = self._turn(wanted, said, lambda: self._going)
        except Exception as error:  # no process, no memory or no room for its log; the fleet waits for an answer
            words = f"it could not be carried out: {error}"
            taken = Taken(wanted=wanted, at=time.time(), seconds=0.0, code=4, result={"why": words})
        self._done.put(taken)
