"""A worker's share of every quota, leased from the control store beside the answering."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from temper.core.quota import Allowance, QuotaConfig, Trade
from temper.gateway.events import tell
from temper.guard.serving.shares import Shares

Found = TypeVar("Found")
_PERIOD, _PACE, _LOOK = 0.5, 0.02, 0.5
"""Seconds between exchanges where nobody waits for one, and at least; and between looks at who wants what is held."""


@dataclass(slots=True, kw_only=True, eq=False)
class Leasing:
    """Drives the Shares of this worker. `take` asks nobody; only a client whose share here is used up waits for the
    next lease, for `patience` seconds at most. An exchange that takes longer counts as one that cannot be had: the
    worker goes on alone (see Shares) until one succeeds. What could not be told is told again, under the same number.
    """

    allowance: Allowance
    nodes: Callable[[], int]
    shares: Shares
    clock: Callable[[], float]
    _number: int = field(default=0, init=False, repr=False)
    _batch: Mapping[str, Trade] = field(default_factory=dict, init=False, repr=False)
    _failing: bool = field(default=False, init=False, repr=False)
    _looked: float = field(default=0.0, init=False, repr=False)
    _wake: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)
    _over: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(cls, allowance: Allowance, nodes: Callable[[], int]) -> Leasing:
        """Nothing is leased yet."""
        epoch = time.time() - time.monotonic()  # of a clock that never steps
        return cls(
            allowance=allowance,
            nodes=nodes,
            shares=Shares(config=QuotaConfig()),
            clock=lambda: epoch + time.monotonic(),
        )

    @property
    def alone(self) -> float:
        """Which part of every limit this worker gives out by itself now: 0 while the control store is asked."""
        return 1 / self.shares.nodes if self.shares.lost else 0.0

    def follow(self, config: QuotaConfig) -> None:
        """The limits from now on."""
        self.shares.config = config

    def take(self, key: str, rows: int) -> float:
        """Seconds to wait, 0 where it is allowed, which counts."""
        wait = self.shares.take(key, self.clock(), rows)
        if self.shares.asking:
            self._wake.set()
        return wait

    async def patiently(self, key: str, rows: int) -> float:
        """The same, after the lease that is on its way; where that does not come in time, from the own part."""
        until = self.clock() + self.shares.patience
        while (wait := self.take(key, rows)) and self.shares.coming(key):
            if (left := until - self.clock()) <= 0:
                return self.shares.take(key, self.clock(), rows, alone=True)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), left)
        return wait

    def start(self) -> None:
        """Begin, on the running event loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Give back what is held."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.once()  # what was on its way
        self.shares.sweep(self.clock(), closing=True)
        await self.once()

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _PERIOD)
            self.shares.sweep(self.clock())
            await self._look()
            await self.once()
            await asyncio.sleep(_PACE)

    async def once(self) -> None:
        """Tell and ask all there is now to tell and to ask; what cannot be told stays for the next time, as does what
        is spent meanwhile: where it is busy there would be no end.
        """
        self._wake.clear()
        self.shares.nodes = self.nodes()
        left = self.shares.stirred
        while self._batch or (left > 0 and (trades := self.shares.trades(self.clock()))):
            if not self._batch:
                self._number, self._batch = self._number + 1, trades
                left -= len(trades)
            if not await self._exchanged():
                return

    async def _look(self) -> None:
        """Let go of what others were refused for want of; a lost store is left alone until an exchange succeeds."""
        now = self.clock()
        if self.shares.lost or not self.shares.leased or now < self._looked + _LOOK:
            return
        self._looked = now
        self.shares.give_back(await self._reached(self.allowance.wanted) or ())

    async def _exchanged(self) -> bool:
        now = self.clock()
        told = self.shares.config, self._number, self._batch, now
        grants = await self._reached(partial(self.allowance.exchange, *told))
        if grants is None:
            return False
        self.shares.put(grants, now)
        self._batch = {}
        self._waiters()
        return True

    async def _reached(self, question: Callable[[], Found]) -> Found | None:
        """What the control store says; None where it says nothing, and then it counts as lost."""
        late = asyncio.get_running_loop().call_later(self.shares.patience, self._lost)
        try:
            found = await asyncio.to_thread(question)
        except Exception as trouble:  # the control store may be down in any way
            if not self._failing:
                tell("control.failing", part="quota", why=str(trouble).partition("\n")[0])
            self._failing = True
            self._lost()
            return None
        finally:
            late.cancel()
        if self._failing:
            tell("control.recovered", part="quota")
        self.shares.lost = self._failing = False
        return found

    def _lost(self) -> None:
        self.shares.lost = True
        self._waiters()

    def _waiters(self) -> None:
        """Let those go on who wait for the end of an exchange."""
        over, self._over = self._over, asyncio.Event()
        over.set()
