"""Direct evasion: change a row a little, see what is answered, change it again, within the quota."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.campaign import Aim, Field, Tactic
from temper.core.data import Array
from temper.core.seed import Draws
from temper.kernels.search import random_point, reachable, repair


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """Submit changed rows one by one: `tries` points at random within what the schema admits and a change may cost,
    each next one from the best that was told so far.

    Misleads where no score is told: then only luck leads on, and silence says little. It never asks without trying, so
    what a guard learns from its trail it learns of every attempt.
    Source: Chen et al., "ZOO", 2017, for the setting; random search after Andriushchenko et al., "Square attack", 2020.

    >>> Direct(tries=4)
    Direct(tries=4, share=0.5)
    """

    tactic: ClassVar[Tactic] = Tactic.ATTACK
    aims: ClassVar[tuple[Aim, ...]] = (Aim.MOVE,)
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ()
    references: ClassVar[tuple[str, ...]] = ("atlas:AML.T0043", "atlas:AML.T0015")
    tries: int = 12
    share: float = 0.5

    def play(self, field: Field, rng: Draws) -> None:
        """Rows that are open, `tries` attempts each, until the turn is over or nobody answers any more."""
        rows = field.open
        order = rng.generator().permutation(len(rows))
        for row in rows[order]:
            if field.left <= 0:
                return
            if not self._row(field, int(row), rng):
                return

    def _row(self, field: Field, row: int, rng: Draws) -> bool:
        """Attempts at one row; whether anybody answered."""
        clean = field.wanted.x[[row]]
        best, level = clean, np.inf
        for step in range(min(self.tries, field.left)):
            x = self._moved(field, clean, best, rng, row, step)
            if (x == best).all():
                continue  # nothing new to learn
            reply = field.submit(x, [row])
            if not reply.answered.any():
                return False
            if row not in field.open:
                return True
            if np.isfinite(reply.scores[0]) and reply.scores[0] < level:
                best, level = x, float(reply.scores[0])
        return True

    def _moved(self, field: Field, clean: Array, best: Array, rng: Draws, row: int, step: int) -> Array:
        """A point at random, of which a share of the columns is taken and the rest stays as the best has it."""
        most = min(field.attacker.change, field.money)
        budget = Budget(norm="cost", cost=None if np.isinf(most) else max(most, 0.0))
        schema = field.schema
        scene = Scene(x=clean, y=np.ones(1), ids=np.array([row]), schema=schema, budget=budget)
        low, high = reachable(schema, clean, budget)
        at, own = np.array([0]), rng.child(f"{row}")
        fresh = random_point(scene, at, own, np.array([step]), low, high)
        order = own.uniform([0], 3 * step + 2, (clean.shape[1],))
        taken = order < (1.0 if step == 0 else self.share)
        return repair(np.where(taken, fresh, best), clean, scene, order)


PLUGIN = Direct
