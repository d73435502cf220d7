"""A new version of a model beside the one that answers: a shadow nobody hears, or a canary for a share of clients."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

import numpy as np

from temper.core.serving import Answer, Scoring, Source
from temper.core.stage import Level
from temper.gateway.tables.compared import Arm, Changes, times
from temper.guard.serving import parts
from temper.guard.serving.pipeline import Pipeline, Record, Waiting
from temper.targets.served import Served

Array = np.ndarray[Any, Any]
_WAITING = 64
"""Batches that may wait for a shadow; more are left out and counted."""


@dataclass(slots=True, kw_only=True, eq=False)
class Shadow:
    """Scores what the live model has scored, on a thread of its own and after the answer, and counts where it would
    have decided otherwise. What it does wrong is counted and reaches nobody.

    Misleads about clients whose requests were blocked before the model, and takes time from the same processor.
    """

    model: Served
    threshold: float | None
    seen: int = 0
    changes: Changes = field(default_factory=Changes)
    failed: int = 0
    dropped: int = 0
    largest: float = 0.0
    since: float = field(default_factory=time.time)
    _live: deque[float] = field(default_factory=times, init=False, repr=False)
    _new: deque[float] = field(default_factory=times, init=False, repr=False)
    _waiting: int = field(default=0, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="shadow"), init=False, repr=False
    )

    @property
    def changed(self) -> int:
        """Decisions that would be others."""
        return self.changes.up + self.changes.down

    def heard(self, scorings: Sequence[Scoring], seconds: float) -> None:
        """Take these rows along, what was said of them, to whom, and in how many seconds; it never waits."""
        if self._waiting >= _WAITING:
            self.dropped += sum(len(one.rows) for one in scorings)
            return
        with self._lock:
            self._waiting += 1
            self._live.append(seconds)
        rows = np.concatenate([one.rows for one in scorings])
        scores = np.concatenate([np.empty(0) if one.scores is None else one.scores for one in scorings])
        clients = [(one.client, len(one.rows)) for one in scorings]
        with suppress(RuntimeError):  # closed, and a request under way did not know
            self._pool.submit(self._compared, rows, scores, clients)

    def close(self, *, wait: bool = True) -> None:
        """Take nothing more, and finish what waits."""
        self._pool.shutdown(wait=wait)

    def document(self) -> dict[str, Any]:
        """What was found, in plain values."""
        with self._lock:
            counts = {name: getattr(self, name) for name in ("seen", "failed", "dropped", "largest", "since")}
            changes = {"up": self.changes.up, "down": self.changes.down, "who": dict(self.changes.who)}
            times = {"live": list(self._live), "new": list(self._new)}
        about = {"mode": "shadow", "digest": self.model.digest, "threshold": self.threshold}
        return {**about, **counts, **changes, **times}

    def _compared(self, rows: Array, scores: Array, clients: Sequence[tuple[str, int]]) -> None:
        began = time.perf_counter()
        try:
            own = self.model.score(rows)
        except Exception:  # a model on trial may fail in any way
            own = np.empty(0)
        with self._lock:
            self._waiting -= 1
            self._new.append(time.perf_counter() - began)
            if own.shape != scores.shape or not np.isfinite(own).all():
                self.failed += len(rows)
                return
            self.seen += len(rows)
            self.largest = max(self.largest, float(np.abs(own - scores).max(initial=0.0)))
            if self.threshold is not None:
                self.changes.add(clients, scores >= self.threshold, own >= self.threshold)


@dataclass(slots=True, kw_only=True, eq=False)
class Ways:
    """What both models of a canary did; a new version of the same trial goes on with it."""

    live: Arm = field(default_factory=Arm)
    new: Arm = field(default_factory=Arm)
    passed: int = 0
    since: float = field(default_factory=time.time)


class Passed(Exception):
    """The model on trial has no answer that may be given, so the other one is asked."""


@dataclass(slots=True, kw_only=True, eq=False)
class Canary:
    """Answers `share` of the clients by the new model, always the same ones. Where it fails, gives no finite score, is
    left alone by its breaker, or its answer would be blocked, `old` answers, and the record says so.

    Clients that share a name are one client: few clients make a share that is far from the one wanted.
    """

    old: Pipeline
    new: Pipeline
    share: float
    model: str
    policy: str
    threshold: float | None
    ways: Ways = field(default_factory=Ways)
    _bare: Pipeline = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._bare = replace(self.old, each=())  # who asks has been looked at once already

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """Every way to a model."""
        return self.old, self.new, self._bare

    @property
    def answered(self) -> int:
        """Requests the new model has answered."""
        return self.ways.new.requests

    @property
    def passed(self) -> int:
        """Requests it had no answer for."""
        return self.ways.passed

    async def answer(self, scoring: Scoring) -> Answer:
        """The answer of one of the two; one by the new model names it."""
        if not chosen(scoring.client, self.share):
            found = await self.old.answer(scoring)
            self.ways.live.add(found, self.old.clock() - scoring.at, self.threshold)
            return found
        try:
            found = await self.new.answer(scoring)
        except Passed:
            self.ways.passed += 1
            scoring.scores, scoring.source = None, Source.PRIMARY
            scoring.decisions[:] = [one for one in scoring.decisions if one.stage in ("quota", "bounds", *parts.EACH)]
            return await self._bare.answer(scoring)
        self.ways.new.add(found, self.new.clock() - scoring.at, self.threshold)
        return replace(found, model=self.model, policy=self.policy)

    def document(self) -> dict[str, Any]:
        """What was seen, in plain values."""
        ways = self.ways
        arms = {"live": ways.live.document(), "new": ways.new.document()}
        about = {"mode": "canary", "digest": self.model, "threshold": self.threshold, "since": ways.since}
        return {**about, "passed": ways.passed, "arms": arms}


def only_own(record: Record) -> Record:
    """Writes down what a canary has decided by itself; anything else is `Passed` on, unrecorded."""

    def own(scoring: Scoring, waiting: Waiting) -> None:
        stopped = any(one.stage in parts.AFTER and one.level >= Level.BLOCK for one in scoring.decisions)
        if scoring.source is not Source.PRIMARY or stopped:
            waiting.set_exception(Passed())
        else:
            record(scoring, waiting)

    return own


def chosen(client: str, share: float) -> bool:
    """Whether this client is one of the share.

    >>> many = [f"client-{at}" for at in range(10_000)]
    >>> abs(sum(chosen(one, 0.1) for one in many) / len(many) - 0.1) < 0.01
    True
    >>> all(chosen(one, 0.2) for one in many if chosen(one, 0.1))  # a larger share keeps those it had
    True
    """
    number = hashlib.blake2b(client.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(number, "big") < share * 2**64
