"""CAA: gradient steps under constraints first, a genetic search for what still stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.attacks.evasion._climb import Plan, climbed
from temper.attacks.evasion.moeva import MOEVA
from temper.core.attack import OracleLike, Scene
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class CAA:
    """CAPGD on every row with at most half of its queries, then MOEVA on the rows it did not break.

    Misleads where it is compared at few queries: its second half only then begins to learn.
    Source: Simonetto, Ghamizi & Cordy, "Constrained adaptive attack", 2024.

    >>> CAA(steps=20).generations
    400
    """

    needs: ClassVar[Access] = Access.SCORES | Access.GRADIENTS
    mode: ClassVar[str] = "first"
    steps: int = 50
    restarts: int = 3
    generations: int = 400

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """One after the other on what is left."""
        if not scene.schema.columns:
            raise Unsupported("CAA repairs through columns; this input is an array", fix="use evasion.standard")
        plan = Plan(steps=self.steps, restarts=self.restarts)
        climbed(oracle, scene, rng.child("capgd"), plan, oracle.left // 2)
        MOEVA(generations=self.generations).run(oracle, scene, rng.child("moeva"))


PLUGIN = CAA
