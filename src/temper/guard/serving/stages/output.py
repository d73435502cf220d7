"""Answers that are no answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from temper.core.serving import Scoring
from temper.core.stage import ALLOWED, Decision
from temper.detectors.output.sane import Range, Sane
from temper.guard.serving.profile import ON_SCORES, Profile
from temper.guard.serving.stages._answer import level


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Answers `answer` where the scores are not there, not finite, not one per row, or outside the range the profile
    was fitted with.

    Misleads about wrong scores that look like right ones.
    """

    profile: Profile
    answer: str = "block"
    _watch: tuple[Sane, Any] = field(default=(Sane(), None), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        level("output", self.answer)
        object.__setattr__(self, "_watch", (Sane(), self.profile.state(ON_SCORES)))

    def check(self, scoring: Scoring) -> Decision:
        """ALLOWED where every row has a score in range."""
        reason = _fault(scoring, *self._watch)
        return Decision(level=level("output", self.answer), stage="output", reason=reason) if reason else ALLOWED


def _fault(scoring: Scoring, watch: Sane, limits: Range) -> str:
    scores, rows = scoring.scores, len(scoring.rows)
    if scores is None:
        return "there are no scores"
    if len(scores) != rows:
        return f"{len(scores)} scores for {rows} rows"
    return watch.step(limits, scores.reshape((rows, -1)))[1].reason


PLUGIN = Output
