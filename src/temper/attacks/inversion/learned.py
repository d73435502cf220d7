"""Membership by a classifier that learned on the references what a member looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from temper.attacks.inversion._signals import gather, payload
from temper.attacks.inversion._statistics import learned
from temper.core.attack import Scene
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.core.target import Access
from temper.judges.advantage import Membership


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """Every reference plays the model once, beside pairs it has nothing to do with; a classifier learns the difference.

    Takes the best of ratio and logit and more of forests; about a second dearer than `inversion.ratio`. With fewer than
    six references nothing is left to play the twin, so only the deployed model is judged. Misleads as
    `inversion.membership` does.
    Source: Shi, Ouyang & Wang, "Learning-based difficulty calibration for enhanced membership inference attacks", 2024;
    shadow training from Shokri et al., "Membership inference attacks against machine learning models", 2017.

    >>> Learned(references=8).references
    8
    """

    needs: ClassVar[Access] = Access.SCORES | Access.RETRAIN
    references: int = 4

    def __post_init__(self) -> None:
        if self.references < 4 or self.references % 2:
            raise TemperError(
                f"{self.references} reference models were asked for, expected an even number from 4",
                fix="a classifier learns on one pair about another; use 4",
            )

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Membership:
        """Scores of all training rows (members) and of the scene's own rows (others)."""
        signals = gather(scene, rng, self.references)
        own, twin = rng.child("own").generator(), signals.twin
        again = learned(twin, own) if twin is not None and len(twin.references) >= 4 else None
        return payload(signals, learned(signals.answers, own), again)


PLUGIN = Learned
