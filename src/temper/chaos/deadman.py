"""A process that takes back what a drill did when the drill is gone, or has not taken it back in time.

python -m temper.chaos.deadman
"""

from __future__ import annotations

import json
import os
import resource
import selectors
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from temper.chaos.companion import Companion
from temper.core.errors import TemperError

LIMITS = {"memory": resource.RLIMIT_AS, "file": resource.RLIMIT_FSIZE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """One thing to take back, of a process: let it go on (`continue`), end it (`end`), let it run on the cores `cores`
    again (`cores`), give it a limit `limit` back (`limit`). `born` keeps another process with the same number safe.
    """

    what: str
    pid: int
    born: str
    limit: str = ""
    soft: int = -1
    cores: tuple[int, ...] = ()

    @classmethod
    def of(cls, what: str, pid: int, **more: Any) -> Undo:
        """One for a process that is there."""
        return cls(what=what, pid=pid, born=born(pid), **more)

    def do(self) -> None:
        """Take it back; a process that has ended needs nothing, and twice is once."""
        if not self.born or born(self.pid) != self.born:
            return
        with suppress(ProcessLookupError):
            if self.what == "continue":
                os.kill(self.pid, signal.SIGCONT)
            elif self.what == "end":
                os.kill(self.pid, signal.SIGKILL)
            elif self.what == "cores":
                spread(self.pid, self.cores)
            else:
                hard = resource.prlimit(self.pid, LIMITS[self.limit])[1]
                resource.prlimit(self.pid, LIMITS[self.limit], (self.soft, hard))

    def document(self) -> Mapping[str, Any]:
        """As it is sent."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def spread(pid: int, cores: Iterable[int]) -> None:
    """Let a process, all of its threads, run on these cores only."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), set(cores))


def born(pid: int) -> str:
    """When a process was started, in the kernel's ticks; "" where there is none or it is only waited for."""
    words = _told(pid)
    return "" if not words or words[0] in "ZX" else words[19]


def state(pid: int) -> str:
    """The letter of its state, "" where there is no such process."""
    return next(iter(_told(pid)), "")


def _told(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


@dataclass(slots=True, kw_only=True, eq=False)
class DeadMan:
    """Holds what has to be taken back, in this process and in a second one: whichever of the two is left does it.

    The second one does so as soon as this one is gone, and for each undo after its own time, even where this process
    lives and hangs.
    """

    _held: dict[int, Undo] = field(default_factory=dict, init=False)
    _numbers: Any = field(default_factory=lambda: count(1), init=False, repr=False)
    _companion: Any = field(default=None, init=False, repr=False)

    def __enter__(self) -> DeadMan:
        self._companion = Companion(__spec__.name)
        self._companion.hear()
        return self

    def __exit__(self, *_: object) -> None:
        for number in tuple(reversed(self._held)):
            self.release(number)
        self._companion.end()

    def leave(self) -> None:
        """As if this process were gone: only the second one is left, and takes everything back."""
        self._held.clear()
        self._companion.leave()

    @property
    def alive(self) -> bool:
        """Whether there are two."""
        return bool(self._companion.alive)

    def hold(self, undo: Undo, seconds: float) -> int:
        """Take this back in so many seconds, unless it is released before. Returns once the second process knows: only
        then may the thing itself be done. TemperError where there is no second process.
        """
        number = int(next(self._numbers))
        self._held[number] = undo
        try:
            self._say({"hold": number, "undo": undo.document(), "seconds": seconds})
        except (OSError, ValueError):
            del self._held[number]
            raise TemperError(
                "the process that would take the fault back has ended", fix="run the drill again; nothing was done"
            ) from None
        return number

    def release(self, number: int) -> None:
        """Take it back now, and forget it."""
        undo = self._held.pop(number, None)
        if undo is not None:
            undo.do()
            with suppress(OSError, ValueError):
                self._say({"release": number})

    def _say(self, words: Mapping[str, Any]) -> None:
        self._companion.say(json.dumps(words))


def watch() -> None:
    """Hear what is held and released, until nobody speaks any more; then take back what is left, the latest first."""
    for word in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(word, signal.SIG_IGN)
    held: dict[int, tuple[float, Undo]] = {}
    ears = selectors.DefaultSelector()
    ears.register(sys.stdin, selectors.EVENT_READ)
    heard = b""
    _ready()
    while True:
        wait = min((at for at, _ in held.values()), default=None)
        ready = ears.select(None if wait is None else max(0.0, wait - time.monotonic()))
        for number in [number for number, (at, _) in held.items() if at <= time.monotonic()]:
            held.pop(number)[1].do()
        if not ready:
            continue
        data = os.read(sys.stdin.fileno(), 65_536)
        if not data:
            break
        *lines, heard = (heard + data).split(b"\n")
        for line in lines:
            _obey(json.loads(line), held)
            _ready()
    for _, undo in reversed(held.values()):
        undo.do()


def _obey(words: Mapping[str, Any], held: dict[int, tuple[float, Undo]]) -> None:
    if "release" in words:
        held.pop(words["release"], None)
        return
    undo = Undo(**{**words["undo"], "cores": tuple(words["undo"]["cores"])})
    held[words["hold"]] = time.monotonic() + words["seconds"], undo


def _ready() -> None:
    with suppress(OSError):  # whoever listened is gone; the next read says so
        sys.stdout.write("\n")
        sys.stdout.flush()


if __name__ == "__main__":
    watch()
