"""Random admissible moves: the baseline every evasion is printed beside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.core.attack import OracleLike, Scene
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.search import random_point, reachable


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Ask about random points of the ball and learn nothing from the answers.

    Misleads as an attack: it is the baseline that a real attack must beat at equal budget.
    Source: the random control of Carlini et al., "On evaluating adversarial robustness", 2019.

    >>> Noise(draws=5)
    Noise(draws=5, at_once=16)
    """

    needs: ClassVar[Access] = Access.LABELS
    draws: int = 10_000
    at_once: int = 16

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """Propose `at_once` random admissible points per active row and step, until the budget or `draws` are spent."""
        every = np.arange(len(scene.x))
        low, high = reachable(scene.schema, scene.x, scene.budget)
        total = int(min(self.draws, oracle.left.max(initial=0)))
        for start in range(0, total, self.at_once):
            rows = oracle.active
            if not len(rows):
                return
            steps = np.arange(start, min(start + self.at_once, total))
            many = np.repeat(rows, len(steps))
            oracle.labels(random_point(scene, many, rng, np.tile(steps, len(rows)), low, high), many)
        oracle.done(every)


PLUGIN = Noise
