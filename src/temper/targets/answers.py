"""A model that tells less than it knows: scores rounded or flattened, or decisions alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.target import Access, ScoreKind
from temper.kernels.loss import decide
from temper.targets._array import to_numpy
from temper.targets._wrapper import Wrapper

_OPEN = Access.TREES
_SURE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rounded(Wrapper):
    """Scores with so many decimals; whoever holds the model still has its slope."""

    digits: int

    @property
    def access(self) -> Access:
        """The inner target's; its trees say more than is served."""
        return self.inner.access & ~_OPEN

    @property
    def digest(self) -> str:
        """Of the inner model and the digits."""
        return self._digest(b"rounded", str(self.digits).encode())

    def scores(self, x: Array) -> Array:
        """The inner scores, rounded; probabilities still add up to one."""
        said = to_numpy(self.inner.scores(x)).round(self.digits)
        if self.kind is ScoreKind.PROBABILITIES:
            said = said / np.maximum(said.sum(axis=1, keepdims=True), 1e-12)
        return said

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """The inner slope: rounding is flat, and nobody who knows it is stopped by that."""
        return self.inner.gradient(x, cotangent)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Masked(Wrapper):
    """Probabilities whose logarithms are divided by `temperature`, then kept `clip` away from nought and one.

    Whoever holds the model still has its slope.
    """

    temperature: float
    clip: float

    @property
    def access(self) -> Access:
        """The inner target's; its trees say more than is served."""
        return self.inner.access & ~_OPEN

    @property
    def digest(self) -> str:
        """Of the inner model and the settings."""
        return self._digest(b"masked", f"{self.temperature!r} {self.clip!r}".encode())

    def scores(self, x: Array) -> Array:
        """The inner probabilities, flattened."""
        kept = np.clip(self._flat(self.inner.scores(x)), self.clip, 1.0 - self.clip)
        return kept / kept.sum(axis=1, keepdims=True)

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Through the temperature; the clip is flat, and nobody who knows it is stopped by that."""

        def pull(scores: Array) -> Array:
            pulled, flat = to_numpy(cotangent(self.scores(x))), self._flat(scores)
            steep = flat / (self.temperature * np.maximum(to_numpy(scores), _SURE))
            return steep * (pulled - (pulled * flat).sum(axis=1, keepdims=True))

        _, slope = self.inner.gradient(x, pull)
        return self.scores(x), slope

    def _flat(self, scores: Array) -> Array:
        """Probabilities of the logarithms divided by the temperature."""
        said = np.log(np.maximum(to_numpy(scores), _SURE)) / self.temperature
        raised = np.exp(said - said.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decided(Wrapper):
    """Decisions at `threshold` (None: the largest score), told as scores of nought and one."""

    threshold: float | None = None

    @property
    def kind(self) -> ScoreKind:
        """Probabilities that are certain."""
        return ScoreKind.PROBABILITIES

    @property
    def access(self) -> Access:
        """The inner target's; its trees say more than is served."""
        return self.inner.access & ~_OPEN

    @property
    def digest(self) -> str:
        """Of the inner model and the threshold."""
        return self._digest(b"decided", repr(self.threshold).encode())

    def scores(self, x: Array) -> Array:
        """One for the class that is decided for."""
        decided = decide(to_numpy(self.inner.scores(x)), self.inner.kind, self.threshold)
        return np.eye(self.classes)[np.asarray(decided, dtype=np.int64)]

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """The inner slope; what is pulled at two certain answers pulls a margin by their difference."""

        def pull(scores: Array) -> Array:
            pulled = cotangent(self.scores(x))
            return pulled[:, 1:] - pulled[:, :1] if scores.shape[1] == 1 else pulled

        _, slope = self.inner.gradient(x, pull)
        return self.scores(x), slope
