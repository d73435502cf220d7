"""What a gateway does beside answering: it follows people's records, asks known rows, and hands cases on."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.serving import Mode
from temper.gateway.events import tell
from temper.gateway.tables.key_use import KeyUse
from temper.gateway.tables.presence import Presence
from temper.gateway.tables.relay import Relay
from temper.gateway.tables.version import Version
from temper.guard.serving.breaker import FORCED, Breaker
from temper.guard.serving.golden import Golden
from temper.guard.serving.pipeline import Pipeline
from temper.store.control import Control
from temper.store.control.keys import Snapshot

_PERIOD, _BRISK, _HOUR = 1.0, 0.25, 3_600.0
"""Seconds between two looks; between those by which workers hear of each other's answers, where there are several."""


@dataclass(slots=True, kw_only=True, eq=False)
class Tending:
    """Every second: keys that changed are loaded, an operator's word about breaker and model is followed, cases are
    handed on. Whatever is down is tried again; requests are answered meanwhile. `told` is what went wrong last, "" when
    nothing did.
    """

    control: Control
    live: Callable[[], Version]
    relay: Relay
    presence: Presence
    snapshot: Snapshot = field(init=False)
    uses: KeyUse = field(init=False)
    alarms: Callable[[], None] | None = None
    """Tells people by itself what is wrong."""
    left: list[Path] = field(default_factory=list)
    """Ledgers nobody writes any more (a node was renamed, there are fewer workers), perhaps with cases in them."""
    stopped: bool = False
    """Whether people have switched the model off."""
    because: str = ""
    """Who has, and why."""
    told: dict[str, str] = field(default_factory=dict)
    lapsed: int = 0
    """Cases that the clock has decided, as far as it was this gateway that saw it."""
    _worded: tuple[int, Breaker | None] = field(default=(-1, None), init=False, repr=False)
    _forgotten: float = field(default=-math.inf, init=False, repr=False)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list, init=False, repr=False)
    _threads: ThreadPoolExecutor | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.snapshot = self.control.keys.snapshot()
        self.uses = KeyUse(keys=self.control.keys)

    def start(self) -> None:
        """Begin, on the running event loop."""
        works: list[Callable[[], Any]] = [self._keys, self._records, self.relay.once, self._left, self._overdue]
        works += [self.presence.present, self._forget, self._answered, self.uses.noted]
        works += [self.alarms] if self.alarms is not None else []
        # Threads of their own: those that wait for the control store must not keep one from who seals or answers.
        self._threads = ThreadPoolExecutor(len(works), "tending")
        self._tasks = [asyncio.create_task(self._threaded(self._threads, work)) for work in works]
        self._tasks.append(asyncio.create_task(self._probing()))

    async def stop(self) -> None:
        """End, after the last cases have been handed on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        for work in (self.relay.once, self.uses.note):
            await asyncio.to_thread(self._tried, work)

    async def _threaded(self, threads: ThreadPoolExecutor, work: Callable[[], Any]) -> None:
        between = work in (self.relay.once, self._answered)
        while True:
            await asyncio.get_running_loop().run_in_executor(threads, self._tried, work)
            await asyncio.sleep(_BRISK if between and self.presence.live > 1 else _PERIOD)

    def _tried(self, work: Callable[[], Any]) -> None:
        name = work.__name__.strip("_")
        try:
            work()
        except Exception as trouble:  # the control store may be down in any way; requests go on without it
            if not self.told.get(name):
                tell("control.failing", part=name, why=str(trouble).partition("\n")[0])
            self.told[name] = type(trouble).__name__
        else:
            if self.told.get(name):
                tell("control.recovered", part=name)
            self.told[name] = ""

    def _keys(self) -> None:
        if self.control.keys.version() != self.snapshot.version:
            self.snapshot = self.control.keys.snapshot()

    def _records(self) -> None:
        """The operator's word, told once to every breaker there is, and the switch, to every version that answers."""
        kill, breaker = self.control.records.current("kill"), self.control.records.current("breaker")
        self.stopped = bool(kill is not None and kill.value)
        self.because = f"{kill.by}: {kill.reason}" if kill is not None and kill.value else ""
        live = self.live()
        pipeline = live.pipeline
        for one in live.pipelines:
            one.stopped = self.stopped
        if breaker is not None and self._worded != (breaker.seq, pipeline.breaker):
            self._worded = breaker.seq, pipeline.breaker
            getattr(pipeline.breaker, FORCED[str(breaker.value)])(time.monotonic())

    def _left(self) -> None:
        """Cases that were never handed on by who is gone."""
        while self.left:
            self.relay.relayed += replace(self.relay, path=self.left[-1], relayed=0).once()
            self.left.pop()

    def _answered(self) -> None:
        """What other workers have answered, where there are any."""
        if self.presence.live > 1:
            self.relay.recall.follow()

    def _forget(self) -> None:
        """What was counted of clients who have not come for long."""
        if time.monotonic() >= self._forgotten + _HOUR:
            self.control.quotas.prune(time.time())
            self._forgotten = time.monotonic()

    def _overdue(self) -> None:
        """What no person decided in time gets what its policy says, and says so."""
        for case in self.control.reviews.expire(time.time()):
            tell("case.overdue", case=case.id, ruling=case.overdue.value)
            self.lapsed += 1

    async def _probing(self) -> None:
        """Known rows go past the breaker, or nobody would find out that the model is well again."""
        while True:
            live, now = self.live(), time.monotonic()
            golden = live.golden
            if golden is not None and golden.due(now):
                await self.probe(live, golden, now)
            await asyncio.sleep(min(_PERIOD, _PERIOD if golden is None else golden.period) / 20)

    async def probe(self, live: Version, golden: Golden, now: float) -> None:
        """Ask the known rows now. Where `golden` is enforced a wrong answer opens a breaker that is not off."""
        pipeline = live.pipeline
        counts = pipeline.modes.golden is Mode.ENFORCE and pipeline.modes.breaker is not Mode.OFF
        fault = golden.check(await self._known(pipeline, golden), pipeline.breaker if counts else None, now)
        for one in live.pipelines:
            if one.model is pipeline.model:
                one.doubted = golden.wrong
        if fault:
            tell("model.wrong", why=fault)

    async def _known(self, pipeline: Pipeline, golden: Golden) -> np.ndarray[Any, Any] | None:
        model, rows = pipeline.model, golden.probes.rows
        try:
            return model.score(rows) if model.inline else await asyncio.wait_for(model.ask(rows, 1.0, ""), 1.0)
        except Exception:  # that a call fails is for the breaker to see
            return None
