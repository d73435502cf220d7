"""A target whose refits go another way: through the defences that were taken before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from temper.core.data import Data
from temper.core.target import Recipe, Target
from temper.targets._wrapper import Alike


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refitted(Alike):
    """Answers as `inner` does; what is fitted again comes from `make(data, recipe)`."""

    make: Callable[[Data, Recipe], Target]

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """What `make` fits."""
        return self.make(data, recipe)
