"""Power checks: a planted weak twin with known breakable rows, so that a weak attack cannot pass for a strong model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Array, Data
from temper.core.errors import Unsupported
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.core.trees import TreeEnsemble
from temper.kernels.search import reachable, repair
from temper.kernels.trees import raw

Values = np.ndarray[Any, Any]

_SHORT = 0.6
_SHARES = np.linspace(0.0, 1.0, 6)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeakTwin:
    """SIMULATED: a linear model over the movable columns, flagged above `level`; class 1 is the flagged side.

    With `stairs` the lines are cut into steps, and the same model is a tree ensemble whose trees can be read.
    """

    weights: Values
    level: float
    spread: float = 1.0
    stairs: TreeEnsemble | None = None
    name: str = "planted weak twin"
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False
    digest: str = ""

    @property
    def access(self) -> Access:
        """Everything but training; trees where it has stairs, gradients where it has none."""
        return Access.LABELS | Access.SCORES | (Access.GRADIENTS if self.stairs is None else Access.TREES)

    def scores(self, x: Array) -> Array:
        """Probabilities (n, 2) of a logistic model."""
        p = 1.0 / (1.0 + np.exp(-np.clip(self._height(x), -30, 30)))
        return np.stack([1.0 - p, p], axis=1)

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Scores, and the slope of their weighted sum in closed form."""
        if self.stairs is not None:
            raise Unsupported("a model made of steps has no gradients")
        scores = self.scores(x)
        toward = np.asarray(cotangent(scores))
        steep = (toward[:, 1] - toward[:, 0]) * scores[:, 0] * scores[:, 1] / self.spread
        return scores, steep.reshape((-1,) + (1,) * (x.ndim - 1)) * self.weights

    def trees(self) -> TreeEnsemble:
        """The stairs as an ensemble with a sigmoid."""
        if self.stairs is None:
            raise Unsupported("this twin has no trees")
        base = (self.stairs.base - self.level) / self.spread
        return replace(self.stairs, value=self.stairs.value / self.spread, base=base, link="sigmoid")

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """Not offered."""
        raise Unsupported("the weak twin is not trained")

    def _height(self, x: Array) -> Array:
        return (climb(x, self.weights, self.stairs) - self.level) / self.spread


def weak_twin(scene: Scene, needs: Access = Access.SCORES) -> tuple[WeakTwin, Values] | None:
    """A twin that offers what the attack `needs`, and the mask of rows that are surely breakable on it.

    Their far corner is admissible, in the ball and crosses the level with 40 % of its gain to spare. None where nothing
    can be moved.
    """
    weights = _weights(scene)
    x0 = np.nan_to_num(scene.x)
    low, high = reachable(scene.schema, scene.x, scene.budget)
    corner = np.where(weights > 0, low, np.where(weights < 0, high, scene.x))
    corner = repair(corner, scene.x, scene, np.broadcast_to(np.abs(weights), scene.x.shape))
    stairs = _stairs(weights, x0, np.asarray(np.where(weights > 0, low, high))) if Access.TREES in needs else None
    start, end = climb(x0, weights, stairs), climb(np.nan_to_num(corner), weights, stairs)
    admitted = np.asarray(scene.schema.admits(corner, scene.x))
    reach = start - _SHORT * (start - end)
    usable = admitted & (end < start - 1e-9)
    if not usable.any():
        return None
    levels = np.unique(np.concatenate([start[usable], reach[usable] + 1e-9]))
    counts = [(usable & (start >= level) & (reach < level)).sum() for level in levels]
    level = float(levels[int(np.argmax(counts))])
    breakable = usable & (start >= level) & (reach < level)
    return WeakTwin(weights=weights, level=level, spread=float(np.std(start)) + 1e-9, stairs=stairs), breakable


def climb(x: Array, weights: Values, stairs: TreeEnsemble | None) -> Array:
    """The height of each row: its weighted sum, in steps where there are stairs."""
    return linear(x, weights) if stairs is None else raw(stairs, np.nan_to_num(x))[:, 0]


def _stairs(weights: Values, x0: Values, far: Values) -> TreeEnsemble:
    """A stump for every step of every column with a weight; the steps lie on every row's way to its far end."""
    columns = np.flatnonzero(weights)
    ways = [np.unique(x0[:, at] + (far - x0)[:, at] * _SHARES[:, None]) for at in columns]
    cuts = np.concatenate([way[1:] for way in ways])
    rises = np.concatenate([weights[at] * np.diff(way) for at, way in zip(columns, ways, strict=True)])
    start = sum(float(weights[at] * way[0]) for at, way in zip(columns, ways, strict=True))
    column = np.repeat(columns, [len(way) - 1 for way in ways])
    n = len(cuts)
    feature, threshold = np.full((n, 3), -1, np.int32), np.zeros((n, 3))
    feature[:, 0], threshold[:, 0] = column, cuts
    value, place = np.zeros((n, 3)), 3 * np.arange(n, dtype=np.int32)
    value[:, 2] = rises
    children = np.zeros((2, n, 3), np.int32)
    children[0, :, 0], children[1, :, 0] = place + 1, place + 2
    return TreeEnsemble(
        feature=feature.ravel(),
        threshold=threshold.ravel(),
        left=children[0].ravel(),
        right=children[1].ravel(),
        missing_left=np.ones(3 * n, dtype=bool),
        value=value.reshape(-1, 1),
        root=place,
        base=np.array([start]),
        features=len(weights),
    )


def linear(x: Array, weights: Values) -> Array:
    """The weighted sum over columns (or pixels), missing values read as zero."""
    return (np.nan_to_num(x) * weights).reshape((len(x), -1)).sum(axis=1)


def _weights(scene: Scene) -> Values:
    """Plus one per scale on ordered movable columns that nothing derives from a group; plus one per pixel."""
    if not scene.schema.columns:
        return np.full(scene.x.shape[1:], 1.0)
    weights = np.zeros(len(scene.schema.columns))
    for at in scene.schema.movable:
        column = scene.schema.columns[at]
        if not column.group and not scene.schema.categorical[at]:
            weights[at] = (-1.0 if column.direction == "rise" else 1.0) / column.scale
    return weights if weights.any() else _categorical_weights(scene)


def _categorical_weights(scene: Scene) -> Values:
    """Where only categories move: one per code."""
    weights = np.zeros(len(scene.schema.columns))
    weights[[at for at in scene.schema.movable if not scene.schema.columns[at].group]] = 1.0
    return weights
