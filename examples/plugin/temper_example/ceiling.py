"""A stage that lets people look at what is unusually much."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.serving import Scoring
from temper.core.stage import ALLOWED, Decision, Level
from temper.guard.serving.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """REVIEW where the value of `column` is above a limit, whatever the model would say.

    Misleads where many honest rows lie above it: then people look at nothing else. Without a column it stops nothing.
    Source: limits of amounts as payment services set them.
    """

    profile: Profile
    column: str = ""
    above: float = float("inf")

    def check(self, scoring: Scoring) -> Decision:
        """ALLOWED where every row is below."""
        if not self.column:
            return ALLOWED
        over = int((scoring.rows[:, self.profile.columns.index(self.column)] > self.above).sum())
        if not over:
            return ALLOWED
        return Decision(level=Level.REVIEW, stage="ceiling", reason=f"{self.column} is above {self.above:g}")


PLUGIN = Ceiling
