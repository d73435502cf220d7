"""A toy made of trees: a linear model cut into steps, so that its trees can be read and its answers are known."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Array, Data
from temper.core.errors import Unsupported
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.core.trees import TreeEnsemble
from temper.kernels.trees import scores
from temper.testing.toys import Linear

_CUTS = 400


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """A target whose scores are those of its ensemble of stumps; class 1 above a half."""

    ensemble: TreeEnsemble
    name: str = "steps toy"
    access: Access = Access.LABELS | Access.SCORES | Access.TREES
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False

    @property
    def digest(self) -> str:
        """Of the thresholds and values."""
        return hashlib.sha256(self.ensemble.threshold.tobytes() + self.ensemble.value.tobytes()).hexdigest()

    def scores(self, x: Array) -> Array:
        """Probabilities (n, 2)."""
        return scores(self.ensemble, x)

    def trees(self) -> TreeEnsemble:
        """The stumps."""
        return self.ensemble

    def gradient(self, x: Array, cotangent: object) -> tuple[Array, Array]:
        """Steps have none."""
        raise Unsupported("steps have no gradients")

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """Not offered."""
        raise Unsupported("the steps toy is not trained")


def steps(model: Linear, x: Array, margin: float = 4.0, flat: bool = False) -> Steps:
    """The linear `model` in steps over the range of the rows `x` (n, d) and `margin` beyond; `flat` answers all alike.

    >>> toy = steps(Linear(weights=(1.0,)), np.array([[-1.0], [1.0]]))
    >>> bool(abs(toy.scores(np.array([[0.5]]))[0, 1] - 0.62) < 0.01)
    True
    """
    weights = np.asarray(model.weights)
    columns = np.flatnonzero(weights)
    low, high = np.nanmin(x, axis=0) - margin, np.nanmax(x, axis=0) + margin
    cuts = np.concatenate([np.linspace(low[at], high[at], _CUTS) for at in columns])
    rise = (weights * (high - low) / (_CUTS - 1))[columns]
    start = model.bias + float((weights * low)[columns].sum()) - float(rise.sum()) / 2
    value = np.zeros((len(cuts), 3))
    value[:, 2] = 0.0 if flat else np.repeat(rise, _CUTS)
    return Steps(ensemble=_stumps(np.repeat(columns, _CUTS), cuts, value, 1.0 if flat else start, len(weights)))


def _stumps(columns: Any, cuts: Any, value: Any, base: float, features: int) -> TreeEnsemble:
    """Three nodes a stump: the split, the leaf to its left, the leaf to its right."""
    n = len(cuts)
    at = 3 * np.arange(n, dtype=np.int32)
    feature, threshold, children = np.full((n, 3), -1, np.int32), np.zeros((n, 3)), np.zeros((2, n, 3), np.int32)
    feature[:, 0], threshold[:, 0] = columns, cuts
    children[0, :, 0], children[1, :, 0] = at + 1, at + 2
    return TreeEnsemble(
        feature=feature.ravel(),
        threshold=threshold.ravel(),
        left=children[0].ravel(),
        right=children[1].ravel(),
        missing_left=np.ones(3 * n, dtype=bool),
        value=value.reshape(-1, 1),
        root=at,
        base=np.array([base]),
        features=features,
        link="sigmoid",
    )
