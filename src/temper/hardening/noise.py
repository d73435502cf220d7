"""Serve scores with noise that is the same whenever a row is asked again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind, Target
from temper.targets.misleading import Noised


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Move the logits of every answer by normal noise of standard deviation `spread`, keyed by the row, so that asking
    the same row again averages nothing away.

    Misleads as a defence against copying: a student fitted to many answers averages the noise that honest users of a
    single answer bear whole, and nearly equal rows have noise of their own.
    Source: Tramèr et al., "Stealing machine learning models via prediction APIs", 2016; Orekondy, Schiele & Fritz,
    "Prediction poisoning: towards defenses against DNN model stealing attacks", 2020.

    >>> Noise().spread
    0.5
    """

    needs: ClassVar[Access] = Access.SCORES
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"spread": 0.25}, {"spread": 1.0})
    spread: float = 0.5

    def __post_init__(self) -> None:
        if not self.spread > 0:
            raise TemperError(f"noise of standard deviation {self.spread:g}", fix="use a spread above zero")

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same model behind the noise."""
        if target.kind not in (ScoreKind.PROBABILITIES, ScoreKind.LOGITS):
            raise Unsupported(
                f"noise is measured in logits, and this target gives {target.kind.value}s", fix="use label_only"
            )
        return Noised(inner=target, spread=self.spread, seed=rng.integer())


PLUGIN = Noise
