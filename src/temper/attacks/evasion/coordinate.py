"""Greedy coordinate moves that count their cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.decision import Aim
from temper.kernels.search import ladder, random_point, reachable, repair


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinate:
    """Try values for every movable column, whole moves first, alone and the best together; take the move that gains
    most for its cost, repeat, and where nothing gains start again from the best of some random points, which move
    columns together; once broken, move each changed column back by halves while the row stays broken.

    Misleads where no move of one column gains by itself: joint moves are then left to chance.
    Source: after Narodytska & Kasiviswanathan, "Simple black-box adversarial attacks on deep neural networks", 2017.

    >>> Coordinate(sweeps=2)
    Coordinate(sweeps=2, values=12, thrift=0.02, starts=16)
    """

    needs: ClassVar[Access] = Access.SCORES
    sweeps: int = 100
    values: int = 12
    thrift: float = 0.02
    starts: int = 16

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """Sweeps over all active rows together, then the way back for the broken ones."""
        if not scene.schema.columns:
            raise Unsupported("coordinate moves need columns; this input is an array")
        every = np.arange(len(scene.x))
        low, high = reachable(scene.schema, scene.x, scene.budget)
        reference = scene.reference.x if scene.reference is not None else None
        current = scene.x.copy()
        aim = Aim.at(oracle, scene)
        level = aim.first()
        stuck = np.zeros(len(scene.x), dtype=bool)
        swept = np.zeros(len(scene.x), dtype=bool)
        room = np.ones(len(scene.x), dtype=bool)
        for turn in range(self.sweeps):
            rows, left = oracle.active, oracle.left
            # Where the first sweep found nothing to ask, one round of points at random is enough.
            rows = rows[~oracle.broken[rows] & (room[rows] | (turn < 2))]
            if not len(rows):
                break
            again = rows[stuck[rows]]
            if len(again):
                many, step = np.repeat(again, self.starts), np.tile(np.arange(self.starts), len(again))
                x = random_point(scene, many, rng, self.starts * turn + step, low, high)
                current[again], level[again] = self._lowest(oracle, aim, x, many)
            values = ladder(scene.schema, current[rows], low[rows], high[rows], reference, self.values)
            stuck[rows] = ~self._sweep(oracle, aim, rows, values, current, level)
            room = oracle.left < left if turn == 0 else room
            swept |= stuck | np.isin(every, oracle.active)
        self._walk_back(oracle, scene)
        # A row that never got through one whole sweep was cut off: it stays UNTRIED.
        oracle.done(every[swept | oracle.broken])

    def _sweep(
        self,
        oracle: OracleLike,
        aim: Aim,
        rows: Array,
        values: dict[int, Array],
        current: Array,
        level: Array,
    ) -> Array:
        """One query per row and candidate value, and one per round for the best moves together; True where moved."""
        scene = aim.scene
        seen = _Sweep.start(scene, rows, current, level)
        for k in range(max((options.shape[1] for options in values.values()), default=0)):
            seen.open &= seen.gain <= 0  # a row that has gained in an earlier round moves before it asks on
            for at, options in values.items():
                if k < options.shape[1]:
                    x = self._candidates(scene, rows, current, at, options[:, k])
                    self._ask(oracle, aim, seen, x, current, level, at)
            together = np.where(seen.alone > 0, seen.value, current[rows])
            x = repair(together, scene.x[rows], scene, seen.alone + (current[rows] != scene.x[rows]))
            self._ask(oracle, aim, seen, x, current, level, None)
        current[rows], level[rows] = seen.chosen, seen.lowest
        moved: Array = seen.gain > 0
        return moved

    def _ask(
        self, oracle: OracleLike, aim: Aim, seen: _Sweep, x: Array, current: Array, level: Array, at: int | None
    ) -> None:
        """Ask about the rows that differ, are still held and have budget; remember what gains most for its cost."""
        rows, scene = seen.rows, aim.scene
        ask = (x != current[rows]).any(axis=1) & (x != seen.chosen).any(axis=1)
        ask &= seen.open & (oracle.left[rows] > 0) & ~oracle.broken[rows]
        if not ask.any():
            return
        part = rows[ask]
        now = aim.margin(oracle.scores(x[ask], part), part)
        extra = np.maximum(scene.schema.cost(x[ask], scene.x[part]) - seen.price[ask], 0.0)
        worth = np.nan_to_num(level[part] - now - self.thrift * extra, nan=-np.inf)
        to = np.flatnonzero(ask)
        if at is not None:
            alone = worth > np.maximum(seen.alone[to, at], 1e-9)
            seen.alone[to[alone], at], seen.value[to[alone], at] = worth[alone], x[ask][alone, at]
        better = worth > np.maximum(seen.gain[to], 1e-9)
        to = to[better]
        seen.gain[to], seen.chosen[to], seen.lowest[to] = worth[better], x[ask][better], now[better]

    def _lowest(self, oracle: OracleLike, aim: Aim, x: Array, many: Array) -> tuple[Array, Array]:
        """Of each row's `starts` points the one nearest to success, and its margin."""
        now = aim.margin(oracle.scores(x, many), many).reshape(-1, self.starts)
        pick = np.arange(len(now)) * self.starts + now.argmin(axis=1)
        return x[pick], now.min(axis=1)

    def _candidates(self, scene: Scene, rows: Array, current: Array, at: int, value: Array) -> Array:
        """Current rows with one column set, repaired."""
        x = current[rows].copy()
        x[:, at] = value
        priority = np.ones_like(x)
        priority[:, at] = 2.0
        return repair(x, scene.x[rows], scene, priority)

    def _walk_back(self, oracle: OracleLike, scene: Scene) -> None:
        """Per broken row: undo each changed column, else halve its move while the row stays broken."""
        for share in (0.0, 0.5, 0.75, 0.9):
            for at in scene.schema.movable:
                rows = oracle.active
                best, distance = oracle.best
                rows = rows[np.isfinite(distance[rows])]
                rows = rows[best[rows, at] != scene.x[rows, at]]
                if not len(rows) or (share and scene.schema.categorical[at]):
                    continue
                if share:  # between a value and none lies nothing
                    rows = rows[~np.isnan(best[rows, at])]
                x, x0 = best[rows].copy(), scene.x[rows]
                x[:, at] = x0[:, at] + (x[:, at] - x0[:, at]) * share if share else x0[:, at]
                x = repair(x, x0, scene, np.ones_like(x))
                ask = (x != best[rows]).any(axis=1)
                if ask.any():
                    oracle.scores(x[ask], rows[ask])


@dataclass(slots=True, kw_only=True)
class _Sweep:
    """What one sweep has found: the best point of each row, and per column the best value on its own with its gain."""

    rows: Array
    open: Array
    gain: Array
    chosen: Array
    lowest: Array
    price: Array
    alone: Array
    value: Array

    @classmethod
    def start(cls, scene: Scene, rows: Array, current: Array, level: Array) -> _Sweep:
        here = current[rows]
        return cls(
            rows=rows,
            open=np.ones(len(rows), dtype=bool),
            gain=np.zeros(len(rows)),
            chosen=here.copy(),
            lowest=level[rows].copy(),
            price=scene.schema.cost(here, scene.x[rows]),
            alone=np.zeros(here.shape),
            value=here.copy(),
        )


PLUGIN = Coordinate
