"""What carries jobs out: one after the other, each in a process of its own, which lives no longer than the job is held.

The process is told with every renewal of the lease that it is still wanted. When that stays away, because the worker
was killed or stopped or the store cannot be reached, it kills itself and all that it started before the lease is over.
So no job runs twice at once, but on a machine that slept meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from temper.core.errors import StoreError
from temper.core.job import Job, JobState
from temper.engine.child import Child, begun
from temper.report._inert import inert
from temper.store.codec import dump, to_json
from temper.store.control.jobs import LEASE, Jobs

AUTHOR = "TEMPER_AUTHOR"
"""What a job learns by whom it was ordered: that is the author of its run."""
BEAT = LEASE / 6.0
"""Seconds between two renewals."""
PATIENCE = LEASE * 0.75
"""Seconds without a word after which the process of a job ends itself."""
_POLL = 0.2
_STOPS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A job that was carried out, and what it is now; None where it had become somebody else's."""

    job: Job
    state: JobState | None
    code: int
    result: Mapping[str, Any]
    log: str

    @property
    def told(self) -> str:
        """It in a line or two."""
        head = f"job {self.job.id} ({inert(self.job.order.why, 160)}): "
        if self.state is None:
            return f"{head}it is another worker's by now, and nothing of this counts"
        if self.state is JobState.DONE:
            return f"{head}{self._found()}"
        last = inert(self.log.splitlines()[-1], 200) if self.log else "it said nothing"
        more = "it is tried again" if self.state is JobState.WAITING else f"given up; `temper jobs show {self.job.id}`"
        return f"{head}could not finish ({self.code}): {last}\n  {more}"

    def _found(self) -> str:
        """What came of it: of a replay or probe its last line, of layers what gets through, else the run's verdict."""
        if self.job.order.finding or self.job.order.probe:
            return inert(str(self.result["text"]).splitlines()[-1], 200)
        if self.job.order.depth is not None:
            return f"{str(self.result['verdict']).upper()}: {inert(str(self.result['text']).splitlines()[0], 200)}"
        return f"run {self.result['run']} says {str(self.result['verdict']).upper()}; {self.result['report']}"


@dataclass(slots=True, kw_only=True, eq=False)
class Worker:
    """Takes jobs under this name and runs `command`, which is given the order and the patience as its last words."""

    jobs: Jobs
    name: str
    command: Sequence[str]
    clock: Callable[[], float]
    environment: Mapping[str, str] = field(default_factory=dict)
    beat: float = BEAT
    stopping: threading.Event = field(default_factory=threading.Event)

    def work(self, say: Callable[[str], None], every: float, *, once: bool) -> None:
        """Carry out what is due; with `once` that is all, else look for more every so many seconds until it is told to
        stop. A store that cannot be reached is asked again.
        """
        while not self.stopping.is_set():
            try:
                ended = self.turn()
            except StoreError as error:
                if once:
                    raise
                say(f"{inert(error.message, 200)}; it is asked again in {every:g} s")
                ended = None
            if ended is not None:
                say(ended.told)
            elif once or self.stopping.wait(every):
                return

    def turn(self) -> Ended | None:
        """Carry out the job that is due; None where none is, or where this worker was told to stop meanwhile."""
        job = None if self.stopping.is_set() else self.jobs.claim(self.name, self.clock())
        if job is None:
            return None
        command = [*self.command, to_json(dump(job.order)), str(PATIENCE)]
        with begun(command, dict(self.environment) | {AUTHOR: job.by}) as child:
            held = self._watched(job, child)
            code = child.ended()
            if held and self.stopping.is_set():
                self.jobs.leave(job, self.clock())
                return None
            text = child.said()
            state = self.jobs.end(job, code, child.result, text, self.clock()) if held else None
        return Ended(job=job, state=state, code=code, result=child.result, log=text)

    def _watched(self, job: Job, child: Child) -> bool:
        """Hold the job until its process ends, is lost, or this worker stops; whether it was held to the end."""
        said = time.monotonic()
        while child.process.poll() is None and not self.stopping.wait(_POLL):
            if time.monotonic() - said < self.beat:
                continue
            try:
                if not self.jobs.renew(job, child.progress, self.clock()):
                    return False
            except StoreError:  # not reached now; the process ends itself when that lasts
                continue
            said = time.monotonic()
            child.wanted()
        return True


def named() -> str:
    """A name that no other worker has."""
    host = re.sub(r"[^\w.-]", "", socket.gethostname())[:40] or "worker"
    return f"{host}-{os.getpid()}-{secrets.token_hex(3)}"


@contextlib.contextmanager
def until_told(worker: Worker) -> Iterator[None]:
    """SIGINT and SIGTERM tell the worker to give back what it has and to stop."""
    before = {number: signal.signal(number, lambda *_: worker.stopping.set()) for number in _STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def with_input(worker: Worker) -> None:
    """The end of standard input, which whoever started this process holds, tells the worker the same."""

    def followed() -> None:
        while os.read(0, 4096):
            pass
        worker.stopping.set()

    threading.Thread(target=followed, daemon=True).start()
