"""The same order again and again, each time typed a little differently."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from temper.attacks.injection._augment import augmented
from temper.attacks.injection._budget import within
from temper.attacks.injection._draw import drawn
from temper.core.injection import Goal, Ground, Injection, Play
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class BestOfN:
    """Every goal in turn, in a dress drawn at random, its wording disturbed (letters swapped, case changed, signs
    moved) with a strength between none and `strength`. A model that refuses most of the time gives way once.

    Misleads where success is luck: it counts how often somebody has to try, and each single attempt stays as weak as
    it was.
    Source: Hughes et al., "Best-of-N jailbreaking", 2024.

    >>> BestOfN(strength=0.5)
    BestOfN(batch=32, strength=0.5)
    """

    needs: ClassVar[Access] = Access.CHAT
    needs_attacker: ClassVar[bool] = False
    batch: int = 32
    strength: float = 0.4

    def run(self, ground: Ground, rng: Draws) -> Play:
        """Batches of the next draws; what came of the last ones changes nothing."""
        return within(self._search(ground, rng.generator()), ground.attempts)

    def _search(self, ground: Ground, gen: np.random.Generator) -> Play:
        """One per goal, over and over; the first round is typed without a fault."""
        done = 0
        while ground.goals:
            goals = [ground.goals[at % len(ground.goals)] for at in range(done, done + self.batch)]
            faults = [
                self.strength * float(gen.random()) * (done + at >= len(ground.goals)) for at in range(self.batch)
            ]
            done += self.batch
            yield tuple(self._next(ground, goal, fault, gen) for goal, fault in zip(goals, faults, strict=True))

    def _next(self, ground: Ground, goal: Goal, strength: float, gen: np.random.Generator) -> Injection:
        words = augmented(goal.asks, strength, gen)
        return replace(drawn(ground, goal, gen, coded=0.0), words="" if words == goal.asks else words)


PLUGIN = BestOfN
