"""What a gateway does beside answering: it follows people's records, asks known rows, and hands cases on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.gateway.tables.relay import Relay
from temper.guard.serving.golden import Golden
from temper.guard.serving.pipeline import Pipeline
from temper.store.control import Control
from temper.store.control.keys import Snapshot

_LOG = logging.getLogger(__name__)
_PERIOD = 1.0
FORCED = {"open": "force_open", "closed": "force_closed", "automatic": "automatic"}


@dataclass(slots=True, kw_only=True, eq=False)
class Tending:
    """Every second: keys that changed are loaded, an operator's word about breaker and model is followed, cases are
    handed on. Whatever is down is tried again; requests are answered meanwhile. `told` is what went wrong last, "" when
    nothing did.
    """

    control: Control
    pipeline: Pipeline
    relay: Relay
    golden: Golden | None = None
    snapshot: Snapshot = field(init=False)
    told: dict[str, str] = field(default_factory=dict)
    _seen: int = field(default=-1, init=False, repr=False)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.snapshot = self.control.keys.snapshot()

    def start(self) -> None:
        """Begin, on the running event loop."""
        works: list[Callable[[], Any]] = [self._keys, self._records, self.relay.once]
        self._tasks = [asyncio.create_task(self._threaded(work)) for work in works]
        if self.golden is not None:
            self._tasks.append(asyncio.create_task(self._probing(self.golden)))

    async def stop(self) -> None:
        """End, after the last cases have been handed on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._tried, self.relay.once)

    async def _threaded(self, work: Callable[[], Any]) -> None:
        while True:
            await asyncio.to_thread(self._tried, work)
            await asyncio.sleep(_PERIOD)

    def _tried(self, work: Callable[[], Any]) -> None:
        name = work.__name__.strip("_")
        try:
            work()
        except Exception as trouble:  # the control store may be down in any way; requests go on without it
            if not self.told.get(name):
                _LOG.warning("%s: %s", name, str(trouble).partition("\n")[0])
            self.told[name] = type(trouble).__name__
        else:
            self.told[name] = ""

    def _keys(self) -> None:
        if self.control.keys.version() != self.snapshot.version:
            self.snapshot = self.control.keys.snapshot()

    def _records(self) -> None:
        version = self.control.records.version()
        if version == self._seen:
            return
        breaker, kill = self.control.records.current("breaker"), self.control.records.current("kill")
        if breaker is not None and breaker.seq > self._seen:
            getattr(self.pipeline.breaker, FORCED[str(breaker.value)])(time.monotonic())
        self.pipeline.stopped = bool(kill is not None and kill.value)
        self._seen = version

    async def _probing(self, golden: Golden) -> None:
        """Known rows go past the breaker, or nobody would find out that the model is well again."""
        while True:
            now = time.monotonic()
            if golden.due(now):
                fault = golden.check(await self._known(golden), self.pipeline.breaker, now)
                if fault:
                    _LOG.warning("the model is wrong: %s", fault)
            await asyncio.sleep(min(_PERIOD, golden.period) / 4)

    async def _known(self, golden: Golden) -> np.ndarray[Any, Any] | None:
        model, rows = self.pipeline.model, golden.probes.rows
        try:
            return model.score(rows) if model.inline else await asyncio.wait_for(model.ask(rows, 1.0), 1.0)
        except Exception:  # that a call fails is for the breaker to see
            return None
