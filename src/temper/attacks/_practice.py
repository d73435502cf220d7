"""Changes of a row that a copy scores low, sought where asking is free."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Array
from temper.core.seed import Draws
from temper.kernels.search import random_point, reachable, repair

Rows = np.ndarray[Any, Any]
Score = Callable[[Array], Rows]
_AT_ONCE, _SCATTERED = 10, 0.5


def lowest(score: Score, scene: Scene, rows: Rows, rng: Draws, tries: int) -> tuple[Array, Rows]:
    """For each of these rows the change within the scene's budget that scores lowest of `tries`, and its score (n,).

    Half of the tries are random points of the budget; the others take over columns of random points where that lowers
    the score. What scores far below a threshold on a copy passes the model more often than what just crosses it.
    Source: Demontis et al., "Why do adversarial attacks transfer?", 2019 (confidence on the copy).
    """
    low, high = reachable(scene.schema, scene.x, scene.budget)
    best = scene.x[rows].copy()
    least = np.asarray(score(best), dtype=float)
    for start in range(0, tries, _AT_ONCE):
        steps = np.arange(start, min(start + _AT_ONCE, tries))
        many, turn = np.repeat(np.arange(len(rows)), len(steps)), np.tile(steps, len(rows))
        x = random_point(scene, rows[many], rng, turn, low, high)
        if start >= _SCATTERED * tries:
            x = _mixed(scene, rows[many], best[many], x, rng.child("mix").uniform(rows[many], turn, (x.shape[1] + 1,)))
        best, least = _better(scene, rows, (best, least), x.reshape(len(rows), len(steps), -1), score)
    return best, least


def _mixed(scene: Scene, rows: Rows, x: Array, other: Array, mix: Array) -> Array:
    """A random share of the columns taken from the other points, inside the budget again."""
    return repair(np.where(mix[:, 1:] < mix[:, :1], other, x), scene.x[rows], scene, mix[:, 1:])


def _better(scene: Scene, rows: Rows, so_far: tuple[Array, Rows], x: Array, score: Score) -> tuple[Array, Rows]:
    """The lowest so far with these points (n, k, d) beside it; what the schema does not admit is none."""
    best, least = so_far
    n, k, d = x.shape
    flat, x0 = x.reshape(n * k, d), np.repeat(scene.x[rows], k, axis=0)
    told = np.where(scene.schema.admits(flat, x0), score(flat), np.inf).reshape(n, k)
    pick = told.argmin(axis=1)
    lower = told[np.arange(n), pick] < least
    best = np.where(lower[:, None], x[np.arange(n), pick], best)
    return best, np.where(lower, told[np.arange(n), pick], least)
