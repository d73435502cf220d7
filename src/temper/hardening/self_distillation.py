"""A model that learns what models said of each row that had not seen it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.hardening._refit import trainable

Vector = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfDistillation:
    """Fit `folds` models, each without a part of the rows, and fit the model again on their answers about those parts.

    What it is taught of a row is what a model says that never saw the row, so there is little left to remember. The
    answers are taught as `copies` of every row whose labels have the answered shares. A defence of privacy, at little
    cost in quality. Misleads as a guarantee: no proof stands behind it, and rows that others give away (duplicates,
    families) stay given away. Costs `folds` fits and one on `copies` times the rows. All of them are restrained by
    `strength`, as `regularise` is: a teacher that memorises gives its own accidents away.
    Source: Tang et al., "Mitigating membership inference attacks by self-distillation through a novel ensemble
    architecture" (SELENA), 2022.

    >>> SelfDistillation(folds=10).copies
    4
    """

    needs: ClassVar[Access] = Access.RETRAIN | Access.SCORES
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"strength": 0.0}, {"strength": 1.0, "copies": 8})
    folds: int = 5
    copies: int = 4
    strength: float = 0.7

    def __post_init__(self) -> None:
        if self.folds < 2 or self.copies < 1 or not 0 <= self.strength <= 1:
            raise TemperError(f"{self} cannot be meant", fix="folds from 2, copies from 1, strength in [0, 1]")

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same family, fitted on out-of-fold answers."""
        trainable(target, "self_distillation")
        if target.kind is ScoreKind.VALUE:
            raise Unsupported(
                "self_distillation teaches shares of classes, and the target predicts a value", fix="use regularise"
            )
        taught = self._answers(target, data, rng)
        return target.refit(self._copied(data, taught, rng), Recipe(seed=rng.integer(), regularise=self.strength))

    def _answers(self, target: Target, data: Data, rng: Draws) -> Vector:
        """Per row the probabilities (n, classes) given by the model that was fitted without its fold."""
        fold = rng.child("folds").generator().permutation(len(data)) % self.folds
        parts: list[tuple[Vector, Vector]] = []
        for at in range(self.folds):
            away = np.flatnonzero(fold == at)
            model = target.refit(
                data.take(np.flatnonzero(fold != at)), Recipe(seed=rng.integer(1 + at), regularise=self.strength)
            )
            parts.append((away, _probabilities(np.asarray(model.scores(data.x[away])), target.kind)))
        return np.concatenate([said for _, said in parts])[np.argsort(np.concatenate([away for away, _ in parts]))]

    def _copied(self, data: Data, taught: Vector, rng: Draws) -> Data:
        """Every row `copies` times, its labels in the taught shares (systematic sampling: rounded, not drawn)."""
        rows = np.arange(len(data))
        start = replace(rng.child("labels"), ids=data.ids).uniform(rows, 0)
        steps = (np.arange(self.copies)[:, None] + start) / self.copies
        ends = np.cumsum(taught, axis=1)
        labels = (steps[:, :, None] >= ends[None, :, :-1]).sum(axis=2)
        again = np.tile(rows, self.copies)
        return Data(x=data.x[again], y=labels.reshape(-1).astype(np.int64), ids=data.ids[again])


def _probabilities(scores: Vector, kind: ScoreKind) -> Vector:
    if kind is ScoreKind.PROBABILITIES:
        return np.asarray(scores / scores.sum(axis=1, keepdims=True))
    if kind is ScoreKind.MARGIN:
        scores = np.column_stack([np.zeros(len(scores)), scores[:, 0]])
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


PLUGIN = SelfDistillation
