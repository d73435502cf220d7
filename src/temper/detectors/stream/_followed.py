"""What is known about ordinary clients, and what is kept of one: the parts of the extraction detector's state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.detectors._ordinary import categories, halves
from temper.kernels.betting import Bet, bet, padded
from temper.kernels.chow_liu import Dependence, dependence, together
from temper.kernels.codes import Codes, binned, codes, encoded
from temper.kernels.ecod import Tails, tail_scores, tails

Array = np.ndarray[Any, Any]
KINDS = (
    "columns that do not go together",
    "values in the tails",
    "last queries all alike",
    "small steps from its own earlier queries",
    "steps of one size in several columns",
)
_FILLED = (4, 16, 64, 256, 1_024)  # how many earlier queries there are at most; the kernel has the same levels
_REFERENCE, _ASKED = 256, 2_000
_FEWEST, _SLICE, _SLICES, _NEIGHBOURS = 200, 250, 200, 100
_STEPS, _STREAM, _ORDERED, _ATTACK, _ATTACKS = 64, 4_000, 400, 100, 12
_BY_NATURE = 0.01
_CUTS = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
GRAIN = 8  # a distance in bytes that counts as none, as in the kernel
_CLOSE = np.array([0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ordinary:
    """How ordinary rows look, alone and one after another, and the bets against a client's being ordinary."""

    codes: Codes
    tree: Dependence
    tails: Tails
    edges: Array
    factors: Array
    reference: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trail:
    """One client: its last distinct rows as bytes (`ring`, (columns, rows)), their numbers (`known`) and hashes
    (`names`), and its last `steps` from the nearest of them; `counts` are distinct rows, repeats, and the evidence of
    each kind.
    """

    ordinary: Ordinary
    ring: Array
    known: Array
    steps: Array
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
        size = len(self.names)
        if self.counts[0] < size or size >= most:
            return self
        more = min(4 * size, most) - size
        ring = np.concatenate([self.ring, np.zeros((len(self.ring), more), np.uint8)], axis=1)
        known = np.concatenate([self.known, np.zeros((more, self.known.shape[1]), np.float32)])
        names = np.concatenate([self.names, np.zeros(more, np.uint64)])
        return replace(self, ring=ring, known=known, names=names)


def begun(ordinary: Ordinary, size: int = 16) -> Trail:
    """An empty trail."""
    columns, numbers = len(ordinary.codes.order), int(ordinary.codes.numbers)
    return Trail(
        ordinary=ordinary,
        ring=np.zeros((columns, size), np.uint8),
        known=np.zeros((size, numbers), np.float32),
        steps=np.zeros((numbers, _STEPS), np.float32),
        names=np.zeros(size, np.uint64),
        counts=np.zeros(2 + len(KINDS)),
    )


def learnt(x: Array, schema: Schema, tolerated: float) -> Ordinary:
    """From ordinary rows: one half shows how they look, the other what ordinary clients would win the bets."""
    rows, held_out = halves(x, schema)
    category = categories(schema, rows.shape[1])
    table = codes(rows, category)
    code = encoded(table, held_out)
    reference = np.ascontiguousarray(encoded(table, rows[:_REFERENCE]).T)
    tree, tail = dependence(binned(table, encoded(table, rows))), tails(rows, category)
    rng = Draws(0, "detectors.learnt").generator()
    parts = _segments(held_out, category)
    mixed = np.stack([rng.permutation(code[:, at]) for at in range(code.shape[1])], axis=1)
    loose, usual = -together(tree, binned(table, mixed)), -together(tree, binned(table, code))
    anywhere = _anywhere(rows, schema, rng)
    bets = [
        bet(usual, parts, loose, tolerated),
        bet(tail_scores(tail, held_out)[0], parts, tail_scores(tail, anywhere)[0], tolerated),
        *_near(code, held_out, table.numbers, reference, tolerated, rng),
        _bet_on_steps(table, rows, held_out, schema, tolerated, rng),
    ]
    edges, factors = padded(bets)
    return Ordinary(codes=table, tree=tree, tails=tail, edges=edges, factors=factors, reference=reference)


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
    finite = np.isfinite(x)
    low = np.where(finite, x, np.inf).min(axis=0, initial=1e30)
    high = np.where(finite, x, -np.inf).max(axis=0, initial=-1e30)
    if schema.columns:
        low = np.where(np.isfinite(schema.lows), schema.lows, low)
        high = np.where(np.isfinite(schema.highs), schema.highs, high)
    made = rng.uniform(np.minimum(low, high), high, (min(len(x), 4_000), x.shape[1]))
    whole = [column.discrete for column in schema.columns] or [False] * x.shape[1]
    return np.where(whole, np.round(made), made).astype(np.float32)


def _near(
    code: Array, x: Array, numbers: int, reference: Array, tolerated: float, rng: np.random.Generator
) -> list[Bet]:
    """The bets on how near the last rows are, and the nearest of ever more earlier ones, beside the nearest ordinary
    one: among all rows, and among rows alike in one column, as in a batch that is sorted or all of one kind.
    """
    bets: list[Bet] = []
    for filled in _FILLED:
        groups = [np.arange(len(code)), *_slices(x, max(_SLICE, filled + _NEIGHBOURS))]
        many = [len(code) if at == 0 else _NEIGHBOURS for at in range(len(groups))]
        found = [
            _steps(code, rows, min(n, _ASKED), filled, numbers, reference, rng)
            for rows, n in zip(groups, many, strict=True)
        ]
        if filled == _FILLED[0]:
            bets.append(_bet_on_near([one[:, 0] for one in found], found[0][:, 2], tolerated))
        bets.append(_bet_on_near([one[:, 1] for one in found], found[0][:, 2], tolerated))
    return bets


def _bet_on_near(values: list[Array], usual: Array, tolerated: float) -> Bet:
    """Against steps of a hundredth to two thirds of the way to the nearest ordinary row."""
    ends = np.cumsum([len(one) for one in values])
    where = [np.arange(end - len(one), end) for one, end in zip(values, ends, strict=True)]
    stepped = usual[:, None] / (_CLOSE * (usual[:, None] - GRAIN) + GRAIN)
    return bet(np.concatenate(values), where, stepped.ravel(), tolerated)


def _bet_on_steps(
    table: Codes, x: Array, held_out: Array, schema: Schema, tolerated: float, rng: np.random.Generator
) -> Bet:
    """The bet on steps of one size, against clients whose numbers move by one step each, up or down; fair to rows in no
    order, and to rows in the order of any column. There is none where columns agree by nature, as the same amount in
    several months does.
    """
    if len(held_out) < 2 * _STEPS + _ATTACK:
        return bet(np.zeros(1), [], np.zeros(0), tolerated)
    orders = [rng.permutation(len(held_out))[:_STREAM], *_slices(held_out, _ORDERED)]
    usual = [_said(table, held_out[rows]) for rows in orders]
    if (usual[0] > 0.0).mean() > _BY_NATURE:
        return bet(np.zeros(1), [], np.zeros(0), tolerated)
    ends = np.cumsum([len(one) for one in usual])
    parts = [np.arange(end - len(one), end) for one, end in zip(usual, ends, strict=True)]
    moved = [_said(table, _attack(x, held_out, schema, rng))[_ATTACK:] for _ in range(_ATTACKS)]
    return bet(np.concatenate(usual), parts, np.concatenate(moved), tolerated)


def _said(table: Codes, x: Array) -> Array:
    """What the steps of a client with these rows say, from where they say anything."""
    from temper.kernels._jit_trail import step_values

    rows, out = np.ascontiguousarray(x, dtype=np.float32), np.empty(len(x))
    step_values(rows, encoded(table, rows), table.order, int(table.numbers), _FILLED[3], out)
    return out[np.isfinite(out)]


def _attack(x: Array, held_out: Array, schema: Schema, rng: np.random.Generator) -> Array:
    """Known rows, then the same ones with every number moved by one size, inside the range of ordinary ones."""
    finite = np.where(np.isfinite(x), x, 0.0).astype(float)
    whole = np.array([column.discrete for column in schema.columns] or [False] * x.shape[1])
    size = finite.std(axis=0) * rng.uniform(0.3, 1.0)
    size = np.where(categories(schema, x.shape[1]), 0.0, np.where(whole, np.round(size), size))
    known = held_out[rng.permutation(len(held_out))[:_ATTACK]]
    moved = known + size * rng.choice([-1.0, 1.0], known.shape)
    return np.concatenate([known, np.clip(moved, finite.min(axis=0), finite.max(axis=0))])


def _slices(x: Array, size: int) -> list[Array]:
    """Rows next to each other in the order of one column, from its lowest to its highest."""
    if len(x) <= size:
        return []
    starts = np.linspace(0, len(x) - size, max(_SLICES // x.shape[1], 3)).astype(int)
    orders = [np.argsort(x[:, at], kind="stable") for at in range(x.shape[1])]
    return [order[start : start + size] for order in orders for start in starts]


def _steps(
    code: Array, rows: Array, n: int, filled: int, numbers: int, reference: Array, rng: np.random.Generator
) -> Array:
    """What `filled` others of these rows, drawn anew where there are many, say about `n` of them (n, 3)."""
    from temper.kernels._jit_trail import steps_back

    rows = rng.permutation(rows)
    asked = rows[: min(n, max(len(rows) - filled, len(rows) // 2))]
    earlier = rows[len(asked) :]
    out = np.empty((len(asked), 3))
    for start in range(0, len(out), 100):
        part = slice(start, start + 100)
        drawn = rng.integers(len(earlier), size=(len(out[part]), filled))
        if filled > 64 and len(earlier) < 4 * filled:
            drawn[:] = np.arange(filled) % len(earlier)
        rings = np.ascontiguousarray(code[earlier[drawn]].transpose(0, 2, 1))
        steps_back(code[asked[part]], rings, numbers, reference, out[part])
    return out
