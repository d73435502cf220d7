"""What every target around another one leaves as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

from temper.core.data import Data
from temper.core.target import Access, Recipe, ScoreKind, Target
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
