"""A model that was fitted with differential privacy, and says with how much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from temper.core.data import Array, Data
from temper.core.errors import Unsupported
from temper.core.target import Access, NativeTarget, Recipe, Target
from temper.targets._wrapper import Alike


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Private(Alike):
    """Answers as `inner` does, which one training row more or less changes no more than `epsilon` and `delta` say.

    `seeded`: the noise came from the run's seed, which whoever knows it can draw again. `fit(data, recipe)` spends the
    same on other rows; a model that was read from a file has none.
    """

    epsilon: float
    delta: float
    seeded: bool = True
    fit: Callable[[Data, Recipe], Target] | None = None

    @property
    def name(self) -> str:
        """The inner adapter's name, said to be private."""
        return f"private {self.inner.name}"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What there is to know of the inner target, and the guarantee in words."""
        told = f"fitted with (epsilon {self.epsilon:g}, delta {self.delta:.2g})-differential privacy for one row"
        known = "; its noise came from the run's seed: fit it with secret: true before anybody is given the model"
        return (*getattr(self.inner, "remarks", ()), told + known if self.seeded else told)

    @property
    def access(self) -> Access:
        """The inner target's, and a refit where it is known how."""
        return self.inner.access | (Access.RETRAIN if self.fit is not None else Access.NONE)

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """The same budget spent on these rows."""
        if self.fit is None:
            raise Unsupported("a private model from a file does not say how it was fitted", fix="fit it by hardening")
        return self.fit(data, recipe)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PrivateNative(Private):
    """A private model that answers arrays of its own framework on its device."""

    def native(self, x: Array) -> Array:
        """`x` as the inner model takes it."""
        return cast(NativeTarget, self.inner).native(x)


def private(inner: Target, **settings: Any) -> Private:
    """`inner` with its guarantee; it stays on its device where it has one."""
    kind = PrivateNative if isinstance(inner, NativeTarget) else Private
    return kind(inner=inner, **settings)
