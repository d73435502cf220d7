"""Power checks: a planted weak twin with known breakable rows, so that a weak attack cannot pass for a strong model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Array, Data
from temper.core.errors import Unsupported
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.kernels.search import reachable, repair

_SHORT = 0.6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeakTwin:
    """SIMULATED: a linear model over the movable columns, flagged above `level`; class 1 is the flagged side."""

    weights: np.ndarray[Any, Any]
    level: float
    spread: float = 1.0
    name: str = "planted weak twin"
    access: Access = Access.LABELS | Access.SCORES
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False
    digest: str = ""

    def scores(self, x: Array) -> Array:
        """Probabilities (n, 2) of a logistic model."""
        p = 1.0 / (1.0 + np.exp(-np.clip((linear(x, self.weights) - self.level) / self.spread, -30, 30)))
        return np.stack([1.0 - p, p], axis=1)

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Not offered."""
        raise Unsupported("the weak twin is a black box")

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """Not offered."""
        raise Unsupported("the weak twin is not trained")


def weak_twin(scene: Scene) -> tuple[WeakTwin, np.ndarray[Any, Any]] | None:
    """A twin and the mask of rows that are surely breakable on it: their far corner is admissible, in the ball and
    crosses the level with 40 % of its gain to spare. None where nothing can be moved.
    """
    weights = _weights(scene)
    x0 = np.nan_to_num(scene.x)
    low, high = reachable(scene.schema, scene.x, scene.budget)
    corner = np.where(weights > 0, low, np.where(weights < 0, high, scene.x))
    corner = repair(corner, scene.x, scene, np.broadcast_to(np.abs(weights), scene.x.shape))
    start, end = linear(x0, weights), linear(np.nan_to_num(corner), weights)
    admitted = np.asarray(scene.schema.admits(corner, scene.x))
    reach = start - _SHORT * (start - end)
    usable = admitted & (end < start - 1e-9)
    if not usable.any():
        return None
    levels = np.unique(np.concatenate([start[usable], reach[usable] + 1e-9]))
    counts = [(usable & (start >= level) & (reach < level)).sum() for level in levels]
    level = float(levels[int(np.argmax(counts))])
    breakable = usable & (start >= level) & (reach < level)
    return WeakTwin(weights=weights, level=level, spread=float(np.std(start)) + 1e-9), breakable


def linear(x: Array, weights: np.ndarray[Any, Any]) -> Array:
    """The weighted sum over columns (or pixels), missing values read as zero."""
    return (np.nan_to_num(x) * weights).reshape((len(x), -1)).sum(axis=1)


def _weights(scene: Scene) -> np.ndarray[Any, Any]:
    """Plus one per scale on ordered movable columns that nothing derives from a group; plus one per pixel."""
    if not scene.schema.columns:
        return np.full(scene.x.shape[1:], 1.0)
    weights = np.zeros(len(scene.schema.columns))
    for at in scene.schema.movable:
        column = scene.schema.columns[at]
        if not column.group and not scene.schema.categorical[at]:
            weights[at] = (-1.0 if column.direction == "rise" else 1.0) / column.scale
    return weights if weights.any() else _categorical_weights(scene)


def _categorical_weights(scene: Scene) -> np.ndarray[Any, Any]:
    """Where only categories move: one per code."""
    weights = np.zeros(len(scene.schema.columns))
    weights[[at for at in scene.schema.movable if not scene.schema.columns[at].group]] = 1.0
    return weights
