"""Requests from their rows to their answers: what looks before the model, the model behind its breaker, what looks at
what it said, what answers where it cannot, and the record of all that before anybody is told.

Requests that arrive in one pass of the event loop go together: one call of every stage that judges rows, one of the
model, one write of the audit. Nobody waits for others to come.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from temper.core.errors import StoreError
from temper.core.serving import Answer, Mode, Scoring, ServingStage
from temper.core.stage import Decision, Level
from temper.guard.serving.breaker import Breaker, Outcome, State
from temper.guard.serving.concurrency import Limiter
from temper.guard.serving.fallback import Chain, Degraded
from temper.guard.serving.modes import Modes, shadowed

Array = np.ndarray[Any, Any]
Layer = tuple[str, Mode, ServingStage]
Waiting = asyncio.Future[Any]
_NONE = np.empty(0)
_TICK, _SWEEP = 0.002, 0.05
"""Seconds between looks at whose time is up, at least and at most."""
_FREE = -1
"""A permit of no breaker: how its call ended is held against nobody."""
_ASIDE = 0.2
"""Which share of the time that is left a chain in shadow may take."""


class Refuses(Exception):
    """A request that is not answered now: why, and after how many seconds it may be asked again. Whoever knows the
    request's id and its trace adds them.
    """

    request: str = ""
    trace: str = ""

    def __init__(self, status: int, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.message, self.after = status, message, after


class Model(Protocol):
    """What is guarded. One that is `inline` answers within microseconds; others are awaited, and may be late."""

    @property
    def inline(self) -> bool:
        """Whether `score` may be called on the event loop."""

    @property
    def score(self) -> Callable[[Array], Array]:
        """Scores (n,) of rows (n, columns)."""

    @property
    def ask(self) -> Callable[[Array, float, str], Awaitable[Array]]:
        """The same for those that take time, which has to be over in so many seconds; the text is the `traceparent` of
        whoever asks, "" for none.
        """


class Record(Protocol):
    """Writes a decision down."""

    def __call__(self, scoring: Scoring, waiting: Waiting) -> None:
        """`waiting` is done once the record is where it has to be; it, or this, fails with `StoreError`."""


@dataclass(slots=True, kw_only=True, eq=False)
class Pipeline:
    """The stages around one model. `each` looks at one request at a time (they know the client), `before` and `after`
    at all rows at hand, before and after these have scores. A decision of a stage in shadow is written down and changes
    nothing; `modes` says the same of the other parts. `review` are the scores between which a human looks; `learn` is
    told what the model said when it was well, `heard` of whose requests and after how many seconds, and `doubted` is
    why known rows say that it is not.

    BLOCK before the model means that it is not asked, behind it that its score is told to nobody. A stage that raises
    counts as BLOCK. A request whose deadline passes is refused then, whatever it waits for. One that comes with less
    than `fair` seconds goes by itself, and that the model did not answer it is not held against the model.
    """

    model: Model
    record: Record
    breaker: Breaker
    limiter: Limiter
    chain: Chain
    each: tuple[Layer, ...] = ()
    before: tuple[Layer, ...] = ()
    after: tuple[Layer, ...] = ()
    review: tuple[float, float] | None = None
    learn: Callable[[Array, Array], None] | None = None
    heard: Callable[[Sequence[Scoring], float], None] | None = None
    counts: Callable[[str, str, str], None] = lambda stage, level, mode: None
    fair: float = 0.0
    clock: Callable[[], float] = time.monotonic
    modes: Modes = field(default_factory=Modes)
    stopped: bool = False
    doubted: str = ""
    _queue: list[tuple[Scoring, Waiting]] = field(default_factory=list, init=False, repr=False)
    _pending: list[tuple[float, Waiting]] = field(default_factory=list, init=False, repr=False)
    _due: float = field(default=np.inf, init=False, repr=False)
    _timer: asyncio.TimerHandle | None = field(default=None, init=False, repr=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False, repr=False)

    async def answer(self, scoring: Scoring) -> Answer:
        """The answer to this request; `Refuses` where there is none now."""
        admitted, ok = self._admitted(scoring), None
        try:
            self._looked(scoring, self.each)
            await self._waiting(scoring)
            ok = True
        except Refuses:
            ok = False
            raise
        except StoreError as failure:
            raise Refuses(503, "decisions cannot be recorded now, so none is made", 1.0) from failure
        finally:
            if admitted:
                self.limiter.leave(self.clock() - scoring.at, ok)
        return _answer(scoring)

    def _admitted(self, scoring: Scoring) -> bool:
        """Whether this request has a place, to be given back; refused where there is none and that counts."""
        mode = self.modes.concurrency
        if mode is Mode.OFF:
            return False
        if self.limiter.admit():
            return True
        self._against(scoring, "concurrency", mode, Level.BLOCK, "too busy")
        if mode is Mode.ENFORCE:
            raise Refuses(503, "too busy, ask again", 1.0)
        return False

    def _against(self, scoring: Scoring, part: str, mode: Mode, level: Level, reason: str) -> None:
        """Count what a part decides, and write down what it would have."""
        self.counts(part, level.name, mode.value)
        if mode is Mode.SHADOW:
            scoring.decisions.append(shadowed(part, level, reason))

    def _waiting(self, scoring: Scoring) -> Waiting:
        """What is done when this request has been decided and that has been recorded."""
        loop = asyncio.get_running_loop()
        waiting = loop.create_future()
        if not self._queue:
            loop.call_soon(self._flush)
        self._queue.append((scoring, waiting))
        self._pending.append((scoring.deadline, waiting))
        if scoring.deadline < self._due:
            self._look(scoring.deadline)
        return waiting

    def _look(self, due: float) -> None:
        """See at that time whose time is up."""
        if self._timer is not None:
            self._timer.cancel()
        now = self.clock()
        self._due = max(now + _TICK, min(due, now + _SWEEP))
        self._timer = asyncio.get_running_loop().call_later(self._due - now, self._tick)

    def _tick(self) -> None:
        """Refuse those whose time is up."""
        now, self._due, self._timer = self.clock(), np.inf, None
        self._pending = [one for one in self._pending if not one[1].done()]
        for deadline, waiting in self._pending:
            if deadline <= now:
                waiting.set_exception(Refuses(504, "no decision in time"))
        if later := [deadline for deadline, _ in self._pending if deadline > now]:
            self._look(min(later))

    def _flush(self) -> None:
        """Everything that has come in this pass of the event loop."""
        queue, self._queue = self._queue, []
        batch = [one for one in queue if not one[1].done()]
        self._together([scoring for scoring, _ in batch], self.before)
        asked = [one for one in batch if not blocked(one[0])]
        self._decided([one for one in batch if blocked(one[0])])
        permits = [(one, permit) for one in asked if (permit := self._permit(one[0])) is not None]
        if permits and self.model.inline:
            self._scored(permits)
        elif permits:
            self._paced(permits)
        if len(permits) < len(asked):
            held = {id(one) for one, _ in permits}
            self._task(self._instead([one for one in asked if id(one) not in held]))

    def _permit(self, scoring: Scoring) -> int | None:
        """A permit to ask the model, None where it is left alone."""
        if self.stopped:
            return None
        if self.doubted:
            self._against(scoring, "golden", self.modes.golden, Level.BLOCK, self.doubted)
            if self.modes.golden is Mode.ENFORCE:
                return None
        mode = self.modes.breaker
        if mode is not Mode.ENFORCE and self.breaker.state is State.FORCED_OPEN:
            return None
        permit = _FREE if mode is Mode.OFF else self.breaker.allow(self.clock())
        if permit is None:
            self._against(scoring, "breaker", mode, Level.BLOCK, self.breaker.reason)
        return permit or _FREE if mode is Mode.SHADOW else permit

    def _scored(self, permits: Sequence[tuple[tuple[Scoring, Waiting], int]]) -> None:
        """Scores of a model that answers at once."""
        began = self.clock()
        try:
            scores = self.model.score(_rows([one[0] for one, _ in permits]))
        except Exception:  # a model may fail in any way: the breaker hears of it, and the answer says who gave it
            scores = _NONE
        self._given(permits, scores, self.clock() - began)

    def _paced(self, permits: Sequence[tuple[tuple[Scoring, Waiting], int]]) -> None:
        """Who is in a hurry must not take the time of others."""
        fair = self.clock() + self.fair
        for hurried in (False, True):
            if group := [one for one in permits if (one[0][0].deadline < fair) is hurried]:
                self._task(self._asked(group))

    async def _asked(self, permits: Sequence[tuple[tuple[Scoring, Waiting], int]]) -> None:
        """Scores of a model that takes time; it gets what is left until the first of these requests is due."""
        began, outcome, fault = self.clock(), False, Outcome.FAILURE
        left = min(one[0].deadline for one, _ in permits) - began
        try:
            # A little is kept for whoever answers instead.
            rows, trace = _rows([one[0] for one, _ in permits]), _trace([one[0] for one, _ in permits])
            scores = await asyncio.wait_for(self.model.ask(rows, left, trace), 0.8 * left)
            outcome = True
        except Exception as failed:
            scores = _NONE
            if isinstance(failed, TimeoutError) and left < self.fair:
                fault = Outcome.IGNORED
        finally:
            if not outcome and asyncio.current_task().cancelling():  # type: ignore[union-attr]
                for _, permit in permits:
                    self.breaker.record(permit, Outcome.IGNORED, 0.0, self.clock())
        self._given(permits, scores, self.clock() - began, fault)

    def _given(
        self,
        permits: Sequence[tuple[tuple[Scoring, Waiting], int]],
        scores: Array,
        seconds: float,
        fault: Outcome = Outcome.FAILURE,
    ) -> None:
        """Hand the scores out; a request without one finite score per row is answered by somebody else."""
        now, at = self.clock(), 0
        whole = len(scores) == sum(len(one[0].rows) for one, _ in permits)
        sane = whole and bool(np.isfinite(scores).all())
        well: list[tuple[Scoring, Waiting]] = []
        ill: list[tuple[Scoring, Waiting]] = []
        for one, permit in permits:
            own = scores[at : at + len(one[0].rows)]
            at += len(one[0].rows)
            good = sane or (whole and bool(np.isfinite(own).all()))
            self.breaker.record(permit, Outcome.SUCCESS if good else fault, seconds, now)
            one[0].scores = own if good else None
            (well if good else ill).append(one)
        if well and self.learn is not None:
            self.learn(_rows([one[0] for one in well]), np.concatenate([_scores(one[0]) for one in well]))
        if well and self.heard is not None:
            self.heard([one[0] for one in well], seconds)
        self._decided(well)
        if ill:
            self._task(self._instead(ill))

    async def _instead(self, batch: Sequence[tuple[Scoring, Waiting]]) -> None:
        """Scores from what stands in for the model, and in its name: each request by itself, since what one link knows
        of its rows must not depend on the rows of others.
        """
        now = self.clock()
        found = await asyncio.gather(*(self._degraded(one, one.deadline - now) for one, _ in batch))
        for (scoring, _), told in zip(batch, found, strict=True):
            scoring.scores, scoring.source = told.scores, told.source
        self._decided(batch)

    async def _degraded(self, scoring: Scoring, seconds: float) -> Degraded:
        """What the chain says; where that does not count, the safe default, in a fraction of the time."""
        mode, n = self.modes.fallback, len(scoring.rows)
        default = Degraded(scores=np.full(n, self.chain.score, np.float32), source=self.chain.last)
        if mode is Mode.OFF:
            return default
        said = await self.chain.answer(scoring.rows, seconds * (1.0 if mode is Mode.ENFORCE else _ASIDE))
        if said.source is not self.chain.last:
            score = f"{said.source.value} says {said.scores[0]:.4g}" + (f" and {n - 1} more" if n > 1 else "")
            self._against(scoring, "fallback", mode, Level.REVISE, score)
        return said if mode is Mode.ENFORCE else default

    def _decided(self, batch: Sequence[tuple[Scoring, Waiting]]) -> None:
        """Look at what was said, and write down what is decided."""
        self._together([scoring for scoring, _ in batch if scoring.scores is not None], self.after)
        for scoring, waiting in batch:
            if waiting.done():
                continue
            if self.review is not None and any(grey(scoring, self.review)):
                self._undecided(scoring)
            try:
                self.record(scoring, waiting)
            except StoreError as failure:
                waiting.set_exception(failure)

    def _undecided(self, scoring: Scoring) -> None:
        """A person looks at it, or would."""
        reason = "the score is undecided"
        self._against(scoring, "decide", self.modes.decide, Level.REVIEW, reason)
        if self.modes.decide is Mode.ENFORCE:
            scoring.decisions.append(Decision(level=Level.REVIEW, stage="decide", reason=reason))

    def _together(self, scorings: Sequence[Scoring], layers: tuple[Layer, ...]) -> None:
        """Let stages that judge rows see all of them at once, and request by request where one objects."""
        if not (scorings and layers):
            return
        if len(scorings) > 1:
            first = scorings[0]
            scores = None if first.scores is None else np.concatenate([_scores(one) for one in scorings])
            whole = replace(first, rows=_rows(scorings), scores=scores, decisions=[])
            if all(self._quiet(stage, whole) for _, _, stage in layers):
                return
        for scoring in scorings:
            self._looked(scoring, layers)

    def _quiet(self, stage: ServingStage, whole: Scoring) -> bool:
        try:
            found = stage.check(whole)
        except Exception:  # which request it was is found out one by one
            return False
        return found.level is Level.ALLOW and not found.reason

    def _looked(self, scoring: Scoring, layers: tuple[Layer, ...]) -> None:
        """What these stages decide of one request is kept with it, up to the first BLOCK that counts."""
        for name, mode, stage in layers:
            found = said(stage, scoring)
            if found.level is Level.ALLOW and not found.reason:
                continue
            self.counts(name, found.level.name, mode.value)
            if mode is Mode.SHADOW:
                scoring.decisions.append(shadowed(name, found.level, found.reason))
                continue
            scoring.decisions.append(replace(found, stage=name))
            if found.level >= Level.BLOCK:
                return

    def _task(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def said(stage: ServingStage, scoring: Scoring) -> Decision:
    """What a stage decides; whatever it trips over must not let the request through."""
    try:
        return stage.check(scoring)
    except Exception as crash:
        return Decision(level=Level.BLOCK, reason=f"the stage failed: {type(crash).__name__}")


def blocked(scoring: Scoring) -> bool:
    """Whether something that counts has said BLOCK."""
    return bool(scoring.decisions) and scoring.level >= Level.BLOCK


def grey(scoring: Scoring, review: tuple[float, float]) -> list[bool]:
    """Which rows have a score that a human looks at."""
    low, high = review
    return [] if scoring.scores is None else [low <= score <= high for score in scoring.scores.tolist()]


def _answer(scoring: Scoring) -> Answer:
    level = scoring.level if scoring.decisions else Level.ALLOW
    told = _NONE if level >= Level.BLOCK or scoring.scores is None else scoring.scores
    return Answer(
        scores=told, levels=(level,) * len(scoring.rows), source=scoring.source, decisions=tuple(scoring.decisions)
    )


def _trace(scorings: Sequence[Scoring]) -> str:
    """The trace that goes on with a call: one call has one, so of several that go together it is the first sampled."""
    found = [one.trace for one in scorings if one.trace]
    return next((one for one in found if one.endswith("1")), found[0]) if found else ""


def _scores(scoring: Scoring) -> Array:
    return _NONE if scoring.scores is None else scoring.scores


def _rows(scorings: Sequence[Scoring]) -> Array:
    return scorings[0].rows if len(scorings) == 1 else np.concatenate([one.rows for one in scorings])
