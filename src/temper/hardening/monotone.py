"""Scores that can only rise with what is known to be risky."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.data import Data
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, Target
from temper.hardening._refit import columns_of, known_directions, trainable


@dataclass(frozen=True, slots=True, kw_only=True)
class Monotone:
    """Fit again with monotone constraints on attacker-controlled columns whose direction of risk is clear.

    Stops absurd evasions (paying more to look honest), not moves toward honest behaviour. Misleads where a marginal
    trend in the training data is a confounded one: then the constraint costs accuracy. `clear`: share of the variation
    between tenths of a column that must follow the direction.
    Source: Incer et al., "Adversarially robust malware detection using monotonic classification", 2018.

    >>> Monotone(clear=0.95).clear
    0.95
    """

    needs: ClassVar[Access] = Access.RETRAIN
    clear: float = 0.9
    schema: Schema | None = None

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same family fitted under the constraints; `Unsupported` where no direction is clear."""
        trainable(target, "monotone")
        schema = columns_of(self.schema, data, "monotone")
        directions = known_directions(schema, data, target, self.clear)
        return target.refit(data, Recipe(monotone=directions, seed=rng.integer()))


PLUGIN = Monotone
