"""Trees, searched inside a fixed budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.attacks.evasion._tree_strike import Strike
from temper.core.attack import OracleLike, Scene
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeAscent:
    """Read the trees: the margin along one column is an exact step function, so move each column in turn to its best
    step, again from random points of the budget where that does not suffice, and submit the point that crosses over.

    Misleads where only several columns moved together help: then it holds a row that an exact search would break.
    Source: coordinate ascent over exact univariate sweeps; ensembles as in Devos, Meert & Davis, "Versatile
    verification of tree ensembles", 2021.

    >>> TreeAscent(restarts=2)
    TreeAscent(restarts=2, edge=1e-05)
    """

    needs: ClassVar[Access] = Access.TREES
    mode: ClassVar[str] = "first"
    restarts: int = 12
    edge: float = 1e-5

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """A box is climbed; where moves are paid for, the cheapest way over is sought until the money suffices."""
        budget = scene.budget
        paid = "cost" if budget.norm == "linf" or budget.radius is None else budget.norm
        boxed = budget.norm == "linf" and budget.cost is None
        how, norm = ("fixed", "linf") if boxed else ("enough", paid)
        Strike(oracle=oracle, scene=scene, rng=rng, how=how, norm=norm, restarts=self.restarts, edge=self.edge).run()


PLUGIN = TreeAscent
