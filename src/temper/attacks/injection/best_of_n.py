"""The same order again and again, each time typed a little differently."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from temper.attacks.injection._augment import augmented
from temper.attacks.injection._draw import drawn
from temper.core.injection import Goal, Ground, Injection, Play
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class BestOfN:
    """Every goal in turn, in a dress drawn at random, its wording disturbed (letters swapped, case changed, signs
    moved) with a strength between none and `strength`. A model that refuses most of the time gives way once.

    Misleads where success is luck: it counts how often somebody has to try, and each single attempt stays as weak as
    it was. Source: Hughes et al., "Best-of-N jailbreaking", 2024.
    Source: Hughes et al., 2024.

    >>> BestOfN(strength=0.5)
    BestOfN(batch=32, strength=0.5)
    """

    needs: ClassVar[Access] = Access.CHAT
    needs_attacker: ClassVar[bool] = False
    batch: int = 32
    strength: float = 0.4

    def run(self, ground: Ground, rng: Draws) -> Play:
        """Batches of the next draws; what came of the last ones changes nothing."""
        todo = self._all(ground, rng.generator())
        for start in range(0, ground.attempts if ground.goals else 0, self.batch):
            yield tuple(next(todo) for _ in range(min(self.batch, ground.attempts - start)))

    def _all(self, ground: Ground, gen: np.random.Generator) -> Iterator[Injection]:
        """One per goal, over and over; the first round is typed without a fault."""
        at = 0
        while True:
            for goal in ground.goals:
                yield self._next(ground, goal, self.strength * float(gen.random()) if at else 0.0, gen)
            at += 1

    def _next(self, ground: Ground, goal: Goal, strength: float, gen: np.random.Generator) -> Injection:
        words = augmented(goal.asks, strength, gen)
        return replace(drawn(ground, goal, gen, coded=0.0), words="" if words == goal.asks else words)


PLUGIN = BestOfN
