"""What every target around another one leaves as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

from temper.core.data import Array, Data
from temper.core.target import Access, Recipe, ScoreKind, Target, TreeTarget
from temper.core.trees import TreeEnsemble
from temper.targets import _digest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wrapper:
    """`inner` and everything about it that a step before or beside the model does not change."""

    inner: Target

    @property
    def name(self) -> str:
        """The inner target's."""
        return self.inner.name

    @property
    def access(self) -> Access:
        """The inner target's."""
        return self.inner.access

    @property
    def kind(self) -> ScoreKind:
        """The inner target's."""
        return self.inner.kind

    @property
    def classes(self) -> int:
        """The inner target's."""
        return self.inner.classes

    @property
    def stochastic(self) -> bool:
        """The inner target's."""
        return self.inner.stochastic

    @property
    def model(self) -> Any:
        """The inner target's raw model."""
        return getattr(self.inner, "model", None)

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """The inner model fitted again, behind the same step."""
        return cast(Target, replace(self, inner=self.inner.refit(data, recipe)))

    def _digest(self, *parts: bytes) -> str:
        """Of these parts and the inner model, "" where that has none."""
        return _digest.of_bytes(*parts, self.inner.digest.encode()) if self.inner.digest else ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alike(Wrapper):
    """Answers exactly as `inner` does; what differs is what is known of it, or how it is fitted again."""

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
        return cast(TreeTarget, self.inner).trees()
