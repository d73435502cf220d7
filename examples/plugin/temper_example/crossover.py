"""An attack that mixes where it stands with random admissible rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.core.attack import OracleLike, Scene
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.decision import Aim
from temper.kernels.search import random_point, reachable, repair


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossover:
    """Take every value from where the row stands or from a random admissible row, and keep what lowers the margin.

    Misleads on models whose scores are flat around a row: it then walks at random.
    Source: uniform crossover, Syswerda, "Uniform crossover in genetic algorithms", 1989.

    >>> Crossover(fresh=0.25)
    Crossover(fresh=0.25)
    """

    needs: ClassVar[Access] = Access.SCORES
    fresh: float = 0.5

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """One proposal per open row and step, all rows in one question."""
        low, high = reachable(scene.schema, scene.x, scene.budget)
        current, aim = scene.x.copy(), Aim.at(oracle, scene)
        level, mix = aim.first(), rng.child("mix")
        for step in range(int(oracle.left.max(initial=0))):
            rows = oracle.active
            if not len(rows):
                return
            at, shape = np.full(len(rows), step), scene.x.shape[1:]
            other = random_point(scene, rows, rng, at, low, high)
            mixed = np.where(mix.uniform(rows, 2 * at, shape) < self.fresh, other, current[rows])
            x = repair(mixed, scene.x[rows], scene, mix.uniform(rows, 2 * at + 1, shape))
            now = aim.margin(oracle.scores(x, rows), rows)
            better = now <= level[rows]
            current[rows[better]], level[rows[better]] = x[better], now[better]
        oracle.done(np.arange(len(scene.x)))


PLUGIN = Crossover
