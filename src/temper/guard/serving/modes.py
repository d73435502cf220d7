"""Whether the parts around a model decide, only say what they would have, or are not asked at all."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.serving import Mode
from temper.core.stage import Decision, Level
from temper.guard.serving.breaker import Breaker, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Modes:
    """One mode for each part of a pipeline that is no stage of its own. What holds without a part is: any number of
    requests at once, the model always asked, the safe default where it cannot answer, and no grey zone.

    An operator's word and the kill switch count whatever stands here.
    """

    concurrency: Mode = Mode.ENFORCE
    breaker: Mode = Mode.ENFORCE
    golden: Mode = Mode.ENFORCE
    fallback: Mode = Mode.ENFORCE
    decide: Mode = Mode.ENFORCE


def acting(breaker: Breaker, mode: Mode) -> State:
    """The state in which a breaker meets requests: one that only looks stops nobody, unless a person forced it."""
    forced = breaker.state in (State.FORCED_OPEN, State.FORCED_CLOSED)
    return breaker.state if mode is Mode.ENFORCE or forced else State.CLOSED


def shadowed(stage: str, level: Level, reason: str) -> Decision:
    """What a part in shadow would have decided, as it stands in the record of a decision: it changes nothing.

    >>> shadowed("quota", Level.BLOCK, "too many").reason
    'shadow, BLOCK: too many'
    """
    return Decision(level=Level.ALLOW, stage=stage, reason=f"shadow, {level.name}: {reason}")
