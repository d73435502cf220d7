"""A stage that lets people look at what is much although the model calls it harmless."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.serving import Scoring
from temper.core.stage import ALLOWED, Decision, Level
from temper.guard.serving.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """REVIEW where the value of `column` is above a limit and the model's score below another: whoever moves much money
    has the most to gain from a model that was fooled.

    Misleads where the model is right about large honest rows: then people look at those. Without a column it stops
    nothing.
    Source: limits of amounts as payment services set them beside their models.
    """

    sees_scores: ClassVar[bool] = True
    profile: Profile
    column: str = ""
    above: float = float("inf")
    below: float = 0.5

    def check(self, scoring: Scoring) -> Decision:
        """ALLOWED where no row is both."""
        if not self.column or scoring.scores is None:
            return ALLOWED
        much = scoring.rows[:, self.profile.columns.index(self.column)] > self.above
        if not (much & (scoring.scores < self.below)).any():
            return ALLOWED
        reason = f"{self.column} is above {self.above:g} and the score below {self.below:g}"
        return Decision(level=Level.REVIEW, stage="doubt", reason=reason)


PLUGIN = Doubt
