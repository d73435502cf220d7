"""What checks of explanations share: features as people see them, the score that is explained, Shapley values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import comb
from typing import Any, cast

import numpy as np

from temper.core.attack import Scene
from temper.core.errors import ContractError
from temper.core.schema import Schema
from temper.core.target import Access, ScoreKind, Target, TreeTarget
from temper.core.trees import TreeEnsemble, TreeMargin
from temper.kernels.loss import flagged_score
from temper.kernels.shapley import of_trees, sampled
from temper.kernels.trees import margins, value_margins
from temper.validation._measured import scored

Floats = np.ndarray[Any, np.dtype[np.float64]]


def by_id(scene: Scene) -> Scene:
    """The rows in the order of their ids, so that the same rows are drawn in whatever order they came."""
    order = np.argsort(np.asarray(scene.ids), kind="stable")
    return replace(scene, x=np.asarray(scene.x)[order], y=np.asarray(scene.y)[order], ids=np.asarray(scene.ids)[order])


def features_of(schema: Schema) -> list[Any]:
    """Positions of what a person calls one feature: a column or a one-hot group."""
    grouped = set(np.concatenate(schema.groups).tolist()) if schema.groups else set()
    single = [np.array([i]) for i in range(len(schema.columns)) if i not in grouped]
    return [*single, *schema.groups]


def score_of(scene: Scene, x: Any) -> Any:
    """The score that is explained, as the target answers it: log odds of class 1, a margin, a value."""
    target: Target | None = scene.target
    if target is None:
        raise ContractError("a check needs the target in its scene", fix="build the scene with target=...")
    score = np.asarray(flagged_score(np.asarray(target.scores(x)), scene.kind), dtype=np.float64)
    if scene.kind is ScoreKind.PROBABILITIES and scene.classes == 2:
        score = np.clip(score, 1e-6, 1 - 1e-6)
        return np.log(score / (1 - score))  # reasons add up in log odds; probabilities saturate
    return score


def overlap(a: Any, b: Any, top: int) -> Any:
    """Jaccard index per row of the `top` largest of two importance tables (b, features)."""
    first, second = (np.argsort(-part, axis=1, kind="stable")[:, :top] for part in (a, b))
    common = (first[:, :, None] == second[:, None, :]).sum(axis=(1, 2))
    return common / (2 * top - common)


def overlap_by_chance(width: int, top: int) -> float:
    """The Jaccard index of two random sets of `top` out of `width`, on average.

    >>> overlap_by_chance(2, 1)
    0.5
    """
    each = (comb(top, k) * comb(width - top, top - k) * k / (2 * top - k) for k in range(top + 1))
    return sum(each) / comb(width, top)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explainer:
    """Explains a target's score on rows beside references: exactly by its trees where it has them, else by sampling.

    `margin` is the score of the trees and `linked` whether that is a log odds; `rounds` is how many random orders (and
    their reverses) are sampled.
    """

    scene: Scene
    features: list[Any]
    margin: TreeMargin | None
    linked: bool
    rounds: int

    @staticmethod
    def of(scene: Scene, rounds: int) -> Explainer:
        """The explainer of the scene's target."""
        trees = _trees(scene)
        return Explainer(
            scene=scene,
            features=features_of(scene.schema),
            margin=None if trees is None else _margin(scene, trees),
            linked=trees is not None and trees.link != "identity",
            rounds=rounds,
        )

    @property
    def exact(self) -> bool:
        """Whether its values are exact."""
        return self.margin is not None

    @property
    def how(self) -> str:
        """In words."""
        return "exact by the trees" if self.exact else f"{2 * self.rounds} sampled orders"

    def score(self, x: Any) -> Floats:
        """The explained score of the rows, as the target itself answers it."""
        if self.margin is None:
            return np.asarray(score_of(self.scene, x), dtype=np.float64)
        return _answered(replace(self.scene, x=x), self.linked)

    def values(self, x: Any, references: Any, rng: np.random.Generator) -> Floats:
        """What each feature adds (n, features) to the rows' scores, beside the references' mean."""
        if self.margin is not None:
            return of_trees(self.margin, x, references, self.features)
        return sampled(self.score, x, references, self.features, rng, self.rounds)

    def without(self, x: Any, features: Any, references: Any) -> Floats:
        """Scores (n,) of rows whose `features` (n, k) come from a reference instead, mean over the references."""
        moved = np.repeat(np.asarray(x, dtype=np.float64)[None], len(references), axis=0)
        for row, chosen in enumerate(features):
            columns = np.concatenate([self.features[at] for at in chosen])
            moved[:, row, columns] = np.asarray(references)[:, columns]
        scores = self.score(moved.reshape(-1, moved.shape[2])).reshape(len(references), -1)
        return np.asarray(scores.mean(axis=0), dtype=np.float64)


def _answered(scene: Scene, linked: bool) -> Floats:
    """The score in which trees add up: log odds where they are linked, else the difference of two shares."""
    scores = scored(scene)
    if scene.kind in (ScoreKind.VALUE, ScoreKind.MARGIN):
        return np.asarray(scores[:, 0])
    if scene.kind is ScoreKind.LOGITS or not linked:
        return np.asarray(scores[:, 1] - scores[:, 0])
    tiny = np.finfo(np.float64).tiny
    return np.asarray(np.log(np.maximum(scores[:, 1], tiny)) - np.log(np.maximum(scores[:, 0], tiny)))


def _trees(scene: Scene) -> TreeEnsemble | None:
    """The target's trees; None where it has none, or more than two classes."""
    target = scene.target
    if target is None or Access.TREES not in target.access or (scene.classes > 2 and scene.kind is not ScoreKind.VALUE):
        return None
    return cast(TreeTarget, target).trees()


def _margin(scene: Scene, trees: TreeEnsemble) -> TreeMargin:
    """The trees' score of class 1, or their value."""
    return value_margins(trees, 0.0, 0.0)[0] if scene.kind is ScoreKind.VALUE else margins(trees, scene.kind, 0)[0]
