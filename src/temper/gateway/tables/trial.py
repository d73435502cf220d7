"""A new version of a model beside the one that answers: a shadow nobody hears, or a canary for a share of clients."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

import numpy as np

from temper.core.serving import Answer, Scoring, Source
from temper.core.stage import Level
from temper.gateway.tables import parts
from temper.guard.serving.pipeline import Pipeline, Record, Waiting
from temper.kernels.rate import wilson
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
    changed: int = 0
    failed: int = 0
    dropped: int = 0
    largest: float = 0.0
    _waiting: int = field(default=0, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="shadow"), init=False, repr=False
    )

    def learn(self, rows: Array, scores: Array) -> None:
        """Take these rows along, and what was said of them; it never waits."""
        if self._waiting >= _WAITING:
            self.dropped += len(rows)
            return
        with self._lock:
            self._waiting += 1
        with suppress(RuntimeError):  # closed, and a request under way did not know
            self._pool.submit(self._compared, rows, scores)

    def close(self, *, wait: bool = True) -> None:
        """Take nothing more, and finish what waits."""
        self._pool.shutdown(wait=wait)

    def told(self) -> dict[str, Any]:
        """What was found: of `seen` rows `changed` decisions, with the 95 % interval of their rate."""
        low, high = wilson(self.changed, self.seen) if self.seen else (0.0, 1.0)
        counts = {name: getattr(self, name) for name in ("seen", "changed", "failed", "dropped", "largest")}
        return {**counts, "rate": [low, high]}

    def _compared(self, rows: Array, scores: Array) -> None:
        try:
            own = self.model.score(rows)
        except Exception:  # a model on trial may fail in any way
            own = np.empty(0)
        with self._lock:
            self._waiting -= 1
            if own.shape != scores.shape or not np.isfinite(own).all():
                self.failed += len(rows)
                return
            self.seen += len(rows)
            self.largest = max(self.largest, float(np.abs(own - scores).max(initial=0.0)))
            if self.threshold is not None:
                self.changed += int(((own >= self.threshold) != (scores >= self.threshold)).sum())


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
    answered: int = 0
    passed: int = 0
    _bare: Pipeline = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._bare = replace(self.old, each=())  # who asks has been looked at once already

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """Every way to a model."""
        return self.old, self.new, self._bare

    async def answer(self, scoring: Scoring) -> Answer:
        """The answer of one of the two; one by the new model names it."""
        if not chosen(scoring.client, self.share):
            return await self.old.answer(scoring)
        try:
            found = await self.new.answer(scoring)
        except Passed:
            self.passed += 1
            scoring.scores, scoring.source = None, Source.PRIMARY
            scoring.decisions[:] = [one for one in scoring.decisions if one.stage in ("quota", "bounds", *parts.EACH)]
            return await self._bare.answer(scoring)
        self.answered += 1
        return replace(found, model=self.model, policy=self.policy)

    def told(self) -> dict[str, Any]:
        """How often each answered."""
        return {"share": self.share, "answered": self.answered, "passed": self.passed}


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
