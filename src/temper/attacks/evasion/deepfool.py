"""DeepFool: step to the nearest face of the model taken as linear, again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.evasion._nearest import Ground, Rows, finish, length, plain, pulled, tall
from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.slope import climb, rivals


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepFool:
    """Take the model as linear at the point, move to the nearest of the `candidates` likeliest classes, a little beyond
    (`overshoot`), until broken; then halve the way back `refine` times. Nearest in l2, or linf if the budget says so.

    Misleads on strongly curved models: it stops at the first break, which can be far from the nearest.
    Source: Moosavi-Dezfooli, Fawzi & Frossard, "DeepFool: a simple and accurate method to fool deep neural networks",
    2016.

    >>> DeepFool(candidates=3).overshoot
    0.02
    """

    needs: ClassVar[Access] = Access.GRADIENTS | Access.SCORES
    steps: int = 50
    candidates: int = 10
    overshoot: float = 0.02
    refine: int = 6

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """One gradient per open row, candidate class and step."""
        ground = Ground.of(scene, "evasion.deepfool")
        xp, rows = ground.xp, oracle.active
        faces = rivals(oracle.clean, ground.y, ground.aim, max(self.candidates - 1, 1))
        left = max(int(oracle.left.max(initial=0)) - self.refine, 0)
        steps = min(self.steps, max(left // faces.shape[1], min(left, 1)))
        norm = "linf" if scene.budget.norm == "linf" else "l2"
        x, total = xp.asarray(scene.x, copy=True), xp.zeros_like(scene.x)
        broken = np.zeros(len(scene.x), dtype=bool)
        for _ in range(steps):
            rows = np.intersect1d(rows[~broken[rows]], oracle.active)
            if not len(rows):
                break
            rows, fallen, move = _towards(oracle, ground, x, rows, faces, norm)
            broken[fallen] = True
            total[rows] = total[rows] + move
            x[rows] = ground.inside(scene.x[rows] + (1.0 + self.overshoot) * total[rows], scene.x[rows])
        self._back(oracle, ground, x, np.flatnonzero(broken))
        finish(oracle, scene, steps, self.steps)

    def _back(self, oracle: OracleLike, ground: Ground, x: Array, rows: Rows) -> None:
        """Bisection on the way from the clean row to the break."""
        xp, x0 = ground.xp, ground.scene.x
        held, fell = np.zeros(len(x0)), np.ones(len(x0))
        for _ in range(self.refine):
            rows = np.intersect1d(rows, oracle.active)
            if not len(rows):
                return
            middle = (held[rows] + fell[rows]) / 2
            share = tall(xp.astype(xp.asarray(middle, device=x.device), x.dtype), x)
            scores = oracle.scores(x0[rows] + share * (x[rows] - x0[rows]), rows)
            down = plain(ground.lead(scores, rows) < 0)
            fell[rows[down]], held[rows[~down]] = middle[down], middle[~down]


def _towards(
    oracle: OracleLike, ground: Ground, x: Array, rows: Rows, faces: Array, norm: str
) -> tuple[Rows, Rows, Array]:
    """The rows still held, those found broken, and the move of each held row onto its nearest face."""
    xp = ground.xp
    best = slope = None
    fallen: Rows = rows[:0]
    for k in range(faces.shape[1]):
        if not len(rows):
            break
        scores, pull = pulled(oracle, xp, x[rows], rows, _Face(ground, faces[:, k]))
        if k == 0:
            down = plain(ground.lead(scores, rows) < 0)
            fallen, rows, scores, pull = rows[down], rows[~down], scores[~down], pull[~down]
        size = length(xp, pull, "l1" if norm == "linf" else "l2")
        level = xp.astype(xp.abs(_Face(ground, faces[:, k]).gap(scores, rows)[0]), size.dtype)
        way = xp.where(size > 0, level / xp.where(size > 0, size, xp.ones_like(size)), xp.inf)
        if best is None:
            best, slope = way, pull
        else:
            nearer = way < best
            best, slope = xp.where(nearer, way, best), xp.where(tall(nearer, pull), pull, slope)
    return rows, fallen, _step(xp, best, slope, norm)


@dataclass(frozen=True, slots=True)
class _Face:
    """The boundary between each row's true class and another one, as a cotangent."""

    ground: Ground
    classes: Array

    def __call__(self, scores: Array, rows: Any) -> Array:
        return -self.gap(scores, rows)[1]

    def gap(self, scores: Array, rows: Any) -> Any:
        """How far that class is ahead, and the derivative by the scores."""
        rival = self.classes[rows] if self.ground.aim.goal == "misclassify" else None
        return climb("margin", scores, self.ground.y[rows], self.ground.aim, rival)


def _step(xp: Any, way: Array, slope: Array, norm: str) -> Array:
    """The shortest move of length `way` down the slope; none where everything is flat."""
    way = xp.where(xp.isfinite(way), way, xp.zeros_like(way)) + 1e-4
    if norm == "linf":
        return -tall(way, slope) * xp.sign(slope)
    size = length(xp, slope, "l2")
    return -tall(way / xp.where(size > 0, size, xp.ones_like(size)), slope) * slope


PLUGIN = DeepFool
