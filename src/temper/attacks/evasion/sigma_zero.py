"""Sigma-zero: few changed values, by a smooth count of them and a threshold that follows success."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from temper.attacks.evasion._nearest import Ground, cosine, fall, finish, length, planned, still, tall
from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class SigmaZero:
    """Descend the lead plus a smooth count of the changed values by Adam, and drop the small moves after every step, by
    a threshold per row that rises after a break and falls otherwise; nearest in l0.

    Misleads in other norms: the few values it changes move as far as the box allows.
    Source: Cinà et al., "Sigma-zero: gradient-based optimization of l0-norm adversarial examples", 2025.

    >>> SigmaZero(steps=50).sigma
    0.001
    """

    needs: ClassVar[Access] = Access.GRADIENTS | Access.SCORES
    steps: int = 100
    rate: float = 1.0
    sigma: float = 1e-3
    threshold: float = 0.3
    follow: float = 0.01

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """One gradient per open row and step."""
        ground = Ground.of(scene, "evasion.sigma_zero")
        rows, steps, xp = oracle.active, planned(oracle, self.steps), ground.xp
        if not steps:
            return
        x0 = scene.x[rows]
        reach = ground.width if ground.radius is None else min(ground.width, max(ground.radius, 1e-12))
        delta, mean, spread = xp.zeros_like(x0), xp.zeros_like(x0), xp.zeros_like(x0)
        floor = xp.ones_like(length(xp, x0, "linf")) * self.threshold
        for step in range(steps):
            if not len(rows):
                return
            level, slope = fall(oracle, ground, x0 + delta, rows)
            pull = self._pull(xp, level, slope, delta / reach)
            mean, spread = 0.9 * mean + 0.1 * pull, 0.999 * spread + 0.001 * pull * pull
            rate = cosine(step, steps, self.rate, self.rate / 10)
            size = xp.sqrt(spread / (1 - 0.999 ** (step + 1))) + 1e-8
            delta = delta - reach * rate * (mean / (1 - 0.9 ** (step + 1))) / size
            delta = ground.inside(x0 + delta, x0) - x0
            floor = xp.clip(floor + self.follow * rate * xp.where(level < 0, 1.0, -1.0), 0.0, 1.0)
            delta = xp.where(xp.abs(delta) < reach * tall(floor, delta), xp.zeros_like(delta), delta)
            rows, x0, delta, mean, spread, floor = still(oracle, rows, x0, delta, mean, spread, floor)
        finish(oracle, scene, steps, self.steps)

    def _pull(self, xp: Any, level: Array, slope: Array, delta: Array) -> Array:
        """The slope of the lead (while held) plus that of the smooth count, its largest value at one."""
        count = math.prod(delta.shape[1:])
        square = delta * delta + self.sigma
        held = xp.where(tall(level > 0, slope), slope, xp.zeros_like(slope))
        pull = held + 2 * self.sigma * delta / (square * square) / count
        return pull / tall(xp.clip(length(xp, pull, "linf"), 1e-12, None), pull)


PLUGIN = SigmaZero
