"""Serve decisions and no scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind, Target
from temper.targets.answers import Decided


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelOnly:
    """Serve the decision at the operating `threshold` and nothing else.

    Misleads as a defence against copying: a copy of decisions takes some more queries, no more. Whoever ranked by the
    score (a review queue, a price) loses the whole order, which the effect on AUC shows.
    Source: Tramèr et al., "Stealing machine learning models via prediction APIs", 2016.

    >>> LabelOnly().threshold is None
    True
    """

    needs: ClassVar[Access] = Access.SCORES
    threshold: float | None = None

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same model behind its decision."""
        if target.kind is ScoreKind.VALUE:
            raise Unsupported("label_only serves classes, and this target predicts a value", fix="round the values")
        return Decided(inner=target, threshold=self.threshold)


PLUGIN = LabelOnly
