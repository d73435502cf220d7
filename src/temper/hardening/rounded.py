"""Serve scores with fewer decimals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind, Target
from temper.targets.answers import Rounded as RoundedTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounded:
    """Round what is served to `digits` decimals, so that an answer carries less of the model.

    Misleads as a defence against copying and against membership inference: both lose little by it, as the effects show,
    while honest users lose the order of rows within a step.
    Source: Tramèr et al., "Stealing machine learning models via prediction APIs", 2016.

    >>> Rounded().digits
    2
    """

    needs: ClassVar[Access] = Access.SCORES
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"digits": 1},)
    digits: int = 2

    def __post_init__(self) -> None:
        if self.digits < 0:
            raise TemperError(f"rounded to {self.digits} digits", fix="use 0 or more")

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same model behind the rounding."""
        if target.kind is not ScoreKind.PROBABILITIES:
            raise Unsupported("rounded takes decimals off probabilities, and these are none", fix="use label_only")
        return RoundedTarget(inner=target, digits=self.digits)


PLUGIN = Rounded
