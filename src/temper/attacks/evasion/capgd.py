"""CAPGD: projected gradient steps on a table under its constraints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.attacks.evasion._climb import Plan, climbed
from temper.core.attack import OracleLike, Scene
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class CAPGD:
    """Climb the loss with momentum and a step size that halves where it stops paying, each point repaired through the
    schema before it is asked: ranges, directions, whole numbers, one-hot groups, relations, derived columns, cost.

    Misleads where the slope is zero or points across categories that only a search would try.
    Source: Simonetto, Ghamizi & Cordy, "Constrained adaptive attack", 2024, steps after Croce & Hein, 2020; the
    fractions kept between repairs (linf) and the slope through formulas are our own.

    >>> CAPGD(restarts=1).steps
    50
    """

    needs: ClassVar[Access] = Access.SCORES | Access.GRADIENTS
    mode: ClassVar[str] = "first"
    steps: int = 50
    restarts: int = 3
    momentum: float = 0.75
    rising: float = 0.75

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """The clean rows as a start first, random points of the ball after; survivors only."""
        if not scene.schema.columns:
            raise Unsupported("CAPGD repairs through columns; this input is an array", fix="use evasion.apgd")
        plan = Plan(steps=self.steps, restarts=self.restarts, momentum=self.momentum, rising=self.rising)
        climbed(oracle, scene, rng, plan, np.zeros(len(scene.x)))
        oracle.done(np.arange(len(scene.x)))


PLUGIN = CAPGD
