"""One request from its rows to its answer: what looks before the model, the model behind its breaker, what looks after
it, what answers where the model cannot, and the record of all that before anybody is told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from temper.core.serving import Answer, Mode, Scoring, ServingStage, Source
from temper.core.stage import Decision, Level
from temper.guard.serving.breaker import Breaker, Outcome

Array = np.ndarray[Any, Any]
Clock = Callable[[], float]
Layer = tuple[str, Mode, ServingStage]
_NONE = np.empty(0)


class Refuses(Exception):
    """A request that is not answered now: why, and after how many seconds it may be asked again."""

    def __init__(self, status: int, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.message, self.after = status, message, after


class Limiter(Protocol):
    """How many requests may be with the model at once."""

    def admit(self) -> bool:
        """Whether one more may go; it must `leave` again."""

    def leave(self, seconds: float, ok: bool) -> None:
        """One is back, after so long."""


class Otherwise(Protocol):
    """What answers instead of the model."""

    async def answer(self, scoring: Scoring, now: float) -> tuple[Array, Source]:
        """Scores (n,), and where they came from."""


@dataclass(slots=True, kw_only=True, eq=False)
class Pipeline:
    """The stages around one model. `before` and `after` look at a request before and after it has scores; a decision of
    a stage in shadow is written down and changes nothing. `review` are the scores between which a human looks.

    BLOCK before the model means that it is not asked; BLOCK behind it that its score is told to nobody. A stage that
    raises counts as BLOCK. `record` returns once the decision is on the disk, so nothing is answered that is not.
    """

    predict: Callable[[Array, float], Awaitable[Array]]
    record: Callable[[Scoring], Awaitable[None]]
    breaker: Breaker
    limiter: Limiter
    otherwise: Otherwise
    before: tuple[Layer, ...] = ()
    after: tuple[Layer, ...] = ()
    review: tuple[float, float] | None = None
    counts: Callable[[str, str, str], None] = lambda stage, level, mode: None
    clock: Clock = time.monotonic
    stopped: bool = field(default=False)

    async def answer(self, scoring: Scoring) -> Answer:
        """The answer to this request; `Refuses` where there is none now."""
        blocked = self._looked(scoring, self.before)
        if not blocked:
            await self._scored(scoring)
            blocked = self._looked(scoring, self.after)
        levels = self._levels(scoring, blocked)
        await self.record(scoring)
        scores = scoring.scores
        return Answer(
            scores=_NONE if blocked or scores is None else scores,
            levels=levels,
            source=scoring.source,
            decisions=tuple(scoring.decisions),
        )

    def _looked(self, scoring: Scoring, layers: tuple[Layer, ...]) -> bool:
        """Whether an enforcing stage blocks the request; what stages decide is kept with it."""
        blocked = False
        for name, mode, stage in layers:
            try:
                found = stage.check(scoring)
            except Exception as crash:  # whatever a stage trips over must not let the request through
                found = Decision(level=Level.BLOCK, reason=f"the stage failed: {type(crash).__name__}")
            if found.level is Level.ALLOW:
                continue
            self.counts(name, found.level.name, mode.value)
            if mode is Mode.SHADOW:
                found = replace(found, level=Level.ALLOW, reason=f"shadow, {found.level.name}: {found.reason}")
            scoring.decisions.append(replace(found, stage=name))
            if found.level >= Level.BLOCK:
                blocked = True
                break
        return blocked

    async def _scored(self, scoring: Scoring) -> None:
        """Scores from the model, or from what stands in for it."""
        now = self.clock()
        permit = None if self.stopped else self.breaker.allow(now)
        if permit is not None:
            if not self.limiter.admit():
                self.breaker.record(permit, Outcome.IGNORED, 0.0, now)
                raise Refuses(503, "too busy, ask again", 1.0)
            scoring.scores = await self._predicted(scoring, permit, now)
        if scoring.scores is None:
            scoring.scores, scoring.source = await self.otherwise.answer(scoring, self.clock())

    async def _predicted(self, scoring: Scoring, permit: int, now: float) -> Array | None:
        """The model's scores; None where it failed or was late, which its breaker hears of."""
        outcome, ok = Outcome.IGNORED, True
        try:
            scores = await self.predict(scoring.rows, scoring.deadline)
            outcome = Outcome.SUCCESS if np.isfinite(scores).all() else Outcome.FAILURE
        except asyncio.CancelledError:
            raise
        except Exception:  # a model may fail in any way: it is told by the breaker, and by where the answer came from
            outcome, ok, scores = Outcome.FAILURE, False, _NONE
        finally:
            after = self.clock()
            self.limiter.leave(after - now, ok)
            self.breaker.record(permit, outcome, after - now, after)
        return scores if outcome is Outcome.SUCCESS else None

    def _levels(self, scoring: Scoring, blocked: bool) -> tuple[Level, ...]:
        """The level of each row: the worst of the request, and REVIEW where its score lies in the grey zone."""
        worst = max((one.level for one in scoring.decisions), default=Level.ALLOW)
        n = len(scoring.rows)
        if blocked or scoring.scores is None or self.review is None or worst >= Level.REVIEW:
            return (worst,) * n
        low, high = self.review
        grey = [low <= score <= high for score in scoring.scores.tolist()]
        if any(grey):
            scoring.decisions.append(Decision(level=Level.REVIEW, stage="decide", reason="the score is undecided"))
        return tuple(Level.REVIEW if one else worst for one in grey)
