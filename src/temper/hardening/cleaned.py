"""Fit without the training rows that seem to have been moved to a more common class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.hardening._refit import trainable
from temper.kernels.confident import contradicted, dealt, out_of_fold, thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """Drop the rows that models which did not see them call, with confidence, a rarer class than their label does.

    Whoever hides frauds calls them ordinary, so only this direction is dropped: rows of a rare class are too precious
    to lose to a doubt, and relabelling teaches the doubt as truth. Costs `folds` fits and one. Misleads where most of a
    class was flipped (the models have learnt it), and costs ambiguous rows of a clean table, which are dropped too.
    Source: Northcutt, Jiang & Chuang, "Confident learning: estimating uncertainty in dataset labels", 2021 (by
    cleanlab); the direction is what was measured to help (`bench/poisoning/labels.py`).

    >>> Cleaned(folds=5).folds
    5
    """

    needs: ClassVar[Access] = Access.RETRAIN | Access.SCORES
    of_data: ClassVar[bool] = True
    folds: int = 3

    def __post_init__(self) -> None:
        if self.folds < 2:
            raise TemperError(f"{self} cannot be meant", fix="take two folds or more")

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The model fitted without the doubtful rows; `Unsupported` without probabilities."""
        trainable(target, "cleaned")
        if target.kind not in (ScoreKind.PROBABILITIES, ScoreKind.LOGITS):
            raise Unsupported(
                "cleaned reads probabilities of classes, and this target gives none", fix="use regularise"
            )
        y = np.asarray(data.y)
        classes, sizes = np.unique(y, return_counts=True)
        if len(classes) < target.classes or sizes.min() < self.folds:
            raise Unsupported(f"cleaned takes {self.folds} training rows of every class", fix="give it more rows")
        said = self._said(target, data, rng)
        doubtful = (said >= 0) & (sizes[said] < sizes[y])
        return target.refit(data.take(np.flatnonzero(~doubtful)), Recipe(seed=rng.integer()))

    def _said(self, target: Target, data: Data, rng: Draws) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        """The class (n,) that contradicts each label, -1 where none does."""
        y = np.asarray(data.y)
        drawn = Draws(rng.integer(), "cleaned", ids=np.asarray(data.ids)).uniform(np.arange(len(data)), 0)
        fold = dealt(y, drawn, self.folds)
        parts = [data.take(np.flatnonzero(fold != at)) for at in range(self.folds)]
        models = [target.refit(part, Recipe(seed=rng.integer(1 + at))) for at, part in enumerate(parts)]
        scores = out_of_fold(models, data.x, fold)
        if target.kind is ScoreKind.LOGITS:
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        p = scores / scores.sum(axis=1, keepdims=True)
        return np.asarray(contradicted(y, p, thresholds(y, p)), dtype=np.int64)


PLUGIN = Cleaned
