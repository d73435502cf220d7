"""One model per part of the training rows, and a vote: few poisoned rows reach few voters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.hardening._refit import trainable
from temper.targets.voted import Voted, partition


@dataclass(frozen=True, slots=True, kw_only=True)
class Partitions:
    """Split the training rows into `parts` by a hash of their values, fit a model on each, and let them vote.

    A row that is added, removed or relabelled reaches one voter, so a majority proves how many such rows cannot change
    a decision: `validation.partition_bound` counts them. Misleads when the accuracy is taken for granted: every voter
    sees few rows of a rare class, and recall pays for the proof. The proof counts rows: a poisoner with as many rows as
    the vote has parts is not held. `threshold` is the operating point of the voters (None: the larger score).
    Source: Levine & Feizi, "Deep partition aggregation: provable defenses against general poisoning attacks", 2021.

    >>> Partitions(parts=9).parts
    9
    """

    needs: ClassVar[Access] = Access.RETRAIN
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"parts": 5}, {"parts": 31})
    parts: int = 15
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.parts < 2:
            raise TemperError(f"partitions with {self.parts} part", fix="split into two parts at least")

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The vote; `Unsupported` for values, which are not voted on."""
        trainable(target, "partitions")
        if target.kind is ScoreKind.VALUE:
            raise Unsupported("partitions votes on classes, and this target predicts a value", fix="use regularise")
        return _fitted(target, data, self, Recipe(seed=rng.integer()))


def _fitted(target: Target, data: Data, defence: Partitions, recipe: Recipe) -> Voted:
    """A voter per part; a part with one class, or none, is an error of its size."""
    of = partition(data.x, defence.parts)
    fewest = min(len(np.unique(np.asarray(data.y)[of == part])) for part in range(defence.parts))
    if fewest < target.classes:
        raise Unsupported(
            f"split into {defence.parts} parts, some part has rows of {fewest} of {target.classes} classes",
            fix="use fewer parts, or more rows of the rare class",
        )
    members = tuple(target.refit(data.take(np.flatnonzero(of == part)), recipe) for part in range(defence.parts))

    def again(rows: Data, asked: Recipe) -> Target:
        return _fitted(target, rows, defence, asked)

    return Voted(members=members, thresholds=(defence.threshold,) * defence.parts, fit=again)


PLUGIN = Partitions
