"""A binary target with its classes exchanged, so that class 1 is the one that counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self, cast

import numpy as np

from temper.core.data import Array, Data
from temper.core.errors import Unsupported
from temper.core.target import Access, Recipe, ScoreKind, TreeTarget
from temper.core.trees import TreeEnsemble
from temper.targets._trees_build import TREELESS
from temper.targets._wrapper import Wrapper


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flipped(Wrapper):
    """`inner` seen from its other class: columns reversed, a margin negated, truths 0 and 1 exchanged for a refit."""

    @property
    def digest(self) -> str:
        """Another one than the inner target's, "" where that has none."""
        return self._digest(b"flipped")

    def scores(self, x: Array) -> Array:
        """Scores of the exchanged classes."""
        return self._turned(self.inner.scores(x))

    def gradient(self, x: Array, cotangent: object) -> tuple[Array, Array]:
        """Scores of the exchanged classes and the product with their cotangent."""
        slope = cast(Callable[[Any], Any], cotangent)
        scores, found = self.inner.gradient(x, lambda raw: self._turned(slope(self._turned(raw))))
        return self._turned(scores), found

    def refit(self, data: Data, recipe: Recipe) -> Self:
        """The inner model fitted again on its own numbering."""
        turned = replace(recipe, monotone=tuple(-sign for sign in recipe.monotone))
        return replace(self, inner=self.inner.refit(Data(x=data.x, y=1 - data.y, ids=data.ids), turned))

    def trees(self) -> TreeEnsemble:
        """The inner target's trees, each pulling the other way."""
        if Access.TREES not in self.access:
            raise Unsupported(f"the {self.name} target has no trees to read", fix=TREELESS)
        found = cast(TreeTarget, self.inner).trees()
        if found.outputs == 1:
            return replace(found, value=-found.value, base=-found.base)
        return replace(found, value=np.ascontiguousarray(found.value[:, ::-1]), base=found.base[::-1].copy())

    def _turned(self, scores: Array) -> Array:
        return -scores if self.kind is ScoreKind.MARGIN else scores[:, [1, 0]]
