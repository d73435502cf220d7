"""Serve scores that are less sure of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind, Target
from temper.targets.answers import Masked as MaskedTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """Divide the logarithms of what is served by `temperature` and keep it `clip` away from nought and one.

    Misleads as a defence against membership inference, for which it is often proposed: whoever compares with models
    behind the same mask finds nearly as many members as before, as the effects show. A temperature keeps the order of
    the scores, a clip ties the surest of them; neither leaves them probabilities.
    Source: Shokri et al., "Membership inference attacks against machine learning models", 2017, who propose it;
    Choquette-Choo et al., "Label-only membership inference attacks", 2021, who show that it fails.

    >>> Masked(temperature=3.0).clip
    0.05
    """

    needs: ClassVar[Access] = Access.SCORES
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"temperature": 10.0},)
    temperature: float = 3.0
    clip: float = 0.05

    def __post_init__(self) -> None:
        if not self.temperature >= 1 or not 0 <= self.clip < 0.5:
            raise TemperError(f"{self} masks nothing", fix="a temperature from 1, a clip from 0 to below 0.5")

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same model behind the mask."""
        if target.kind is not ScoreKind.PROBABILITIES:
            raise Unsupported("masked flattens probabilities, and these are none", fix="use label_only")
        return MaskedTarget(inner=target, temperature=self.temperature, clip=self.clip)


PLUGIN = Masked
