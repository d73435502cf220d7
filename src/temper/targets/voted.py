"""Many models, one vote each: what the majority says, and by how many votes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from temper.core.data import Array, Data
from temper.core.errors import NoGradient
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.kernels.loss import decide
from temper.targets import _digest

Rows = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Voted:
    """Scores are shares of votes (n, classes); each member decides at its own threshold (None: the largest score).

    `fit(data, recipe)` makes the whole vote again, so that whoever refits meets it too.
    """

    members: tuple[Target, ...]
    thresholds: tuple[float | None, ...]
    fit: Callable[[Data, Recipe], Target]

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "voted"

    @property
    def kind(self) -> ScoreKind:
        """Shares of votes."""
        return ScoreKind.PROBABILITIES

    @property
    def classes(self) -> int:
        """The members'."""
        return self.members[0].classes

    @property
    def stochastic(self) -> bool:
        """Whether one of them is."""
        return any(member.stochastic for member in self.members)

    @property
    def access(self) -> Access:
        """A vote has no slope, and its trees do not add up."""
        return Access.LABELS | Access.SCORES | Access.RETRAIN

    @cached_property
    def digest(self) -> str:
        """Of the members, or "" where one has none."""
        parts = [member.digest for member in self.members]
        told = repr(self.thresholds).encode()
        return _digest.of_bytes(*(part.encode() for part in parts), told) if all(parts) else ""

    def votes(self, x: Array) -> Rows:
        """How many members (n, classes) decide for each class."""
        counted = np.zeros((len(x), self.classes), dtype=np.int64)
        for member, threshold in zip(self.members, self.thresholds, strict=True):
            decided = np.asarray(decide(np.asarray(member.scores(x)), member.kind, threshold), dtype=np.int64)
            counted[np.arange(len(x)), decided] += 1
        return counted

    def scores(self, x: Array) -> Array:
        """The share of votes."""
        return self.votes(x) / len(self.members)

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """There is none."""
        raise NoGradient("a vote is flat between the points where it turns", fix="ask for scores")

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """Every member fitted again on its part of the rows."""
        return self.fit(data, recipe)


def partition(x: Array, parts: int) -> Rows:
    """Which of `parts` each row falls into: a hash of its values, so that no row moves another and no label moves any.

    >>> bool((partition(np.eye(3), 4) == partition(np.eye(3)[[0, 1, 2]], 4)).all())
    True
    """
    from hashlib import blake2b

    flat = np.ascontiguousarray(np.asarray(x, dtype=np.float64).reshape((len(x), -1)) + 0.0)
    flat[np.isnan(flat)] = np.nan
    numbers = (int.from_bytes(blake2b(row.tobytes(), digest_size=8).digest(), "little") for row in flat)
    return np.fromiter((number % parts for number in numbers), dtype=np.int64, count=len(flat))
