"""A drill: a steady state under open-loop load, a fault in its second quarter, and what clients notice. Whatever
happens meanwhile, the fault is taken back.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from temper.chaos.host import Host
from temper.chaos.injector import Scope, built
from temper.config.reading import read
from temper.config.serving import serving_of
from temper.config.system import load_system
from temper.core.drill import Turn
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.engine.drill.catalogue import Drill, Victim
from temper.engine.drill.outcome import Drilled
from temper.engine.drill.reading import Facts, mark_of, outcome
from temper.engine.drill.recording import Recording
from temper.engine.drill.reviewing import Queue, Reviewed, looked, settled
from temper.engine.drill.stack import Front, Stack
from temper.engine.drill.terms import LONGER, Load
from temper.targets.served import served
from temper.traffic.arrivals import arrivals
from temper.traffic.generator import play
from temper.traffic.messages import messages
from temper.traffic.played import Played

Array = np.ndarray[Any, Any]
_ROWS = 2_000
_TIMEOUT = 5.0
_WARM = 1.0
"""Seconds of load that count for nothing, again and again until they are answered well: what is loaded on first use."""
_PATIENCE = 30.0


def run(
    config: Path,
    drill: Drill,
    load: Load,
    told: Callable[[str], None],
    by: str = "drill",
    front: Front | None = None,
) -> Drilled:
    """Start the model and the gateway of `config` as processes of the drill's own, and do it. The record of it, by
    `by`, is in the control store of `config`. `front` is another service in the gateway's place.
    """
    system = load_system(config)
    serving = serving_of(read(config), config.absolute().parent)
    x = system.data.x[:_ROWS]
    asked = messages(system.schema, x, key="drill")
    expected = served(system.target, x).score(np.ascontiguousarray(x, dtype=np.float64))
    words = f"{system.name}: {drill.words}"
    queue = None
    if drill.victim is Victim.PEOPLE:
        zone = next((options.get("review") for name, _, options in serving.stages if name == "decide"), None)
        queue = Queue.of(load, expected, 0.5 if system.threshold is None else system.threshold, zone)
    with Stack(config=config, drill=drill, seed=load.seed, front=front, queue=queue) as stack:
        told(f"{drill.name}: the model at {stack.model_port}, the gateway at {stack.port}; load for {load.seconds:g} s")
        recording = Recording(
            place=serving.control, by=by, told=told, seconds=load.seconds, rate=load.rate, metrics=stack.metrics
        )
        recording.open(drill.name, words)
        ran = _Ran(stack=stack, drill=drill, load=load, recording=recording, asked=asked)
        played = asyncio.run(ran.through())
    facts = Facts(
        drill=drill, words=words, load=load, deadline=stack.deadline, began=ran.began, over=ran.over, met=ran.met,
        turns=recording.turns, expected=expected, reviewed=ran.reviewed,
    )  # fmt: skip
    found = outcome(played, facts)
    if found.restored:
        recording.turned(Turn.FULL, found.began + found.restored)
    recording.end(found.held, found.figures())
    return found


@dataclass(slots=True, kw_only=True, eq=False)
class _Ran:
    """The load, and from when to when the fault was, in its seconds."""

    stack: Stack
    drill: Drill
    load: Load
    recording: Recording
    asked: list[bytes]
    began: float = 0.0
    over: float = 0.0
    met: int | None = None
    reviewed: Reviewed | None = None
    _start: float = 0.0
    _host: Host | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def through(self) -> Played:
        due = self._due()
        port, loop = self.stack.port, asyncio.get_running_loop()
        await self._warmed(due[due < _WARM])
        try:
            played = await play(
                "127.0.0.1", port, self.asked, due, read=mark_of, timeout=_TIMEOUT,
                began=lambda start: self._begin(start, loop),
                heard=lambda at, status, mark: self.recording.heard(at, status, mark & 3), until=self._until,
            )  # fmt: skip
            await self._tasks[0]
            if self.stack.queue is not None:
                self.reviewed = await asyncio.to_thread(self._looked, self.stack.queue)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._back()
            await self.recording.stop()
        return played

    def _due(self) -> Array:
        """When requests are due: in the time of the drill, and for as long beyond it as taking back may take."""
        rate, own = self.load.rate, Draws(self.load.seed, "drill").generator()
        more = arrivals(rate, LONGER, Draws(self.load.seed, "drill/longer").generator())
        return np.concatenate([arrivals(rate, self.load.seconds, own), self.load.seconds + more])

    def _until(self) -> float:
        """When the load ends: not before what was taken away is back."""
        return self.load.until(self.over) if self._tasks and self._tasks[0].done() else math.inf

    async def _warmed(self, due: Array) -> None:
        """Ask until answers come in time, or it is clear that they will not: then there is no steady state, which the
        drill itself says.
        """
        limit, end = self.stack.deadline + self.load.grace, time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            warm = await play("127.0.0.1", self.stack.port, self.asked, due, read=mark_of, timeout=_TIMEOUT)
            if not len(due) or warm.good(limit).mean() >= self.load.slo:
                return

    def _begin(self, start: float, loop: asyncio.AbstractEventLoop) -> None:
        self._start = start
        self.recording.start(start)
        self._tasks.append(loop.create_task(self._fault()))

    async def _fault(self) -> None:
        await asyncio.sleep(self.load.seconds / 4)
        self.began = time.monotonic() - self._start
        self.recording.turned(Turn.FAULT, self.began)
        await asyncio.to_thread(self._strike)
        await asyncio.sleep(self.load.seconds / 4)
        await asyncio.to_thread(self._back)
        self.over = time.monotonic() - self._start
        self.recording.turned(Turn.BACK, self.over)

    def _looked(self, queue: Queue) -> Reviewed:
        """What became of the cases, once none waits any more."""
        settled(self.stack.store, queue)
        if self.stack.team.poll() is not None:
            raise TemperError(
                "the simulated reviewers ended", fix=f"look into {self.stack.store.with_name('team.log')}"
            )
        start = time.time() - time.monotonic() + self._start
        return looked(self.stack.store, start, start + self.began, start + self.over)

    def _strike(self) -> None:
        seconds, drill = self.load.seconds / 4, self.drill
        if drill.victim is Victim.LINE and self.stack.proxy is not None:
            scope = Scope(share=self.load.share)
            self.stack.proxy.set(drill.fault, drill.options, seconds=seconds + 1.0, scope=scope)
        else:
            self._host = self.stack.host(seconds)
            built(drill.fault, drill.options).strike(self._host)

    def _back(self) -> None:
        """Take the fault back; twice is once."""
        if self._host is not None:
            self._host.over()
        elif self.stack.proxy is not None and self.met is None:
            self.met = self.stack.proxy.clear()
