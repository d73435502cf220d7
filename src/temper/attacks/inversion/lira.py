"""Membership by the likelihood ratio of two distributions of a row's logit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from temper.attacks.inversion._signals import even, gather, guesses
from temper.attacks.inversion._statistics import likelihood
from temper.core.attack import Scene
from temper.core.seed import Draws
from temper.core.target import Access
from temper.judges.advantage import Membership


@dataclass(frozen=True, slots=True, kw_only=True)
class LiRA:
    """LiRA alone: is the model's logit of a row likelier from models fitted on the row, or from the others?

    Variances are shrunk towards that of all rows: with few references a row's own is mostly chance. Weak on forests,
    whose certain votes are nothing like Gaussian. Misleads below 16 references, where `inversion.ratio` finds more.
    Source: Carlini et al., "Membership inference attacks from first principles", 2022; shrinkage after "BaVarIA:
    Bayesian variance inference for membership attacks", 2026.

    >>> LiRA(references=16).references
    16
    """

    needs: ClassVar[Access] = Access.SCORES | Access.RETRAIN
    references: int = 4

    def __post_init__(self) -> None:
        even(self.references)

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Membership:
        """Scores of all training rows (members) and of the scene's own rows (others)."""
        return guesses(gather(scene, rng, self.references), likelihood)


PLUGIN = LiRA
