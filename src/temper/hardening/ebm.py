"""An additive model in the model's place: one effect per column leaves little room to remember a row."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.hardening._additive import Steps, additive, replaceable
from temper.hardening._private import asked_for_nothing_more, extra
from temper.targets._recipe import class_numbers
from temper.targets.flat import Flat


@dataclass(frozen=True, slots=True, kw_only=True)
class Ebm:
    """Fit an explainable boosting machine without interactions: the score is a sum of one curve per column.

    A defence of privacy without a proof, often at no loss of quality on tables; `dp_ebm` is the same with noise and a
    proof. Two classes; categories are cut in the order of their codes; kept as trees. Misleads where two columns matter
    together: no curve of one column can say so, and the effect on clean quality shows it.
    Source: Lou, Caruana & Gehrke, "Intelligible models for classification and regression", 2012.

    >>> Ebm(bins=32).rate
    0.04
    """

    needs: ClassVar[Access] = Access.RETRAIN
    bins: int = 64
    rate: float = 0.04

    def __post_init__(self) -> None:
        if self.bins < 3 or not 0 < self.rate <= 1:
            raise TemperError(f"{self} cannot be meant", fix="bins from 3, a rate above 0 and up to 1")

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The additive model, with scores of the same kind."""
        replaceable(target, "ebm")
        if np.ndim(data.x) != 2:
            raise Unsupported("ebm fits tables, and these rows are none", fix="use a defence of nets")
        return _fitted(self, target.kind, data, Recipe(seed=rng.integer()))


def _fitted(how: Ebm, kind: ScoreKind, data: Data, recipe: Recipe) -> Target:
    asked_for_nothing_more(recipe, "ebm")
    x, y = np.asarray(data.x, dtype=np.float64), class_numbers(data, 2, "ebm")
    with extra("interpret", "ebm"):
        from interpret.glassbox import ExplainableBoostingClassifier
    model = ExplainableBoostingClassifier(
        feature_types=["continuous"] * x.shape[1],
        interactions=0,
        outer_bags=1,
        max_bins=how.bins,
        learning_rate=how.rate,
        random_state=recipe.seed,
        n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a drawing of it would not show missing values
        model.fit(x, y)
    ensemble = additive(_effects(model), float(np.ravel(model.intercept_)[0]), kind)
    return Flat(ensemble=ensemble, kind=kind, fit=partial(_fitted, how, kind))


def _effects(model: Any) -> list[Steps]:
    """The curve of every column: its first value is that of a missing one, its last is never reached."""
    found = [Steps(edges=np.zeros(0), values=np.zeros(1), missing=0.0) for _ in range(model.n_features_in_)]
    for (at,), scores in zip(model.term_features_, model.term_scores_, strict=True):
        found[at] = Steps(edges=model.bins_[at][0], values=scores[1:-1], missing=float(scores[0]))
    return found


PLUGIN = Ebm
