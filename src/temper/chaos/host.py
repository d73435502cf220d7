"""What a fault may do to a process: each thing with what takes it back, which is kept safe before it is done."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from temper.chaos.companion import Companion
from temper.chaos.deadman import LIMITS, DeadMan, Undo, spread, state
from temper.chaos.orders import Orders
from temper.chaos.press import PIECE, spare
from temper.core.errors import Unsupported

_GRACE = 1.0
"""Seconds after the end of a fault at which the second process takes it back, where the first has not."""


@dataclass(slots=True, kw_only=True, eq=False)
class Host:
    """The process `pid` as faults see it, for `seconds`. `again` starts it anew where it was killed; `orders` is how a
    process under `temper.chaos.inside`, or the reviewers of a drill, are told what to do, `store` the file of its
    control store.
    """

    pid: int
    seconds: float
    dead_man: DeadMan
    again: Callable[[], None] = lambda: None
    orders: Orders | None = None
    store: str = ""
    _undone: list[Callable[[], None]] = field(default_factory=list, init=False, repr=False)

    def stop(self) -> None:
        """Let it do nothing."""
        self._hold(Undo.of("continue", self.pid))
        os.kill(self.pid, signal.SIGSTOP)
        self._until("T")

    def kill(self) -> None:
        """End it, without a word."""
        self._undone.append(self.again)
        os.kill(self.pid, signal.SIGKILL)
        self._until("ZX")

    def limit(self, name: str, soft: int) -> None:
        """Give it no more than this much of `memory` (of its address space) or of `file` (the size of what it writes),
        in bytes.
        """
        before, hard = resource.prlimit(self.pid, LIMITS[name])
        soft = min(soft, hard) if hard != resource.RLIM_INFINITY else soft
        self._hold(Undo.of("limit", self.pid, limit=name, soft=before))
        resource.prlimit(self.pid, LIMITS[name], (soft, hard))

    def size(self) -> int:
        """The bytes of its address space now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()

    def crowd(self, many: int) -> None:
        """Put it on one core, together with `many` processes that do nothing but compute."""
        cores = os.sched_getaffinity(self.pid)
        self._hold(Undo.of("cores", self.pid, cores=tuple(sorted(cores))))
        core = max(cores)
        spread(self.pid, {core})
        for _ in range(many):
            self._press("compute", str(core))

    def fill(self, share: float, most: int) -> None:
        """Take this share of the memory that may be taken from the machine, at most so many bytes."""
        size = min(most, int(share * spare()))
        if size < PIECE:
            raise Unsupported("this machine has no memory that could be taken", fix="end something, or take more")
        self._press("fill", str(size))

    def lock(self) -> None:
        """Let nobody else write to the control store, by a lock that ends with whoever holds it."""
        if not self.store:
            raise Unsupported("there is no control store in a file here", fix="run the drill with an SQLite store")
        self._press("lock", self.store)

    def order(self, **words: float) -> None:
        """Tell the process itself what to do; it stops doing it by its own clock."""
        if self.orders is None:
            raise Unsupported("the process does not run under temper.chaos.inside, and is no reviewers' either")
        self.orders.write(until=time.monotonic() + self.seconds, **words)
        self._undone.append(self.orders.clear)

    def over(self) -> None:
        """Take everything back, the latest first; what fails does not keep the rest from being taken back."""
        while self._undone:
            undo = self._undone.pop()
            try:
                undo()
            except BaseException:
                self.over()
                raise

    def _hold(self, undo: Undo) -> None:
        number = self.dead_man.hold(undo, self.seconds + _GRACE)
        self._undone.append(lambda: self.dead_man.release(number))

    def _until(self, letters: str) -> None:
        """Wait until the process is in one of these states, as the kernel names them; a signal takes its time."""
        end = time.monotonic() + _GRACE
        while state(self.pid) not in (*letters, "") and time.monotonic() < end:
            time.sleep(0.001)

    def _press(self, *words: str) -> None:
        """A process that presses until its time is over, or whoever started it is gone."""
        companion = Companion("temper.chaos.press", f"{self.seconds + _GRACE}", *words)
        self._undone.append(lambda: companion.end(0.0))
        self._hold(Undo.of("end", companion.pid))
        try:
            companion.hear()
        except OSError:
            raise Unsupported(f"the machine could not be pressed: {' '.join(words)}") from None
