"""Trees that lower the loss at the worst point within the attacker's reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Target
from temper.hardening._grown import attacker, grow
from temper.kernels.robust_trees import Growth


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustLoss:
    """Boost new trees in the model's place on the logistic loss each row has after the worst moves, so that every tree
    lowers a bound on what an attacker can do.

    Exact for stumps (depth 1); of deeper trees the bound adds up each tree's worst corner, which no single point need
    reach: it holds more than it must and pays with clean quality. Misleads where that price is not looked at.
    `radius` in `norm` (None: the budget handed in, else cost 2); `share` takes part of it.
    Source: Andriushchenko & Hein, "Provably robust boosted decision stumps and trees against adversarial attacks",
    2019.

    >>> RobustLoss(depth=1).trees
    200
    """

    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"share": 0.25}, {"share": 1.0})
    trees: int = 200
    depth: int = 4
    rate: float = 0.2
    norm: str = "linf"
    radius: float | None = None
    share: float = 0.5
    schema: Schema | None = None
    budget: Budget | None = None

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """Trees of this size in the target's place."""
        norm, radius = attacker(self.budget, self.norm, self.radius, self.share)
        growth = Growth(how="loss", trees=self.trees, depth=self.depth, rate=self.rate, norm=norm, radius=radius)
        return grow(target, data, self.schema, growth, rng, "robust_loss")


PLUGIN = RobustLoss
