"""Rows unlike those the model was made for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from temper.core.serving import Scoring
from temper.core.stage import ALLOWED, Decision
from temper.guard.serving.profile import Profile
from temper.guard.serving.stages._answer import level


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """Answers `answer` where a detector alarms at one of the rows; of several alarms the reasons stand together. The
    detectors of other packages that `guard: plugins:` names look, too.

    How often that happens to ordinary rows was promised when the profile was fitted, per detector and row. Misleads
    where traffic has drifted from the training data: then honest rows are strange.
    """

    profile: Profile
    answer: str = "review"
    detectors: tuple[str, ...] = ("input.mahalanobis", "input.ecod", "input.missing")
    _watch: tuple[tuple[Any, Any], ...] = field(default=(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        level("anomaly", self.answer)
        names = dict.fromkeys((*self.detectors, *self.profile.plugins))
        watch = tuple((self.profile.detector(name), self.profile.state(name)) for name in names)
        object.__setattr__(self, "_watch", watch)

    def check(self, scoring: Scoring) -> Decision:
        """ALLOWED where no detector alarms."""
        reasons = [told for detector, state in self._watch if (told := detector.step(state, scoring.rows)[1].reason)]
        if not reasons:
            return ALLOWED
        return Decision(level=level("anomaly", self.answer), stage="anomaly", reason="; ".join(reasons))


PLUGIN = Anomaly
