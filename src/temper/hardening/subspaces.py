"""Many models, each of which sees part of the columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.hardening._member import member
from temper.hardening._refit import trainable
from temper.targets.averaged import Averaged


@dataclass(frozen=True, slots=True, kw_only=True)
class Subspaces:
    """Fit `models` times, each time with a random `share` of the columns and the others held at their median, and
    average the margins, so that no few columns decide alone.

    Misleads where the columns an attacker moves carry the decision in every subset; costs `models` times the answers.
    Source: Ho, "The random subspace method for constructing decision forests", 1998; Biggio, Fumera & Roli, "Multiple
    classifier systems for robust classifier design in adversarial environments", 2010.

    >>> Subspaces(models=5).share
    0.5
    """

    needs: ClassVar[Access] = Access.RETRAIN
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"share": 0.75}, {"share": 0.25})
    models: int = 10
    share: float = 0.5

    def __post_init__(self) -> None:
        if self.models < 2 or not 0 < self.share <= 1:
            raise TemperError("subspaces needs two models and a share in (0, 1]", fix="set models to 2 or more")

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The average of the models."""
        trainable(target, "subspaces")
        if data.x.ndim != 2 or target.kind is ScoreKind.VALUE:
            raise Unsupported(
                "subspaces chooses among the columns of a classifier's table", fix="use a defence made for such inputs"
            )
        columns = data.x.shape[1]
        kept = max(1, round(self.share * columns))
        members = []
        for at in range(self.models):
            chosen = np.sort(rng.child("columns").generator(at).permutation(columns)[:kept])
            members.append(member(target, data, chosen, Recipe(seed=rng.integer(at))))
        return Averaged(members=tuple(members))


PLUGIN = Subspaces
