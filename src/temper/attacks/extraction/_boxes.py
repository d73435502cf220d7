"""Boxes of equal answers: what is covered, what is not, and the copy made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema

Vector = np.ndarray[Any, Any]

_STEP = 2.0**-20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Walked:
    """A copy of a tree: `low` (k, d) up to, not with, `high` (k, d) is answered with `said` (k,).

    What no box covers is answered by `rest`; a gap counts as `fill` (d,). `told` says what was found.
    """

    low: Vector
    high: Vector
    said: Vector
    fill: Vector
    rest: Any
    edge: float
    told: str

    def scores(self, x: Array) -> Vector:
        """Flagged-class scores (n,) on the victim's scale."""
        x = np.asarray(x, dtype=float)
        x = np.where(np.isnan(x), self.fill, x)
        at = inside(self.low, self.high, x)
        said, open_ = np.empty(len(x)), at < 0
        said[~open_] = self.said[at[~open_]]
        if open_.any():
            said[open_] = self.rest.scores(x[open_])
        return said

    def flags(self, x: Array) -> Vector:
        """The decisions (n,) at the victim's threshold."""
        return self.scores(x) >= self.edge


def inside(low: Vector, high: Vector, x: Vector) -> Vector:
    """The number (n,) of a box that holds each row, -1 where none does.

    >>> inside(np.array([[0.0]]), np.array([[1.0]]), np.array([[0.5], [1.0]]))
    array([ 0, -1])
    """
    if not len(low):
        return np.full(len(x), -1)
    held = np.ones((len(x), len(low)), dtype=bool)
    for at in range(x.shape[1]):
        held &= (low[:, at] <= x[:, at : at + 1]) & (x[:, at : at + 1] < high[:, at])
    return np.where(held.any(axis=1), held.argmax(axis=1), -1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """The domain: `low` and `high` (d,) are its ends, `whole` (d,) says which columns take whole numbers only."""

    low: Vector
    high: Vector
    whole: Vector

    @staticmethod
    def of(schema: Schema, known: Vector) -> Grid:
        """Of the declared ranges; where a column has none, of the known values and as much again to either side."""
        low, high = np.nanmin(known, axis=0), np.nanmax(known, axis=0)
        room = high - low + 1.0
        low, high = low - room, high + room
        for at, column in enumerate(schema.columns):
            ends = (0.0, len(column.categories) - 1.0) if column.categories else (column.low, column.high)
            low[at] = ends[0] if np.isfinite(ends[0]) else low[at]
            high[at] = ends[1] if np.isfinite(ends[1]) else high[at]
        whole = np.array([column.discrete or column.type == "integer" for column in schema.columns])
        return Grid(low=np.where(whole, np.ceil(low), low), high=np.where(whole, np.floor(high), high), whole=whole)

    @property
    def reach(self) -> Vector:
        """Half of the smallest step that matters (d,): a side is known to lie this close."""
        return np.where(self.whole, 0.5, _STEP * np.maximum(self.high - self.low, 1e-300) / 2.0)

    def ends(self, low: Vector, high: Vector) -> tuple[Vector, Vector]:
        """The first and the last row (d,) of a box, inside the domain."""
        return np.maximum(low + self.reach, self.low), np.minimum(high - self.reach, self.high)

    def halfway(self, a: float, b: float, at: int) -> float:
        """A value of column `at` between two others."""
        middle = (a + b) / 2.0
        return float(np.floor(middle)) if self.whole[at] else middle

    def point(self, low: Vector, high: Vector, near: Vector) -> Vector:
        """A row in the box, with the columns of `near` wherever they lie in it."""
        first, last = self.ends(low, high)
        middle = (first + last) / 2.0
        middle = np.where(self.whole, np.floor(middle), middle)
        return np.where((first <= near) & (near <= last), near, middle)


def gap(low: Vector, high: Vector, region: tuple[Vector, Vector]) -> tuple[Any, list[tuple[Vector, Vector]]]:
    """A part of the region that no box reaches into (None: all is covered), and the parts not looked at yet.

    The region is cut along the sides of the boxes that reach into it, where the fewest are cut through.
    """
    stack = [region]
    while stack:
        below, above = stack.pop()
        reach = ((low < above) & (below < high)).all(axis=1)
        if not reach.any():
            return (below, above), stack
        lows, highs = low[reach], high[reach]
        if ((lows <= below) & (above <= highs)).all(axis=1).any():
            continue
        at, cut = _cut(lows, highs, below, above)
        left, right = above.copy(), below.copy()
        left[at], right[at] = cut, cut
        stack += [(below, left), (right, above)]
    return None, []


def _cut(low: Vector, high: Vector, below: Vector, above: Vector) -> tuple[int, float]:
    """The side, strictly inside the region, that cuts through the fewest boxes."""
    best: tuple[int, int, float] | None = None
    for at in range(len(below)):
        sides = np.unique(np.concatenate([low[:, at], high[:, at]]))
        for side in sides[(sides > below[at]) & (sides < above[at])]:
            through = int(((low[:, at] < side) & (side < high[:, at])).sum())
            if best is None or through < best[0]:
                best = (through, at, float(side))
    if best is None:
        raise RuntimeError("a region that no box covers has no side in it")
    return best[1], best[2]
