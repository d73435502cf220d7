"""Generators in processes of their own, so that neither a display nor one core's limit is in the way of the times."""

from __future__ import annotations

import asyncio
import gc
import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import wait
from types import TracebackType
from typing import Any

import numpy as np

from temper.core.errors import TemperError
from temper.core.load import Glance
from temper.traffic.address import Address
from temper.traffic.chat import Asked
from temper.traffic.generator import play
from temper.traffic.played import Played, merged

Array = np.ndarray[Any, Any]
_AHEAD, _RECENT = 0.02, 1.0


@dataclass(slots=True, kw_only=True, eq=False)
class Generators:
    """Some generators of one service: `with Generators(address=..., many=2) as found: found.play(requests, due)`.

    They end with the process that started them, however that ends. Errors: a run that would send more than `cap`
    requests with all before it is refused before it begins (`Capped`).
    """

    address: Address
    many: int = 1
    connections: int = 256
    timeout: float = 2.0
    limit: float = 0.1
    watch: Callable[[Glance], None] | None = None
    chat: Asked | None = None
    cap: float = math.inf
    asked: int = field(default=0, init=False)
    _pipes: list[Any] = field(default_factory=list, init=False, repr=False)
    _children: list[Any] = field(default_factory=list, init=False, repr=False)

    def __enter__(self) -> Generators:
        context = multiprocessing.get_context("spawn")
        for _ in range(self.many):
            ours, theirs = context.Pipe()
            child = context.Process(target=_serve, args=(theirs, self.address), daemon=True)
            child.start()
            theirs.close()
            self._pipes.append(ours)
            self._children.append(child)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child, pipe in zip(self._children, self._pipes, strict=True):
            child.kill()
            child.join()
            pipe.close()

    def play(self, requests: Sequence[bytes], due: Array) -> Played:
        """One run over all generators, each with every so-manyth request."""
        if self.asked + len(due) > self.cap:
            raise Capped(self.cap, self.asked, len(due))
        self.asked += len(due)
        for at, pipe in enumerate(self._pipes):
            mine = [requests[i % len(requests)] for i in range(at, at + len(requests) * self.many, self.many)]
            lines = max(1, self.connections // self.many)
            job = _Job(requests=mine, due=due[at :: self.many], lines=lines, wait=self.timeout, limit=self.limit)
            pipe.send(replace(job, chat=self.chat))
        for pipe in self._pipes:
            self._heard(pipe, str)
        start = time.perf_counter() + _AHEAD
        for pipe in self._pipes:
            pipe.send(start)
        return merged(self._collected())

    def _collected(self) -> list[Played]:
        found: dict[int, Played] = {}
        seen: dict[int, Glance] = {}
        while len(found) < self.many:
            for pipe in wait([pipe for at, pipe in enumerate(self._pipes) if at not in found]):
                at = self._pipes.index(pipe)
                word = self._heard(pipe, (Played, Glance))
                if isinstance(word, Played):
                    found[at] = word
                elif self.watch is not None:
                    seen[at] = word
                    self.watch(_together(list(seen.values())))
        return [found[at] for at in range(self.many)]

    def _heard(self, pipe: Any, kind: Any) -> Any:
        """The next word of a generator; its trouble is raised here."""
        try:
            word = pipe.recv()
        except (EOFError, OSError):
            raise TemperError("a process of the load generator ended", fix="is there memory enough?") from None
        if isinstance(word, kind):
            return word
        raise TemperError(*word[:1], fix=word[1]) if isinstance(word, tuple) else TypeError(f"heard {word!r}")


class Capped(TemperError):
    """A run would pass the cap on requests."""

    def __init__(self, cap: float, asked: int, more: int) -> None:
        super().__init__(
            f"the next run of {more:,} requests would pass the cap of {cap:,.0f}; {asked:,} were sent",
            fix="raise --max-requests, or ask for less with --most, --seconds or a --plan",
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Job:
    requests: list[bytes]
    due: Array
    lines: int
    wait: float
    limit: float
    chat: Asked | None = None


def _serve(pipe: Any, address: Address) -> None:
    """A generator's process: runs what it is told until nobody is there to tell."""
    import uvloop

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one decides
    gc.disable()
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                pipe.send(runner.run(_run(pipe, address, job)))
        except TemperError as trouble:
            pipe.send((trouble.message, trouble.fix))
        except BrokenPipeError:
            return
        gc.collect()


async def _run(pipe: Any, address: Address, job: _Job) -> Played:
    def ready() -> float:
        pipe.send("ready")
        return float(pipe.recv())

    def look(at: float, played: Played) -> None:
        try:
            pipe.send(glance(at, played, job.limit))
        except OSError:
            os._exit(1)  # whoever started this is gone: no load without somebody who asked for it

    return await play(
        address.host,
        address.port,
        job.requests,
        job.due,
        connections=job.lines,
        timeout=job.wait,
        chat=job.chat,
        tls=address.context(),
        ready=ready,
        look=look,
    )


def glance(at: float, played: Played, limit: float) -> Glance:
    """The last second of a run that is still going on."""
    first, last = np.searchsorted(played.due, (at - limit - _RECENT, at - limit))
    part = played.take(np.arange(first, last))
    good = int(part.good(limit).sum())
    span = min(_RECENT, max(at - limit, 1e-3))
    return Glance(
        at=at,
        offered=len(part.due) / span,
        good=good / span,
        failed=(len(part.due) - good) / span,
        p50=_quantile(part.response, 0.5),
        p99=_quantile(part.response, 0.99),
        late=_quantile(part.lateness, 0.99),
    )


def _quantile(values: Array, share: float) -> float:
    return float(np.quantile(values, share)) if len(values) else float("nan")


def _together(seen: Sequence[Glance]) -> Glance:
    """The sum of the rates, and the worst of the times."""
    return Glance(
        at=max(one.at for one in seen),
        offered=sum(one.offered for one in seen),
        good=sum(one.good for one in seen),
        failed=sum(one.failed for one in seen),
        p50=max(one.p50 for one in seen),
        p99=max(one.p99 for one in seen),
        late=max(one.late for one in seen),
    )
