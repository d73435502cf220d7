"""Clients that somebody keeps apart for a while."""

from __future__ import annotations

from dataclasses import dataclass, field

from temper.core.serving import Scoring
from temper.core.stage import ALLOWED, Decision
from temper.guard.serving.profile import Profile
from temper.guard.serving.stages._answer import level


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """Answers `answer` to every request of the `clients`, by the group of their key or its name: people look at each
    (`review`), or the model is not asked (`block`).

    Misleads about whoever has keys of another group as well. Reviewed clients can fill the queue of people.
    """

    profile: Profile
    clients: tuple[str, ...] = ()
    answer: str = "review"
    _kept: frozenset[str] = field(default=frozenset(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        level("quarantine", self.answer)
        object.__setattr__(self, "_kept", frozenset(self.clients))

    def check(self, scoring: Scoring) -> Decision:
        """ALLOWED for everybody else."""
        if scoring.client not in self._kept and scoring.who not in self._kept:
            return ALLOWED
        return Decision(level=level("quarantine", self.answer), stage="quarantine", reason="the client is kept apart")


PLUGIN = Quarantine
