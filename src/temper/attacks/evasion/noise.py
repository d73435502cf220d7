"""Random admissible moves: the baseline every evasion is printed beside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.seed import Draws
from temper.core.target import Access
from temper.core.text import TextSchema
from temper.kernels.search import random_point, reachable
from temper.kernels.text import random_texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Ask about random points of the ball and learn nothing from the answers.

    Misleads as an attack: it is the baseline that a real attack must beat at equal budget.
    Source: the random control of Carlini et al., "On evaluating adversarial robustness", 2019.

    >>> Noise(draws=5)
    Noise(draws=5, at_once=16)
    """

    needs: ClassVar[Access] = Access.LABELS
    texts: ClassVar[bool] = True
    draws: int = 10_000
    at_once: int = 16

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """Propose `at_once` random admissible points per active row and step, until the budget or `draws` are spent."""
        every = np.arange(len(scene.x))
        draw = _drawer(scene, rng)
        total = int(min(self.draws, oracle.left.max(initial=0)))
        for start in range(0, total, self.at_once):
            rows = oracle.active
            if not len(rows):
                return
            steps = np.arange(start, min(start + self.at_once, total))
            many = np.repeat(rows, len(steps))
            oracle.propose(draw(many, np.tile(steps, len(rows))), many)
        oracle.done(every)


def _drawer(scene: Scene, rng: Draws) -> Callable[[Array, Array], Array]:
    """Random points of the rows at these steps: random edits of texts, random moves of anything else."""
    if isinstance(scene.schema, TextSchema):
        return partial(_text, scene, scene.schema, rng)
    low, high = reachable(scene.schema, scene.x, scene.budget)
    return lambda rows, steps: random_point(scene, rows, rng, steps, low, high)


def _text(scene: Scene, schema: TextSchema, rng: Draws, rows: Array, steps: Array) -> Array:
    return random_texts(scene, schema, rows, rng, steps)


PLUGIN = Noise
