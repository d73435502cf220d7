"""A table model that is being served: a request on its way through the guard, and what it is answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np

from temper.core.stage import Decision, Level

Array = np.ndarray[Any, Any]


class Mode(StrEnum):
    """What becomes of a stage's decision: nothing is asked of it, it is written down, or it counts."""

    OFF = "off"
    SHADOW = "shadow"
    ENFORCE = "enforce"


class Source(StrEnum):
    """Where a score came from; everything but PRIMARY is a degraded answer and says so."""

    PRIMARY = "primary"
    CHALLENGER = "challenger"
    RULES = "rules"
    LAST_KNOWN = "last_known"
    HUMAN = "human"
    DEFAULT = "default"


@dataclass(slots=True, kw_only=True, eq=False)
class Scoring:
    """One request on its way. `rows` are (n, columns) float64 in the Schema's order, NaN where a value is missing;
    `client` is who asks (`who` the key's own name, where that is another), `request` the id under which it is answered
    once, which the client has given where it is `named`; `subject` is the person it is about, where that was said; `at`
    and `deadline` are seconds of the monotonic clock. `scores` (n,) are there once something has answered, with their
    `source`.

    Stages look and decide; they change neither rows nor scores.
    """

    rows: Array
    client: str
    request: str
    at: float
    deadline: float
    scores: Array | None = None
    source: Source = Source.PRIMARY
    who: str = ""
    named: bool = False
    subject: str = ""
    decisions: list[Decision] = field(default_factory=list)
    trace: str = ""
    """The `traceparent` that goes on to whoever is asked for it, "" for none."""

    @property
    def person(self) -> str:
        """Under which name its rows are kept, and can be erased: the person's, else that of this request alone."""
        return f"{self.client}:{self.subject}" if self.subject else self.request

    @property
    def level(self) -> Level:
        """The worst decision so far."""
        return max((one.level for one in self.decisions), default=Level.ALLOW)


class ServingStage(Protocol):
    """A layer in front of a table model or behind it. It may keep state between requests, in memory and bounded. One of
    another package that says `sees_scores: ClassVar[bool] = True` comes after the model, else before it.
    """

    def check(self, scoring: Scoring) -> Decision:
        """The decision on a request, `ALLOWED` where there is nothing to object to."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What a request is answered: one score per row (none where only a decision is told), the level of each row, where
    the scores came from, and the decisions behind that. `model` and `policy` are the digests of what decided, "" where
    that is what the gateway says of itself. It is not `labelled` where the threshold of then is not known any more.
    """

    scores: Array
    levels: tuple[Level, ...]
    source: Source
    decisions: tuple[Decision, ...] = ()
    model: str = ""
    policy: str = ""
    labelled: bool = True

    @property
    def degraded(self) -> bool:
        """Whether something other than the model answered."""
        return self.source is not Source.PRIMARY


def sees_scores(stage: Any) -> bool:
    """Whether this stage, or its class, comes after the model."""
    return bool(getattr(stage, "sees_scores", False))
