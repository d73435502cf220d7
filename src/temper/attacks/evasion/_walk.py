"""The ground that decision attacks walk on: scaled units, the reachable box, steps toward the clean row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.attack import OracleLike, Scene
from temper.core.budget import Budget
from temper.core.data import Array
from temper.core.seed import Draws
from temper.kernels.decision import Rows, beside, bisect, decided, fetched
from temper.kernels.lp import distance
from temper.kernels.search import reachable

_CHEAP = 0.1
_ANEW = 0.3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """Rows as flat vectors (n, d). Numbers and counts (`free`) are walked on in units of `unit`; categories, yes/no and
    one-hot columns are switched whole. `exact` says that a point inside the box needs no repair.
    """

    oracle: OracleLike
    scene: Scene
    x0: Array
    unit: Array
    free: Array
    whole: Rows
    low: Array
    high: Array
    norm: str
    exact: bool

    @classmethod
    def of(cls, oracle: OracleLike, scene: Scene) -> Ground:
        """Units are scales, or scales by price where the budget counts cost; the radius is no wall to walk inside."""
        x0 = scene.x.reshape((len(scene.x), -1))
        norm = "linf" if scene.budget.norm == "linf" else "l2"
        base: dict[str, Any] = {"oracle": oracle, "scene": scene, "x0": x0, "norm": norm}
        if not scene.schema.columns:
            one = x0[:1] * 0 + 1
            ends: dict[str, Any] = {"low": scene.schema.low, "high": scene.schema.high}
            return cls(**base, **ends, unit=one, free=one > 0, whole=np.zeros(0, dtype=np.int64), exact=True)
        schema, wide = scene.schema, Budget(norm=scene.budget.norm)
        reference = scene.reference.x if scene.reference is not None else None
        low, high = reachable(schema, scene.x, wide, reference)
        switched = schema.categorical | np.array([bool(c.group) for c in schema.columns])
        free = np.isin(np.arange(len(schema.columns)), schema.movable) & ~switched
        whole = np.flatnonzero(free & [c.discrete for c in schema.columns])
        tied = schema.relations or schema.groups or any(c.formula for c in schema.columns)
        exact = not tied and not len(whole)
        low, high = _shared(np.where(free, low, -np.inf)), _shared(np.where(free, high, np.inf))
        return cls(**base, low=low, high=high, unit=_units(scene), free=free[None], whole=whole, exact=bool(exact))

    @property
    def width(self) -> int:
        """How many columns are walked on."""
        return max(int(fetched(self.free).sum()), 1)

    def fit(self, x: Array, rows: Rows) -> Array:
        """The nearest simple repair inside the domain."""
        if not self.scene.schema.columns:
            return x.clip(self.low, self.high)
        x = np.clip(x, _of(self.low, rows), _of(self.high, rows))
        return x if self.exact else self.scene.schema.project(x, self.x0[rows])

    def tells(self, x: Array, rows: Rows) -> Rows:
        """1 where a candidate succeeds, 0 where not, -1 where the row has no budget left."""
        return decided(self.oracle, self.scene, x.reshape((len(x), *self.scene.x.shape[1:])), rows)

    def gap(self, x: Array, rows: Rows) -> Array:
        """The way from the clean row in units, over the columns that are walked on."""
        delta = (x - self.x0[rows]) / self.unit
        return _where(self.free & (delta == delta), delta, self.unit * 0)

    def length(self, gap: Array) -> Rows:
        """How long (n,) a way is in the norm that is walked by."""
        return fetched(distance(gap, gap * 0, self.norm)).astype(float) if len(gap) else np.zeros(0)

    def onto(self, x: Array, rows: Rows, width: float) -> Array:
        """Points at the edge of success between the clean rows and `x`, which all succeed; one question a step."""
        gap = self.gap(x, rows)
        far = self.length(gap)
        if self.norm == "linf":
            high, limit = far, np.minimum(far * width, width)
        else:
            high, limit = np.ones(len(rows)), np.full(len(rows), width)

        def holds(middle: Rows, at: Rows) -> Rows:
            return self.tells(self._short(x[at], gap[at], middle, rows[at]), rows[at])

        _, found = bisect(np.zeros(len(rows)), high, limit, holds)
        return _where(beside(found >= high, x)[:, None], x, self._short(x, gap, found, rows))

    def _short(self, x: Array, gap: Array, size: Rows, rows: Rows) -> Array:
        """`x` with its way cut to this clip radius (linf) or share (l2); switched columns stay as they are."""
        room = beside(size, x)[:, None]
        way = gap.clip(-room, room) if self.norm == "linf" else gap * room
        return self.fit(_where(self.free, self.x0[rows] + way * self.unit, x), rows)

    def undo_switches(self, x: Array, rows: Rows) -> Array:
        """Put switched columns back one by one where the row still succeeds without them."""
        if not self.scene.schema.columns:
            return x
        for part in _switches(self.scene):
            differs = (x[:, part] != self.x0[rows][:, part]).any(axis=1)
            at = np.flatnonzero(differs & (self.oracle.left[rows] > 0))
            if len(at):
                back = x[at].copy()
                back[:, part] = self.x0[rows[at]][:, part]
                back = self.fit(back, rows[at])
                kept = self.tells(back, rows[at]) > 0
                x[at[kept]] = back[kept]
        return x


def explored(ground: Ground, rng: Draws, x: Array, rows: Rows, turn: int, count: int, width: float) -> Array:
    """On a table, `count` points per row that undo, shorten or switch single columns; the nearest success is kept.

    What a walk cannot see: columns that are not needed at all, categories, moves that cost nothing.
    """
    if not ground.scene.schema.columns or not count or not len(rows):
        return x
    many = np.repeat(rows, count)
    shape = (len(rows), count, x.shape[1])
    unit = directions(rng, rows, turn, count, 4 * x.shape[1] + 1, "unit", x).reshape((len(many), -1))
    norm, schema, x0 = ground.scene.budget.norm, ground.scene.schema, ground.x0
    here = np.repeat(np.asarray(schema.distance(x, x0[rows], norm)), count)
    points = ground.fit(_altered(ground, np.repeat(x, count, axis=0), many, unit, here), many)
    far = np.asarray(schema.distance(points, x0[many], norm))
    ask = (far < here * (1 - 1e-9)) & np.asarray(schema.admits(points, x0[many]))
    told = np.zeros(len(many), dtype=np.int64)
    if ask.any():
        told[ask] = ground.tells(points[ask], many[ask])
    far = np.where(told > 0, far, np.inf).reshape(shape[:2])
    pick = far.argmin(axis=1)
    at = np.flatnonzero(np.isfinite(far[np.arange(len(rows)), pick]))
    if len(at):
        x[at] = ground.onto(points.reshape(shape)[at, pick[at]], rows[at], width)
    return x


def _altered(ground: Ground, x: Rows, rows: Rows, unit: Rows, here: Rows) -> Rows:
    """Numbers: some put back and the rest shortened together, or all anew inside the distance so far; what costs
    nothing to an end; categories: back, or another.
    """
    schema, width = ground.scene.schema, x.shape[1]
    what, value, which, free_at = (unit[:, at * width : (at + 1) * width] for at in range(4))
    x0, often = ground.x0[rows], 0.5 * unit[:, -1:]
    shorter = np.where(what < often, x0, x0 + (x - x0) * (1.0 - 0.5 * value[:, :1] * (which[:, :1] < 0.5)))
    anew = (2.0 * free_at - 1.0) * ground.free
    size = np.abs(anew).max(axis=1) if ground.norm == "linf" else np.sqrt((anew * anew).sum(axis=1))
    anew = x0 + anew * (here * value[:, 0] / np.maximum(size, 1e-12))[:, None] * ground.unit
    shorter = np.where(unit[:, -2:-1] < _ANEW, anew, shorter)
    moved = np.where(ground.free, shorter, x)
    if ground.scene.budget.norm == "cost":
        gratis = ground.free & (schema.prices == 0) & (free_at < 0.5)
        end = np.where(which < 0.25, _of(ground.low, rows), np.where(which > 0.75, _of(ground.high, rows), x))
        moved = np.where(gratis, end, moved)
    for part in _switches(ground.scene):
        back, other = what[:, part[0]] < often[:, 0], which[:, part[0]] < 0.5 * often[:, 0]
        if len(part) == 1:
            fresh = np.floor(value[:, part] * (schema.highs[part] + 1.0))
        else:
            fresh = np.eye(len(part))[(value[:, part[0]] * len(part)).astype(int)]
        moved[:, part] = np.where(other[:, None], fresh, np.where(back[:, None], x0[:, part], moved[:, part]))
    return moved


def directions(rng: Draws, rows: Rows, step: int, count: int, width: int, kind: str, like: Array) -> Array:
    """Random vectors (rows, count, width), `kind` "normal", "uniform" in [-1, 1) or "unit" in [0, 1), each row
    from a generator of its own.

    A generator per row, seeded by its own number, is several times cheaper than hashing every number.
    """
    seeds = fetched(rng.uniform(rows, step))
    if not isinstance(like, np.ndarray):
        import torch

        drawn = [_torch_block(int(seed * 2**53), count, width, kind, like) for seed in seeds]
        return torch.stack(drawn) if drawn else like.new_zeros((0, count, width))
    block: Rows = np.empty((len(rows), count, width))
    for at, seed in enumerate(seeds):
        own = np.random.Generator(np.random.Philox(key=int(seed * 2**53)))
        if kind == "normal":
            own.standard_normal(out=block[at])
        else:
            own.random(out=block[at])
    return 2.0 * block - 1.0 if kind == "uniform" else block


def _torch_block(seed: int, count: int, width: int, kind: str, like: Array) -> Array:
    import torch

    own = torch.Generator(device=like.device).manual_seed(seed)
    draw = torch.randn if kind == "normal" else torch.rand
    block = draw((count, width), generator=own, device=like.device, dtype=like.dtype)
    return 2.0 * block - 1.0 if kind == "uniform" else block


def _shared(ends: Rows) -> Rows:
    """One line where all rows have the same ends: nothing to gather then, and the same numbers."""
    return ends[:1] if (ends == ends[:1]).all() else ends


def _of(ends: Rows, rows: Rows) -> Rows:
    return ends if len(ends) == 1 else ends[rows]


def _units(scene: Scene) -> Rows:
    schema = scene.schema
    unit = schema.scales[None].astype(float)
    if scene.budget.norm != "cost":
        return unit
    # A free move would be infinitely long in units of price, and the walk would never leave it.
    prices = schema.prices[schema.movable]
    floor = _CHEAP * float(prices.max(initial=0.0)) or 1.0
    priced: Rows = unit / np.maximum(schema.prices, floor)
    return priced


def _switches(scene: Scene) -> list[Rows]:
    """Columns that change whole: each category and yes/no, each one-hot group."""
    schema = scene.schema
    alone = [np.array([at]) for at in schema.movable if schema.categorical[at] and not schema.columns[at].group]
    return [*alone, *(group for group in schema.groups if np.isin(group, schema.movable).any())]


def _where(mask: Array, yes: Array, no: Array) -> Array:
    from array_api_compat import array_namespace

    return array_namespace(yes).where(mask, yes, no)


def unlimited(scene: Scene) -> Scene:
    """The scene without a wall at its radius, for starting points: only what counts must lie inside."""
    return replace(scene, budget=Budget(norm=scene.budget.norm))
