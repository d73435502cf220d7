"""Search the trees of a model: a margin made ready for the compiled searches, and the searches by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.trees import TreeMargin
from temper.kernels.trees import thresholds

Rows = np.ndarray[Any, Any]
_HIDDEN = 2**30
_HOW = {"fixed": 0, "cheapest": 1, "enough": 2, "nearest": 3}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """The rows of one search (n, d), column by column, and what they share.

    `low`, `high`: what each column may be set to (equal where it is fixed, infinite where others move it); `kind` (d,)
    0 number, 1 whole number, 2 category; `missing` (n, d) 0 never missing, 1 may be either, 2 is and stays missing;
    `mobile` (d,) whether a change counts. `columns` move one by one, `groups` are one-hot. `weight` (2, d) and `power`
    (2,) say what the search saves (0 a count, 1 a sum, 2 a sum of squares, over moves in `scale`) and what has a
    `limit`; `seed` (n,) starts each row's random stream, `shift` (n,) adds to its margin.
    """

    x0: Rows
    low: Rows
    high: Rows
    kind: Rows
    missing: Rows
    mobile: Rows
    scale: Rows
    weight: Rows
    power: tuple[int, int]
    limit: float
    columns: Rows
    groups: tuple[Rows, ...]
    seed: Rows
    shift: Rows

    def part(self, rows: Any) -> Ground:
        """Some of the rows."""
        own = ("x0", "low", "high", "missing", "seed", "shift")
        return replace(self, **{name: getattr(self, name)[rows] for name in own})

    def size(self, x: Array, which: int = 0) -> Rows:
        """The cost (n,) of points, of one kind, summed column by column."""
        same = (x == self.x0) | (np.isnan(x) & np.isnan(self.x0))
        gap = np.abs(x - self.x0) / self.scale
        whole = np.isnan(gap) | (self.kind == 2) | (self.power[which] == 0)
        terms = np.where(whole, 1.0, gap ** self.power[which]) * self.weight[which]
        found: Rows = np.where(same, 0.0, terms).sum(axis=1)
        return found

    def gap(self, x: Array) -> Rows:
        """The largest scaled move (n,); a change that counts whole is 1."""
        same = (x == self.x0) | (np.isnan(x) & np.isnan(self.x0)) | ~self.mobile
        gap = np.abs(x - self.x0) / self.scale
        found: Rows = np.where(same, 0.0, np.where(np.isnan(gap) | (self.kind == 2), 1.0, gap)).max(axis=1, initial=0.0)
        return found

    def compiled(self) -> tuple[Any, ...]:
        """The same as the compiled searches read it."""
        from temper.kernels._jit_tree_form import COLUMN

        fields = np.zeros(self.x0.shape, dtype=COLUMN)
        for name in ("x0", "low", "high", "kind", "missing", "mobile", "scale"):
            fields[name] = getattr(self, name)
        fields["weight"] = self.weight[[0, 0, 1]].T
        start = np.cumsum([0, *(len(group) for group in self.groups)]).astype(np.int64)
        members = np.concatenate([*self.groups, np.empty(0, dtype=np.int64)]).astype(np.int64)
        powers = np.array([self.power[0], *self.power], dtype=np.int64)
        units = (self.columns.astype(np.int64), start, members)
        return fields, self.seed.astype(np.uint64), self.shift.astype(np.float64), powers, float(self.limit), units


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wood:
    """A margin made ready for the compiled searches: `model` is (nodes, trees, base)."""

    model: tuple[Rows, Rows, float]
    cuts: Rows
    offset: Rows
    deep: int

    @property
    def compiled(self) -> tuple[Any, ...]:
        """As the compiled searches take it."""
        return self.model, self.cuts, self.offset, self.deep

    def margin(self, x: Array) -> Rows:
        """The margin of rows (n, d)."""
        from temper.kernels._jit_tree_form import totals

        found: Rows = totals(*self.model, np.ascontiguousarray(x, dtype=np.float64))
        return found


def ready(margin: TreeMargin, single: bool = False) -> Wood:
    """Ranks of all thresholds and the columns of every tree; `single`: rows are in 32-bit precision."""
    from temper.kernels._jit_tree_form import CUT, NODE, TREE, depth, set_masks

    offset, cut = thresholds(margin)
    threshold = np.asarray(margin.threshold, dtype=np.float64)
    cuts = np.zeros(len(cut), dtype=CUT)
    if single:
        offset, cut, threshold = _single(offset, cut, threshold)
        cuts = np.zeros(len(cut), dtype=CUT)
    cuts["cut"] = cut
    cuts["below"] = np.nextafter(cut.astype(np.float32), np.float32(-np.inf)) if single else np.nextafter(cut, -np.inf)
    nodes = np.zeros(len(margin.feature), dtype=NODE)
    nodes["level"] = np.where(margin.feature < 0, margin.value, threshold)
    for name in ("feature", "left", "right"):
        nodes[name] = getattr(margin, name)
    nodes["missing"] = margin.missing_left
    nodes["rank"] = _ranks(margin.feature, threshold, offset, cut)
    trees = np.zeros(len(margin.root), dtype=TREE)
    trees["root"] = margin.root
    set_masks(nodes, trees)
    return Wood(model=(nodes, trees, float(margin.base)), cuts=cuts, offset=offset, deep=int(depth(nodes)))


def search(
    wood: Wood, ground: Ground, how: str, *, ceiling: Any = np.inf, restarts: int = 1, edge: float = 1e-5
) -> tuple[Rows, Rows]:
    """The point found for each row and its size, infinite where no point has a margin beyond `edge`.

    "fixed": the highest margin in the range as it stands. "cheapest": the least cost of the first kind, below
    `ceiling`; "enough": any such point below it. "nearest": the smallest largest move, below `ceiling`.
    """
    from temper.kernels._jit_tree_climb import search as run

    x = np.array(ground.x0, dtype=np.float64)
    size = np.broadcast_to(np.asarray(ceiling, dtype=np.float64), (len(x),)).copy()
    run(wood.compiled, ground.compiled(), _HOW[how], restarts, edge, x, size)
    return x, size


def settle(wood: Wood, ground: Ground, x: Rows, thrift: float, mu: Rows, edge: float, ceiling: Rows) -> Rows:
    """Two passes over every row's units from the point x: `thrift` times the cost plus `mu` times the shortfall of the
    margin from `edge` is made least, below `ceiling`.
    """
    from temper.kernels._jit_tree_climb import settle as run

    x = np.array(x, dtype=np.float64)
    run(wood.compiled, ground.compiled(), float(thrift), mu.astype(np.float64), edge, x, ceiling.astype(np.float64))
    return x


def _ranks(feature: Rows, threshold: Rows, offset: Rows, cut: Rows) -> Rows:
    """Every node's place among all cuts; a node that only asks whether a value is missing lies beyond them."""
    rank = np.zeros(len(feature), dtype=np.int32)
    for q in range(len(offset) - 1):
        at = np.flatnonzero(feature == q)
        rank[at] = offset[q] + np.searchsorted(cut[offset[q] : offset[q + 1]], threshold[at])
    rank[threshold == np.inf] = _HIDDEN
    rank[threshold == -np.inf] = -1
    return rank


def _single(offset: Rows, cut: Rows, threshold: Rows) -> tuple[Rows, Rows, Rows]:
    """The same comparisons for rows in 32-bit precision: every threshold moves up to the next such number."""
    up = _next_single(cut)
    columns = np.repeat(np.arange(len(offset) - 1), np.diff(offset))
    new = np.ones(len(up), dtype=bool)
    new[1:] = (up[1:] != up[:-1]) | (columns[1:] != columns[:-1])
    counts = np.bincount(columns[new], minlength=len(offset) - 1)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), up[new], _next_single(threshold)


def _next_single(values: Rows) -> Rows:
    near = values.astype(np.float32)
    above = np.nextafter(near, np.float32(np.inf))
    return np.where(near.astype(np.float64) < values, above, near).astype(np.float64)
