"""A copy of the model that predicts the same and keeps no counts of the rows behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.data import Data
from temper.core.seed import Draws
from temper.core.target import Access, Target
from temper.targets.stripped import strip


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictOnly:
    """Strike out of the model's trees how many training rows stand behind each node and how mixed they are, and the
    ranges of the training columns; every score on the training rows stays the same to the last bit, or it is refused.

    Against whoever gets the file. Works on trees of scikit-learn, XGBoost and LightGBM; a model that needs its rows to
    predict (neighbours, kernels) is refused. Misleads as a defence against membership inference, which asks for
    nothing but scores.
    Source: Ferry et al., "Trained random forests completely reveal your dataset", 2024 (what the counts give away).

    >>> PredictOnly()
    PredictOnly()
    """

    needs: ClassVar[Access] = Access.SCORES

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The stripped copy."""
        return strip(target, data.x).target


PLUGIN = PredictOnly
