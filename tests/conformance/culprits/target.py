"""Targets, each of which breaks one law; `INNOCENT` breaks none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.core.target import Access, Target
from temper.core.trees import TreeEnsemble
from temper.targets.function import Function
from temper.testing import target
from temper.testing.scenes import table_model, training
from temper.testing.toys import Constant, Counted, Flickering, Linear, Trainable


def trained() -> Trainable:
    return Trainable.fitted(training())


@dataclass(slots=True, kw_only=True)
class Bent(Counted):
    """The trainable toy with one answer bent."""

    inner: Target = field(default_factory=trained)
    bend: Callable[[Any], Any] = lambda scores: scores

    def scores(self, x: Any) -> Any:
        return self.bend(self.inner.scores(x))


def gaps(scores: Any) -> Any:
    return np.where(np.arange(len(scores))[:, None] == 0, np.nan, scores)


def one_short(scores: Any) -> Any:
    return scores[:-1]


def halved(scores: Any) -> Any:
    return scores / 2


def among_others(scores: Any) -> Any:
    p = np.clip(scores[:, 1] - scores[:, 1].mean() + 0.5, 0.0, 1.0)
    return np.stack([1.0 - p, p], axis=1)


class Scribbles(Bent):
    """Fills gaps where they are."""

    def scores(self, x: Any) -> Any:
        x[np.isnan(x)] = 0.0
        return self.inner.scores(x)


class Steep(Bent):
    """Reports twice its slope."""

    def gradient(self, x: Any, cotangent: Any) -> tuple[Any, Any]:
        scores, slope = self.inner.gradient(x, cotangent)
        return scores, 2.0 * slope


class Crashes(Bent):
    """Has no gradient, and says so with a crash."""

    access = Access.LABELS | Access.SCORES  # type: ignore[assignment]

    def gradient(self, x: Any, cotangent: Any) -> tuple[Any, Any]:
        raise AttributeError("no backward")

    def refit(self, data: Any, recipe: Any) -> Any:
        raise AttributeError("no fit")


class Edges(Bent):
    """Asks for `<=` and hands out trees that ask for `<`."""

    access = Access.LABELS | Access.SCORES | Access.TREES  # type: ignore[assignment]

    def scores(self, x: Any) -> Any:
        p = np.where(x[:, 0] <= 30.0, 0.9, 0.2)
        return np.stack([1.0 - p, p], axis=1)

    def trees(self) -> TreeEnsemble:
        return TreeEnsemble(
            feature=np.array([0, -1, -1], dtype=np.int32),
            threshold=np.array([30.0, 0.0, 0.0]),
            left=np.array([1, -1, -1], dtype=np.int32),
            right=np.array([2, -1, -1], dtype=np.int32),
            missing_left=np.zeros(3, dtype=np.bool_),
            value=np.array([[0.0, 0.0], [0.1, 0.9], [0.8, 0.2]]),
            root=np.zeros(1, dtype=np.int32),
            base=np.zeros(2),
            features=11,
        )


class Warm(Bent):
    """Goes on from where the last fit ended."""

    def refit(self, data: Any, recipe: Any) -> Any:
        self.asked.append(data)
        model = self.inner.refit(data, recipe)
        return replace(model, inner=replace(model.inner, bias=model.inner.bias + len(self.asked)))


class InPlace(Bent):
    """Fits itself again."""

    def refit(self, data: Any, recipe: Any) -> Any:
        self.inner = self.inner.refit(data, recipe)
        return self


INNOCENT = trained()
BITES = {
    target.law_one_finite_row_of_scores_each: tuple(Bent(bend=bend) for bend in (gaps, one_short, halved)),
    target.law_a_row_is_answered_alike_in_any_company: (Bent(bend=among_others),),
    target.law_is_deterministic_or_says_so: (Flickering(inner=table_model(), stochastic=False),),
    target.law_leaves_inputs_alone: (Scribbles(),),
    target.law_declared_access_works: (Linear(weights=table_model().weights, access=~Access.NONE),),
    target.law_undeclared_access_is_refused: (Constant(access=Access.LABELS | Access.SCORES), Crashes()),
    target.law_trees_are_the_model: (Edges(),),
    target.law_gradient_equals_finite_differences: (Steep(),),
    target.law_survives_pickling: (Function(call=lambda x: table_model().scores(x)),),
    target.law_refit_repeats_and_leaves_it_alone: (Warm(), InPlace()),
}
