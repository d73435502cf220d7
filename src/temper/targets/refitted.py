"""A target whose refits go another way: through the defences that were taken before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from temper.core.data import Array, Data
from temper.core.target import Recipe, Target
from temper.core.trees import TreeEnsemble
from temper.targets._wrapper import Wrapper


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refitted(Wrapper):
    """Answers as `inner` does; what is fitted again comes from `make(data, recipe)`."""

    make: Callable[[Data, Recipe], Target]

    @property
    def digest(self) -> str:
        """The inner target's."""
        return self.inner.digest

    def scores(self, x: Array) -> Array:
        """The inner target's."""
        return self.inner.scores(x)

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """The inner target's."""
        return self.inner.gradient(x, cotangent)

    def trees(self) -> TreeEnsemble:
        """The inner target's."""
        held: Any = self.inner
        ensemble: TreeEnsemble = held.trees()
        return ensemble

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """What `make` fits."""
        return self.make(data, recipe)
