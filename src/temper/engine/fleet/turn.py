"""One system's turn, in a process of its own that ends with whoever watches it, on this machine or on a cluster's."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from temper.core.fleet import Attempt, Wanted
from temper.engine.child import Child, begun
from temper.engine.executors.processes import THREADS
from temper.report._inert import inert
from temper.store.codec import dump, to_json
from temper.store.database import STORE

PERFORM = "from temper.api.turn import main; main()"
"""What the process runs; its last words are the order and the patience."""
PATIENCE = 30.0
"""Seconds without a word after which it ends itself: whoever watched it is gone."""
GRACE = 20.0
"""Seconds it has to write down what it has, once its minutes are over."""
_BEAT = PATIENCE / 6.0
_POLL = 0.05
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How a process ended: its exit code, its result, the end of what it printed; `lost` where it was killed from
    outside, so that it may do better elsewhere; `cut` where its minutes were over.
    """

    wanted: Wanted
    at: float
    seconds: float
    code: int
    signal: int = 0
    result: Mapping[str, Any] = field(default_factory=dict)
    log: str = ""
    cut: bool = False
    worker: str = ""

    @property
    def lost(self) -> bool:
        """Whether somebody else ended it: the machine was short of memory or is gone, or a person did."""
        return not self.cut and not self.result and self.signal in (signal.SIGKILL, signal.SIGTERM)

    @property
    def crashed(self) -> bool:
        """Whether it ended itself without a word of its own: a model that takes the interpreter with it."""
        return not self.cut and not self.result and not self.lost

    @property
    def storeless(self) -> bool:
        """Whether it ended because the server of its store is away."""
        return bool(self.result.get("away"))

    def attempt(self) -> Attempt:
        """The turn as it is kept."""
        told = self.result
        return Attempt(
            fleet=self.wanted.fleet,
            entry=self.wanted.entry,
            config=self.wanted.config,
            at=self.at,
            seconds=self.seconds,
            code=self.code,
            why=self._why(),
            tries=self.wanted.tries,
            worker=self.worker,
            **{name: told[name] for name in _TOLD if name in told},
            parts=tuple(told.get("parts", ())),
        )

    def _why(self) -> str:
        """Why it came to no verdict, in one line."""
        if self.cut:
            kept = "; what was finished is kept, and --resume goes on with it"
            return f"its {self.wanted.minutes:g} minutes were over{kept}"
        if self.result:
            return inert(str(self.result.get("why", "")), 300)
        if self.signal:
            return f"its process was ended by {signal.Signals(self.signal).name}, try {self.wanted.tries}"
        last = [line for line in self.log.splitlines() if line.strip()][-1:]
        return f"its process ended without a result: {inert(last[0], 200) if last else 'it said nothing'}"


_WHOLE = ("finished", "current")
_TOLD = ("system", "run", "verdict", "state", "tasks", "reused", "unit", "annual", "p90", "rating")


def take(
    wanted: Wanted, say: Say = lambda words: None, going: Callable[[], bool] = lambda: True, command: Sequence[str] = ()
) -> Taken:
    """Carry out one turn and wait for its end; `say` hears how far it is, and once `going` says no it is ended."""
    began, at = time.monotonic(), time.time()
    order = to_json(dump(replace(wanted, store="")))
    words = [*(command or (sys.executable, "-c", PERFORM)), order, str(PATIENCE)]
    with begun(words, _environment(wanted.store)) as child:
        asked = _watched(child, wanted.minutes * 60.0, say, going)
        code, number = child.ended(), max(-child.process.returncode, 0)
        cut = asked and child.result.get("state") not in _WHOLE
        return Taken(
            wanted=wanted,
            at=at,
            seconds=time.monotonic() - began,
            code=4 if cut else code,
            signal=number,
            result=child.result,
            log=child.said(),
            cut=cut,
            worker=socket.gethostname(),
        )


def _environment(store: str) -> dict[str, str]:
    """One numeric thread, as workers have; this interpreter's places to import from; and the store that all share,
    which may hold a password and so stands in no list of processes.
    """
    places = {"PYTHONPATH": os.pathsep.join(place or os.getcwd() for place in sys.path)}
    return dict.fromkeys(THREADS, "1") | places | ({STORE: store} if store else {})


def _watched(child: Child, seconds: float, say: Say, going: Callable[[], bool]) -> bool:
    """Tell it that it is wanted until it ends; whether it had to be told to end."""
    began = said = time.monotonic()
    told, asked = "", False
    while child.process.poll() is None and going():
        time.sleep(_POLL)
        now = time.monotonic()
        if now - said > _BEAT:
            said = now
            child.wanted()
        if child.progress != told:
            told = child.progress
            say(told)
        if now - began > seconds and not asked:
            asked = True
            child.interrupt()
        elif now - began > seconds + GRACE:
            break
    return asked
