"""Trees whose splits are scored after the attacker's moves."""

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
class RobustSplit:
    """Grow new trees in the model's place, each split chosen for what it is worth after every row within reach of it
    was moved to the side where it harms most.

    Misleads where the reach is large against the spread of the columns: then no split is worth anything and clean
    quality is gone. Each column is given the whole radius or cost at once, more than a spender of costs can do; `share`
    takes part of it. A value that can go missing is not reckoned with.
    `radius` in `norm` (None: the budget handed in, else cost 2). `forest`: bootstrapped trees instead of boosting.
    Source: Chen et al., "Robust decision trees against adversarial examples", 2019; Vos & Verwer, "Efficient training
    of robust decision trees against adversarial examples" (GROOT), 2021.

    >>> RobustSplit(trees=50).depth
    6
    """

    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"share": 0.25}, {"share": 1.0})
    trees: int = 200
    depth: int = 6
    rate: float = 0.1
    norm: str = "linf"
    radius: float | None = None
    share: float = 0.5
    forest: bool = False
    schema: Schema | None = None
    budget: Budget | None = None

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """Trees of this size in the target's place."""
        norm, radius = attacker(self.budget, self.norm, self.radius, self.share)
        how = "forest" if self.forest else "split"
        growth = Growth(how=how, trees=self.trees, depth=self.depth, rate=self.rate, norm=norm, radius=radius)
        return grow(target, data, self.schema, growth, rng, "robust_split")


PLUGIN = RobustSplit
