"""Trees, searched for the nearest success."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.attacks.evasion._tree_strike import Strike
from temper.core.attack import OracleLike, Scene
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeNearest:
    """Read the trees: halve the box while an ascent still succeeds in it (linf); else raise the price of the margin
    until a point crosses over, move back what it does not need, and again inside what is nearer (l2, l1, l0, cost).

    Misleads as an upper bound may: the nearest point found need not be the nearest there is.
    Source: penalty descent over exact univariate sweeps; the problem after Zhang, Zhang & Hsieh, "An efficient
    adversarial attack for tree ensembles", 2020.

    >>> TreeNearest(restarts=2)
    TreeNearest(restarts=2, edge=1e-05)
    """

    needs: ClassVar[Access] = Access.TREES
    restarts: int = 8
    edge: float = 1e-5

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """What is saved is the distance in the budget's own norm."""
        norm = scene.budget.norm
        how = "nearest" if norm == "linf" else "cheapest"
        Strike(oracle=oracle, scene=scene, rng=rng, how=how, norm=norm, restarts=self.restarts, edge=self.edge).run()


PLUGIN = TreeNearest
