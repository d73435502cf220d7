"""A simpler model of the same family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from temper.core.data import Data
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, Target
from temper.hardening._refit import trainable


@dataclass(frozen=True, slots=True, kw_only=True)
class Regularise:
    """Fit again shallower, slower and subsampled: less memory of single rows, fewer sharp corners to step around.

    Mostly a defence of privacy (membership inference) and against label noise. Misleads as a defence against evasion:
    there it helps little and can hurt, so read the measured effect. `strength` runs from 0 (as trained) to 1
    (strongly).
    Source: Yeom et al., "Privacy risk in machine learning: analyzing the connection to overfitting", 2018.

    >>> Regularise(strength=0.3)
    Regularise(strength=0.3)
    """

    needs: ClassVar[Access] = Access.RETRAIN
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"strength": 0.35}, {"strength": 1.0})
    strength: float = 0.7

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 1:
            raise TemperError(f"regularise strength is {self.strength!r}", fix="choose a number in (0, 1]")

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same family fitted with less freedom."""
        trainable(target, "regularise")
        return target.refit(data, Recipe(regularise=self.strength, seed=rng.integer()))


PLUGIN = Regularise
