"""Decoupled direction and norm: the gradient gives the way, success gives the length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.attacks.evasion._nearest import Ground, cosine, fall, finish, planned, still, tall, unit
from temper.core.attack import OracleLike, Scene
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class DDN:
    """Step up the cross-entropy, then set the length of the whole move: a little shorter after a break, a
    little longer otherwise; nearest in l2.

    Misleads where slopes are zero, and in norms other than l2: the distance it looks for is always l2.
    Source: Rony et al., "Decoupling direction and norm for efficient gradient-based l2 adversarial attacks", 2019.

    >>> DDN(steps=50)
    DDN(steps=50, gamma=0.05, first=1.0)
    """

    needs: ClassVar[Access] = Access.GRADIENTS | Access.SCORES
    steps: int = 100
    gamma: float = 0.05
    first: float = 1.0

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """One gradient per open row and step."""
        ground = Ground.of(scene, "evasion.ddn")
        rows, steps, xp = oracle.active, planned(oracle, self.steps), ground.xp
        if not steps:
            return
        x0 = scene.x[rows]
        delta, far = xp.zeros_like(x0), ground.furthest(x0, "l2")
        radius = xp.minimum(xp.ones_like(far) * self.first * ground.width, far)
        for step in range(steps):
            if not len(rows):
                return
            x = x0 + delta
            level, slope = fall(oracle, ground, x, rows, "ce")
            slope = ground.free(x, slope)
            delta = delta - ground.width * cosine(step, steps, 1.0, 0.01) * unit(xp, slope)
            radius = xp.minimum(radius * xp.where(level < 0, 1.0 - self.gamma, 1.0 + self.gamma), far)
            delta = unit(xp, delta) * tall(radius, delta)
            delta = ground.inside(x0 + delta, x0) - x0
            rows, x0, delta, radius, far = still(oracle, rows, x0, delta, radius, far)
        finish(oracle, scene, steps, self.steps)


PLUGIN = DDN
