"""Counts of the values of every column at fixed places: they add up exactly over nodes and days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.errors import ContractError

Array = np.ndarray[Any, Any]
KNOTS = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """Where values are counted: `knots` of all columns one after another, those of column j from `starts[j]` to
    `starts[j + 1]`, rising. Of k knots there are 2 k + 1 cells: below the first, at it, between it and the next, and so
    on. `category` (d,) are columns of codes, whose values between knots were not there when the knots were chosen.
    """

    knots: Array
    starts: Array
    category: Array

    def __len__(self) -> int:
        return len(self.category)

    def of(self, column: int) -> Array:
        """The knots of a column."""
        return np.asarray(self.knots[self.starts[column] : self.starts[column + 1]])

    def places(self, column: int) -> slice:
        """Where the cells of a column lie in `Tally.counts`."""
        return slice(2 * int(self.starts[column]) + column, 2 * int(self.starts[column + 1]) + column + 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tally:
    """How many of `rows` rows had a value in each cell, and how many `missing` (d,) none. Sums are exact.

    >>> cells = cells_of(np.array([[1.0], [2.0], [2.0]]), np.array([False]))
    >>> both = tally(cells, np.array([[2.0]])) + tally(cells, np.array([[np.nan], [9.0]]))
    >>> both.counts, both.missing, both.rows
    (array([0, 0, 0, 1, 1]), array([1]), 3)
    """

    counts: Array
    missing: Array
    rows: int

    def __add__(self, other: Tally) -> Tally:
        if self.counts.shape != other.counts.shape:
            raise ContractError("these rows were counted in other cells")
        return Tally(
            counts=self.counts + other.counts, missing=self.missing + other.missing, rows=self.rows + other.rows
        )

    @property
    def present(self) -> Array:
        """Of how many rows each column (d,) has a value."""
        return np.asarray(self.rows - self.missing)


def cells_of(x: Array, category: Array, most: int = KNOTS) -> Cells:
    """Cells for columns like those of `x` (n, d): a knot at every value where there are at most `most` of them, else at
    quantiles, the smallest and the largest value among them. Codes have a knot each.
    """
    rows = single(x)
    found = [_knots(rows[:, at], most if not category[at] else len(x)) for at in range(x.shape[1])]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in found])]).astype(np.int64)
    knots = np.concatenate([*found, np.zeros(0, np.float32)])
    return Cells(knots=knots, starts=starts, category=np.asarray(category, dtype=bool))


def with_knots(cells: Cells, column: int, more: Array) -> Cells:
    """The same cells with further knots in a column, so that what lies between them is counted by itself."""
    found = [np.union1d(cells.of(at), more) if at == column else cells.of(at) for at in range(len(cells))]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in found])]).astype(np.int64)
    return Cells(knots=np.concatenate(found).astype(np.float32), starts=starts, category=cells.category)


def tally(cells: Cells, x: Array) -> Tally:
    """Rows (n, d) counted, in the single precision in which they are served, so that a value from a file is the same
    one as on the wire; NaN is missing, and infinite values lie beyond the outer knots.
    """
    if x.ndim != 2 or x.shape[1] != len(cells):
        raise ContractError(f"rows have the shape {x.shape}, and there are cells for {len(cells)} columns")
    counts = np.zeros(2 * len(cells.knots) + len(cells), dtype=np.int64)
    missing = np.zeros(len(cells), dtype=np.int64)
    rows = single(x)
    for column in range(len(cells)):
        values = np.sort(rows[:, column])  # NaN come last
        present = int(np.searchsorted(values, np.float32(np.nan)))
        missing[column] = len(x) - present
        counts[cells.places(column)] = _counted(values[:present], cells.of(column))
    return Tally(counts=counts, missing=missing, rows=len(x))


def pairs(cells: Cells, one: Tally, other: Tally) -> Iterator[tuple[Array, Array]]:
    """The counts of two tallies, column by column."""
    for column in range(len(cells)):
        places = cells.places(column)
        yield one.counts[places], other.counts[places]


def coarse(reference: Array, bins: int) -> Array:
    """In which of at most `bins` bins each cell goes: cells in their order, until a bin has its share of the reference.

    A value that is common has a bin of its own. Cells beyond the reference go with the outermost ones.

    >>> coarse(np.array([0, 1, 2, 3, 0, 6]), 4)
    array([0, 0, 0, 1, 2, 2])
    """
    upto, ends = np.cumsum(reference), [0]
    while ends[-1] < len(upto) and len(ends) <= bins:
        filled = upto[ends[-1] - 1] if ends[-1] else 0
        ends.append(int(np.searchsorted(upto, filled + max(upto[-1] / bins, 1.0))) + 1)
    # What is left at the end is less than a share: it goes to the bin before.
    full = [end for end in ends[1:] if end <= len(upto)]
    return np.searchsorted(full[:-1], np.arange(len(reference)), side="right")


def _knots(values: Array, most: int) -> Array:
    values = np.sort(values[np.isfinite(values)])
    distinct = values[np.concatenate([[True], values[1:] != values[:-1]])] if len(values) else values
    if len(distinct) > most:
        distinct = np.unique(values[np.linspace(0, len(values) - 1, most).round().astype(np.int64)])
    return distinct


def _counted(values: Array, knots: Array) -> Array:
    """How many of these rising values lie in each cell."""
    upto = np.empty(2 * len(knots) + 2, dtype=np.int64)
    upto[0], upto[-1] = 0, len(values)
    upto[1:-1:2] = np.searchsorted(values, knots, side="left")
    upto[2:-1:2] = np.searchsorted(values, knots, side="right")
    return np.diff(upto)


def single(x: Array) -> Array:
    """Values as they are served: in single precision, infinite where they are too large for it."""
    if x.dtype == np.float32:
        return x
    with np.errstate(over="ignore"):
        return np.asarray(x, dtype=np.float32)
