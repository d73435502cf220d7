"""Success of an evasion: the decision is wrong, or the goal class, or the value has moved beyond a tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.attack import Outcome, Scene
from temper.core.data import Array
from temper.core.errors import TemperError
from temper.core.target import ScoreKind
from temper.kernels.loss import decide


@dataclass(frozen=True, slots=True, kw_only=True)
class Misclassified:
    """A candidate succeeds when the target decides otherwise than the truth (or as the goal class).

    Misleads when rows the model already gets wrong are counted: the engine attacks only rows it gets right.
    Source: Biggio et al., "Evasion attacks against machine learning at test time", 2013.

    >>> Misclassified().charged
    False
    """

    charged: ClassVar[bool] = False

    def judge(self, scene: Scene, outcome: Outcome) -> Array:
        """A boolean per row; judging reads the scores the attacker has already paid for."""
        if scene.kind is ScoreKind.VALUE:
            if outcome.clean is None:
                raise TemperError("a regression target is judged by the shift from its clean value, which is absent")
            return abs(outcome.scores[:, 0] - outcome.clean[:, 0]) > scene.tolerance
        decided = decide(outcome.scores, scene.kind, scene.threshold)
        return decided != outcome.y if scene.goal == "misclassify" else decided == int(scene.goal)


PLUGIN = Misclassified
