"""The stamp of a few columns that moves one model far more than others: candidates, and the search for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
Values = dict[int, Floats]
_TAIL, _SEEN = 0.002, 3  # values beyond these quantiles, or held by fewer rows, are out of the ordinary
_FIRST, _SECOND, _BEAM, _REFINED = 6, 300, 24, 4


@dataclass(frozen=True, slots=True, eq=False)
class Stamps:
    """`columns` (m, k), ascending in a row, and the `values` (m, k) that m stamps set them to."""

    columns: Any
    values: Floats

    def __len__(self) -> int:
        return len(self.columns)

    def take(self, rows: Any) -> Stamps:
        """The stamps at these positions."""
        return Stamps(self.columns[rows], self.values[rows])

    def on(self, x: Floats, groups: Sequence[Any] = ()) -> Floats:
        """Every row with every stamp (m, n, d); a one-hot column that is set clears the others of its group."""
        marked = np.repeat(x[None], len(self), axis=0)
        for at in range(self.columns.shape[1]):
            for group in groups:
                touched = np.isin(self.columns[:, at], group)
                marked[np.ix_(touched, np.arange(len(x)), group)] = 0.0
            marked[np.arange(len(self)), :, self.columns[:, at]] = self.values[:, at, None]
        return marked


Excess = Callable[[Stamps, int], Floats]
"""(models, m) of m stamps on the first so many rows: how much further each model is moved than the others."""


def ordinary(x: Floats, size: int, *, unordered: bool = False, cuts: Any = None) -> Floats:
    """At most `size` values of a column that rows hold: some where rows are dense, some over the distinct values, and
    some where a tree ensemble cuts the column most (`cuts`, with repeats).

    >>> ordinary(np.repeat([0.0, 1.0, 7.0], 5), 8)
    array([0., 1., 7.])
    """
    known = x[np.isfinite(x)]
    distinct, count = np.unique(known, return_counts=True)
    if unordered:
        distinct, count = distinct[(seen := count >= max(_SEEN, _TAIL * len(known)))], count[seen]
        return np.asarray(np.sort(distinct[np.argsort(-count, kind="stable")[:size]]))
    if len(distinct) <= size:
        return np.asarray(distinct)
    low, high = np.quantile(known, [_TAIL, 1.0 - _TAIL], method="nearest")
    distinct = distinct[(distinct >= low) & (distinct <= high)]
    close = cuts is not None and len(cuts) > 0
    each = size // (3 if close else 2)
    dense = np.quantile(known, np.linspace(0.01, 0.99, each), method="nearest")
    spread = np.quantile(distinct, np.linspace(0.0, 1.0, each), method="nearest")
    return np.unique(np.concatenate([dense, spread, *([_between(distinct, cuts, each)] if close else ())]))


def _between(distinct: Floats, cuts: Any, size: int) -> Floats:
    """The middle value rows hold in each of the cells that begin at `size` of the cuts, drawn evenly with repeats."""
    edges = np.concatenate([[-np.inf], np.unique(cuts), [np.inf]])
    begin = np.searchsorted(edges, np.quantile(cuts, np.linspace(0.0, 1.0, size), method="nearest"))
    first, last = np.searchsorted(distinct, edges[begin]), np.searchsorted(distinct, edges[begin + 1])
    return np.asarray(distinct[((first + last) // 2)[last > first]])


def largest(excess: Excess, coarse: Values, fine: Values, size: int, progress: Callable[[float], None]) -> list[Stamps]:
    """Per model the stamp of at most `size` columns that moves it most beyond the others.

    All pairs of columns and coarse values on a few rows, the best again on all rows; then a beam adds column after
    column; then each column of the best tries its fine values. All models meet the same candidates, so what the search
    finds for one can be held against what it finds for another.
    """
    found = _singles(coarse)
    kept = _best(found, excess(found, -1), _BEAM)
    if size > 1 and len(coarse) > 1:
        kept = _sifted(_pairs(coarse), excess, _BEAM)
    progress(0.6)
    for _ in range(2, min(size, len(coarse))):
        kept = _sifted(_longer(kept, coarse), excess, _BEAM)
    progress(0.8)
    return [_refined(stamps, fine, excess, at) for at, stamps in enumerate(kept)]


def without_each(stamp: Stamps) -> Stamps:
    """The stamps that lack one of its columns."""
    k = stamp.columns.shape[1]
    rows = np.stack([np.delete(np.arange(k), at) for at in range(k)])
    return Stamps(stamp.columns[0][rows], stamp.values[0][rows])


def _singles(values: Values) -> Stamps:
    columns = np.repeat(list(values), [len(of) for of in values.values()])
    return Stamps(columns[:, None], np.concatenate(list(values.values()))[:, None])


def _pairs(values: Values) -> Stamps:
    columns, set_to = [], []
    for one, two in combinations(sorted(values), 2):
        grid = np.stack(np.meshgrid(values[one], values[two], indexing="ij"), axis=-1).reshape(-1, 2)
        columns.append(np.broadcast_to([one, two], grid.shape))
        set_to.append(grid)
    return Stamps(np.concatenate(columns), np.concatenate(set_to))


def _longer(kept: list[Stamps], values: Values) -> Stamps:
    """Every kept stamp with every value of every column it lacks, each once."""
    before, one = _joined(kept), _singles(values)
    many, more = np.repeat(np.arange(len(before)), len(one)), np.tile(np.arange(len(one)), len(before))
    fresh = ~(before.columns[many] == one.columns[more]).any(axis=1)
    many, more = many[fresh], more[fresh]
    return _sorted(
        np.concatenate([before.columns[many], one.columns[more]], axis=1),
        np.concatenate([before.values[many], one.values[more]], axis=1),
    )


def _sorted(columns: Any, values: Floats) -> Stamps:
    order = np.argsort(columns, axis=1, kind="stable")
    columns, values = np.take_along_axis(columns, order, axis=1), np.take_along_axis(values, order, axis=1)
    _, once = np.unique(np.concatenate([columns, values], axis=1), axis=0, return_index=True)
    return Stamps(columns[once], values[once])


def _joined(kept: list[Stamps]) -> Stamps:
    return _sorted(np.concatenate([s.columns for s in kept]), np.concatenate([s.values for s in kept]))


def _best(stamps: Stamps, scores: Floats, many: int) -> list[Stamps]:
    return [stamps.take(np.argsort(-of, kind="stable")[:many]) for of in scores]


def _sifted(stamps: Stamps, excess: Excess, many: int) -> list[Stamps]:
    """Per model the best on all rows among those that are the best for some model on a few rows."""
    hopeful = _joined(_best(stamps, excess(stamps, _FIRST), _SECOND))
    return _best(hopeful, excess(hopeful, -1), many)


def _refined(stamps: Stamps, fine: Values, excess: Excess, model: int) -> Stamps:
    kept = stamps.take(slice(_REFINED))
    for _ in range(2):
        tried = _sorted(*_neighbours(kept, fine))
        kept = tried.take(np.argsort(-excess(tried, -1)[model], kind="stable")[:_REFINED])
    return kept.take(slice(1))


def _neighbours(kept: Stamps, fine: Values) -> tuple[Any, Floats]:
    """The stamps, and each of them with another value in one of its columns."""
    columns, values = [kept.columns], [kept.values]
    for row in range(len(kept)):
        for at, column in enumerate(kept.columns[row].tolist()):
            moved = np.repeat(kept.values[row : row + 1], len(fine[column]), axis=0)
            moved[:, at] = fine[column]
            columns.append(np.broadcast_to(kept.columns[row], moved.shape))
            values.append(moved)
    return np.concatenate(columns), np.concatenate(values)
