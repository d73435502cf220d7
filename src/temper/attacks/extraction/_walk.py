"""The search for the leaves of a tree: which box of rows gets the same answer as the row it was started from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.attacks.extraction._boxes import Grid, gap, inside

Vector = np.ndarray[Any, Any]

_DIGITS = 12


class Spent(Exception):
    """Nothing is answered any more."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """Rows asked and their answers, and the boxes found; `whole` when they fill the domain."""

    x: Vector
    answers: Vector
    low: Vector
    high: Vector
    said: Vector
    whole: bool


@dataclass(kw_only=True, eq=False)
class Walk:
    """The boxes found so far (`low` up to, not with, `high`), the row each was found from, and every answer.

    `tell(x)` answers rows (n,), NaN when it no longer does; then `Spent` is raised. `marks` are numbers of queries at
    which what is known is `seen`.
    """

    tell: Callable[[Vector], Vector]
    grid: Grid
    low: Vector = field(init=False)
    high: Vector = field(init=False)
    said: Vector = field(init=False)
    anchor: Vector = field(init=False)
    todo: list[tuple[Vector, Vector]] = field(init=False)
    asked: list[Vector] = field(default_factory=list)
    told: list[Vector] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    spent: int = 0
    doubts: int = 8

    def __post_init__(self) -> None:
        width = len(self.grid.low)
        self.low, self.high, self.anchor = (np.empty((0, width)) for _ in range(3))
        self.said = np.empty(0)
        self.todo = [(np.full(width, -np.inf), np.full(width, np.inf))]

    def ask(self, x: Vector) -> Vector:
        """Answers (n,) to rows (n, d), kept."""
        said = np.round(self.tell(x), _DIGITS)
        known = ~np.isnan(said)
        self.asked.append(x[known])
        self.told.append(said[known])
        self.spent += int(known.sum())
        if self.marks and self.spent >= self.marks[0]:
            self.marks = [mark for mark in self.marks if mark > self.spent]
            self.seen.append(self.now())
        if not known.all():
            raise Spent
        return said

    def now(self) -> Seen:
        """What is known at this point."""
        return Seen(
            x=np.concatenate(self.asked),
            answers=np.concatenate(self.told),
            low=self.low.copy(),
            high=self.high.copy(),
            said=self.said,
            whole=not self.todo,
        )

    def cover(self, known: Vector) -> None:
        """Boxes for all known rows, then for all that no box covers."""
        for row in known:
            if inside(self.low, self.high, row[None])[0] < 0:
                self.add(row)
                self._doubt(known)
        while self.todo:
            region, rest = gap(self.low, self.high, self.todo.pop())
            self.todo += rest
            if region is not None:
                self.todo.append(region)
                low, high = region
                self.add(self.grid.point(low, high, known[len(self.low) % len(known)]))
                self._doubt(known)

    def verify(self, x: Vector) -> float:
        """Cuts the boxes that promise these rows another answer than they get; the share of such rows."""
        said, at = self.ask(x), inside(self.low, self.high, x)
        wrong = (at >= 0) & (self.said[at] != said)
        for row, answer in zip(x[wrong], said[wrong], strict=True):
            box = int(inside(self.low, self.high, row[None])[0])
            if box >= 0 and self.said[box] != answer:
                self._cut(box, row)
        return float(wrong.mean())

    def _doubt(self, known: Vector) -> None:
        """Boxes with an answer that another has too may hold more than one leaf: they are checked at once."""
        alike = np.flatnonzero(self.said == self.said[-1])
        if len(alike) < 2:
            return
        for at in alike if len(alike) == 2 else alike[-1:]:
            spread = known[(at + np.arange(self.doubts)) % len(known)]
            self.verify(np.array([self.grid.point(self.low[at], self.high[at], near) for near in spread]))

    def add(self, row: Vector) -> None:
        """The box around a row that lies in none."""
        said = float(self.ask(row[None])[0])
        low, high = self._open(row)
        first, last = self.grid.ends(low, high)
        for side, end in ((low, first), (high, last)):
            for at in self._bounded(row, end, said):
                side[at] = self._side(row, int(at), float(row[at]), float(end[at]), said)
        self.low, self.high = np.concatenate([self.low, low[None]]), np.concatenate([self.high, high[None]])
        self.said, self.anchor = np.append(self.said, said), np.concatenate([self.anchor, row[None]])

    def _open(self, row: Vector) -> tuple[Vector, Vector]:
        """How far (d,) one may go from the row in each column before another box begins."""
        below, above = row < self.low, self.high <= row
        low, high = np.full(len(row), -np.inf), np.full(len(row), np.inf)
        alone = (below | above).sum(axis=1) == 1
        for at in range(len(row)):
            high[at] = min(self.low[alone & below[:, at], at], default=np.inf)
            low[at] = max(self.high[alone & above[:, at], at], default=-np.inf)
        return low, high

    def _bounded(self, row: Vector, end: Vector, said: float) -> list[int]:
        """The columns in which the row loses its answer at the `end`; whole groups are told off at once."""
        found: list[int] = []

        def search(group: Vector, fails: bool) -> bool:
            """Whether the group holds a column that matters; `fails`: it is known to."""
            if not len(group):
                return False
            if not fails:
                moved = row.copy()
                moved[group] = end[group]
                if self._same(moved, said):
                    return False
            if len(group) == 1:
                found.append(int(group[0]))
                return True
            half = len(group) // 2
            left = search(group[:half], False)
            search(group[half:], not left)
            return True

        search(np.flatnonzero(end != row), False)
        return found

    def _same(self, row: Vector, said: float) -> bool:
        """Whether the row gets this answer; a row of another box is known not to."""
        if inside(self.low, self.high, row[None])[0] >= 0:
            return False
        return bool(self.ask(row[None])[0] == said)

    def _side(self, row: Vector, at: int, into: float, out: float, said: float) -> float:
        """Where between `into` and `out` the answer changes, by bisection; sides of other boxes are tried first."""
        near = self.grid.reach[at]
        sides = np.concatenate([self.low[:, at], self.high[:, at]])
        known = np.unique(np.concatenate([sides - near, sides + near]))
        moved = row.copy()
        while abs(out - into) > 2.0 * near * (1.0 + 1e-9):
            low, high = min(into, out), max(into, out)
            between = known[(low < known) & (known < high)]
            moved[at] = between[len(between) // 2] if len(between) else self.grid.halfway(into, out, at)
            if self.ask(moved[None])[0] == said:
                into = float(moved[at])
            else:
                out = float(moved[at])
        return (into + out) / 2.0

    def _cut(self, at: int, row: Vector) -> None:
        """Two leaves with one answer lie in this box, `row` between them: cut where the answer changes on the way."""
        start, said = self.anchor[at], float(self.said[at])
        order = np.flatnonzero(start != row)
        same, other = 0, len(order)
        while other - same > 1:
            middle = (same + other) // 2
            if self.ask(_along(start, row, order[:middle])[None])[0] == said:
                same = middle
            else:
                other = middle
        column = int(order[other - 1])
        way = _along(start, row, order[:same])
        side = self._side(way, column, float(start[column]), float(row[column]), said)
        low, high = self.low[at].copy(), self.high[at].copy()
        if row[column] > start[column]:
            low[column], self.high[at, column] = side, side
        else:
            high[column], self.low[at, column] = side, side
        self.todo.append((low, high))


def _along(start: Vector, end: Vector, columns: Vector) -> Vector:
    """The row `start` with these columns of `end`."""
    row = start.copy()
    row[columns] = end[columns]
    return row
