"""Who breaks the laws of stages before a table model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from temper.core.serving import Scoring
from temper.core.stage import ALLOWED, Decision, Level
from temper.testing import serving


@dataclass
class Sound:
    """Looks at one column."""

    seen: list[Any] = field(default_factory=list)

    def check(self, scoring: Scoring) -> Decision:
        return HIGH if (scoring.rows[:, 0] > 1e9).any() else ALLOWED


HIGH = Decision(level=Level.REVIEW, stage="sound", reason="the first column is high")


class Deaf(Sound):
    """Stops everybody."""

    def check(self, scoring: Scoring) -> Decision:
        return HIGH


class Silent(Sound):
    """Does not say why."""

    def check(self, scoring: Scoring) -> Decision:
        return replace(super().check(scoring), reason="")


class First(Sound):
    """Looks at the first row alone."""

    def check(self, scoring: Scoring) -> Decision:
        return super().check(replace(scoring, rows=scoring.rows[:1]))


class Partial(Sound):
    """Minds who asks."""

    def check(self, scoring: Scoring) -> Decision:
        return HIGH if scoring.client == "other" else super().check(scoring)


class Weary(Sound):
    """Stops whoever comes after many others."""

    def check(self, scoring: Scoring) -> Decision:
        self.seen.append(None)
        return HIGH if len(self.seen) > 5 else super().check(scoring)


class Notes(Sound):
    """Writes into the request."""

    def check(self, scoring: Scoring) -> Decision:
        scoring.decisions.append(HIGH)
        return super().check(scoring)


class Brittle(Sound):
    """Trips over a request without rows."""

    def check(self, scoring: Scoring) -> Decision:
        return HIGH if scoring.rows.max() > 1e9 else ALLOWED


class Peeks(Sound):
    """Looks at scores without a word."""

    def check(self, scoring: Scoring) -> Decision:
        return HIGH if scoring.scores is not None and (scoring.scores > 0.5).any() else super().check(scoring)


class Late(Sound):
    """Says of itself what nobody asks an object."""

    def __init__(self) -> None:
        super().__init__()
        self.sees_scores = True


class Doubts(Sound):
    """Comes after the model, and trips over a score beyond all others."""

    sees_scores: ClassVar[bool] = True

    def check(self, scoring: Scoring) -> Decision:
        if scoring.scores is None or (abs(scoring.scores) > 1e9).any():
            raise ValueError("a score of that size")
        return super().check(scoring)


class Rescores(Sound):
    """Comes after the model, and answers in its place."""

    sees_scores: ClassVar[bool] = True

    def check(self, scoring: Scoring) -> Decision:
        scoring.scores = None
        return super().check(scoring)


INNOCENT = Sound()
BITES = {
    serving.law_ordinary_rows_pass: (Deaf(),),
    serving.law_says_why: (Silent(),),
    serving.law_a_request_is_like_its_rows: (First(),),
    serving.law_knows_no_earlier_requests: (Partial(), Weary()),
    serving.law_looks_and_changes_nothing: (Notes(), Rescores()),
    serving.law_copes_with_anything: (Brittle(), Doubts()),
    serving.law_sees_scores_only_where_it_says_so: (Peeks(), Late()),
}
