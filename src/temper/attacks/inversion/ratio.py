"""Membership by what the model gives over what others give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from temper.attacks.inversion._signals import even, gather, guesses
from temper.attacks.inversion._statistics import ratio
from temper.core.attack import Scene
from temper.core.seed import Draws
from temper.core.target import Access
from temper.judges.advantage import Membership


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """RMIA alone: the probability of a row's own class, divided by its mean over reference models.

    With gamma 1 the published score, a share of population rows below, is a rank of this ratio; the ratio itself is not
    quantised. Strong with two to four references, on forests by far. Misleads as `inversion.membership` does.
    Source: Zarifzadeh, Liu & Shokri, "Low-cost high-power membership inference attacks", 2024.

    >>> Ratio().references
    4
    """

    needs: ClassVar[Access] = Access.SCORES | Access.RETRAIN
    references: int = 4

    def __post_init__(self) -> None:
        even(self.references)

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Membership:
        """Scores of all training rows (members) and of the scene's own rows (others)."""
        return guesses(gather(scene, rng, self.references), ratio)


PLUGIN = Ratio
