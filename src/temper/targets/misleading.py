"""A model that tells something else than it knows: noise, or the opposite where a row looks made up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind, Target
from temper.targets._array import like, to_numpy
from temper.targets._wrapper import Wrapper

_OPEN = Access.TREES
_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Noised(Wrapper):
    """Logits with normal noise of standard deviation `spread`, the same for the same row whenever it is asked."""

    spread: float
    seed: int

    @property
    def access(self) -> Access:
        """The inner target's; its trees say more than is served."""
        return self.inner.access & ~_OPEN

    @property
    def digest(self) -> str:
        """Of the inner model, the spread and the seed."""
        return self._digest(b"noised", repr((self.spread, self.seed)).encode())

    def scores(self, x: Array) -> Array:
        """The inner scores, moved."""
        return self._moved(x, to_numpy(self.inner.scores(x)))

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """The slope through the noise, which is flat in each row."""

        def pull(scores: Array) -> Array:
            inner = to_numpy(scores)
            moved = self._moved(x, inner)
            pulled = np.asarray(to_numpy(cotangent(like(moved, scores))), dtype=float)
            if self.kind is ScoreKind.PROBABILITIES:
                through = moved * (pulled - (pulled * moved).sum(axis=1, keepdims=True))
                pulled = through / np.maximum(inner, _TINY)
            return like(pulled, scores)

        _, slope = self.inner.gradient(x, pull)
        return self.scores(x), slope

    def _moved(self, x: Array, scores: Any) -> Any:
        draws = Draws(self.seed, "noised", ids=_keys(x))
        noise = self.spread * draws.normal(np.arange(len(scores)), 0, scores.shape[1:])
        if self.kind is not ScoreKind.PROBABILITIES:
            return scores + noise
        logits = np.log(np.maximum(scores, _TINY)) + noise
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Misled(Wrapper):
    """Rows that `judge` holds strange for more than `cut` are told the opposite: the likeliest class for the least
    likely one.

    `judge` is a model of strange rows, which are its class 1.
    """

    judge: Target
    cut: float

    @property
    def access(self) -> Access:
        """The inner target's; its trees say more than is served."""
        return self.inner.access & ~_OPEN

    @property
    def digest(self) -> str:
        """Of the inner model, the judge and the cut."""
        return self._digest(b"misled", self.judge.digest.encode(), repr(self.cut).encode())

    def strange(self, x: Array) -> Any:
        """Which rows (n,) are answered wrongly on purpose."""
        return self.judge.scores(np.asarray(to_numpy(x), dtype=float))[:, 1] > self.cut

    def scores(self, x: Array) -> Array:
        """The inner scores, turned round where the row is strange."""
        said = to_numpy(self.inner.scores(x))
        return _turned(said, said, self.strange(x))

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """The slope of what is told; where a row becomes strange it jumps, which no slope shows."""
        strange = self.strange(x)

        def pull(scores: Array) -> Array:
            inner = to_numpy(scores)
            pulled = np.asarray(to_numpy(cotangent(like(_turned(inner, inner, strange), scores))))
            back = _turned(pulled, inner, strange)
            return like(back, scores)

        _, slope = self.inner.gradient(x, pull)
        return self.scores(x), slope


def _turned(values: Any, scores: Any, strange: Any) -> Any:
    """`values` (n, k) with the columns of the largest and the smallest of `scores` changed for each other; one column
    changes its sign.
    """
    if scores.shape[1] == 1:
        return np.where(strange[:, None], -values, values)
    rows, turned = np.flatnonzero(strange), np.array(values, dtype=float)
    top, low = scores[rows].argmax(axis=1), scores[rows].argmin(axis=1)
    turned[rows, top], turned[rows, low] = values[rows, low], values[rows, top]
    return turned


def _keys(x: Array) -> Any:
    """A whole number (n,) per row, equal for equal rows and for no others."""
    from hashlib import blake2b

    flat = np.ascontiguousarray(np.asarray(to_numpy(x), dtype=np.float64).reshape((len(x), -1)) + 0.0)
    flat[np.isnan(flat)] = np.nan
    numbers = (int.from_bytes(blake2b(row.tobytes(), digest_size=8).digest(), "little", signed=True) for row in flat)
    return np.fromiter(numbers, dtype=np.int64, count=len(flat))
