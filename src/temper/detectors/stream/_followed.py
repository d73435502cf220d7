"""What is known about ordinary clients, and what is kept of one: the parts of the extraction detector's state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.detectors._ordinary import categories, halves
from temper.kernels.betting import bet, padded
from temper.kernels.chow_liu import Dependence, dependence, together
from temper.kernels.codes import Codes, binned, codes, encoded
from temper.kernels.ecod import Tails, tail_scores, tails

Array = np.ndarray[Any, Any]
KINDS = (
    "columns that do not go together",
    "values in the tails",
    "small steps from its own last queries",
    "small steps from its own earlier queries",
)
_FILLED = (1, 4, 16, 64, 256, 1_024)  # how many earlier queries there are at most; the kernel has the same levels
_FEWEST, _SLICE, _SLICES, _NEIGHBOURS = 200, 250, 48, 100
_CUTS = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
_CLOSE = np.geomspace(1e-4, 0.05, 20)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ordinary:
    """How ordinary rows look, alone and one after another, and the bets against a client's being ordinary."""

    codes: Codes
    tree: Dependence
    tails: Tails
    edges: Array
    factors: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trail:
    """One client: its last distinct rows as bytes (`ring`) and by hash (`names`); `counts` are distinct rows, repeats,
    and the evidence of each kind.
    """

    ordinary: Ordinary
    ring: Array
    names: Array
    counts: Array

    @property
    def distinct(self) -> int:
        """Queries that were not among its last ones already."""
        return int(self.counts[0])

    def fresh(self) -> Trail:
        """A client nothing is known of."""
        return begun(self.ordinary)

    def roomy(self, most: int) -> Trail:
        """The same with a ring four times as large, where it is full and may be larger."""
        size = len(self.ring)
        if self.counts[0] < size or size >= most:
            return self
        more = min(4 * size, most) - size
        ring = np.concatenate([self.ring, np.zeros((more, self.ring.shape[1]), np.uint8)])
        return replace(self, ring=ring, names=np.concatenate([self.names, np.zeros(more, np.uint64)]))


def begun(ordinary: Ordinary, size: int = 16) -> Trail:
    """An empty trail."""
    columns = len(ordinary.codes.order)
    ring, names = np.zeros((size, columns), np.uint8), np.zeros(size, np.uint64)
    return Trail(ordinary=ordinary, ring=ring, names=names, counts=np.zeros(2 + len(KINDS)))


def learnt(x: Array, schema: Schema, tolerated: float) -> Ordinary:
    """From ordinary rows: one half shows how they look, the other what ordinary clients would win the bets."""
    rows, held_out = halves(x, schema)
    category = categories(schema, rows.shape[1])
    table = codes(rows, category)
    code = encoded(table, held_out)
    tree, tail = dependence(binned(table, encoded(table, rows))), tails(rows, category)
    rng = Draws(0, "detectors.learnt").generator()
    parts = _segments(held_out, category)
    mixed = np.stack([rng.permutation(code[:, at]) for at in range(code.shape[1])], axis=1)
    loose, usual = -together(tree, binned(table, mixed)), -together(tree, binned(table, code))
    anywhere = _anywhere(rows, schema, rng)
    bets = [
        bet(usual, parts, loose, tolerated),
        bet(tail_scores(tail, held_out), parts, tail_scores(tail, anywhere), tolerated),
        *(_near(code, held_out, table.numbers, filled, tolerated, rng) for filled in _FILLED),
    ]
    edges, factors = padded(bets)
    return Ordinary(codes=table, tree=tree, tails=tail, edges=edges, factors=factors)


def _segments(x: Array, category: Array) -> list[Array]:
    """Rows alike in one column: the quarters of a number, the commonest categories; those with rows enough."""
    found = []
    for at in range(x.shape[1]):
        values = np.nan_to_num(x[:, at])
        cuts = np.unique(values) if category[at] else np.unique(np.quantile(values, _CUTS))
        part = np.searchsorted(cuts, values)
        found += [np.flatnonzero(part == one) for one in range(len(cuts) + 1)]
    return [rows for rows in found if _FEWEST <= len(rows) < len(x)]


def _anywhere(x: Array, schema: Schema, rng: np.random.Generator) -> Array:
    """Rows anywhere in the schema's box, in the range of ordinary rows where it is open."""
    finite = np.where(np.isfinite(x), x, np.nan)
    low, high = np.nanmin(finite, axis=0), np.nanmax(finite, axis=0)
    if schema.columns:
        low = np.where(np.isfinite(schema.lows), schema.lows, low)
        high = np.where(np.isfinite(schema.highs), schema.highs, high)
    made = rng.uniform(low, high, (min(len(x), 4_000), x.shape[1]))
    whole = [column.discrete for column in schema.columns] or [False] * x.shape[1]
    return np.where(whole, np.round(made), made).astype(np.float32)


def _near(code: Array, x: Array, numbers: int, filled: int, tolerated: float, rng: np.random.Generator) -> Any:
    """The bet on how near a row is to the nearest of `filled` earlier ones, among all rows and in narrow slices."""
    groups = [np.arange(len(code)), *_slices(x, max(_SLICE, filled + _NEIGHBOURS), rng)]
    many = [len(code) if at == 0 else _NEIGHBOURS for at in range(len(groups))]
    found = [_distances(code, rows, n, filled, numbers, rng) for rows, n in zip(groups, many, strict=True)]
    ends = np.cumsum([len(one) for one in found])
    where = [np.arange(end - len(one), end) for one, end in zip(found, ends, strict=True)]
    ordinary = -np.concatenate(found)
    close = np.quantile(-ordinary[where[0]], _CLOSE, method="lower")
    return bet(ordinary, where, -np.repeat(close, len(ordinary)), tolerated)


def _slices(x: Array, size: int, rng: np.random.Generator) -> list[Array]:
    """Rows next to each other in the order of one column, as in a batch that is sorted or all of one kind."""
    if len(x) <= size:
        return []
    columns = rng.permutation(np.repeat(np.arange(x.shape[1]), 2))[:_SLICES]
    starts = rng.integers(len(x) - size, size=len(columns))
    return [
        np.argsort(x[:, at], kind="stable")[start : start + size] for at, start in zip(columns, starts, strict=True)
    ]


def _distances(code: Array, rows: Array, n: int, filled: int, numbers: int, rng: np.random.Generator) -> Array:
    """Of `n` of these rows to the nearest of `filled` others, drawn for each anew where there are enough."""
    from temper.kernels._jit_trail import nearest_of_each

    rows = rng.permutation(rows)
    asked = rows[: min(n, max(len(rows) - filled, len(rows) // 2), 4_000 if filled <= 64 else 1_000)]
    earlier = rows[len(asked) :]
    out = np.empty(len(asked))
    for start in range(0, len(out), 100):
        part = slice(start, start + 100)
        drawn = rng.integers(len(earlier), size=(len(out[part]), filled))
        if len(earlier) < 4 * filled:
            drawn[:] = np.arange(filled) % len(earlier)
        nearest_of_each(code[asked[part]], code[earlier[drawn]], numbers, out[part])
    return out
