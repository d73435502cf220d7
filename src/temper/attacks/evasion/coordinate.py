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
from temper.kernels.loss import margin
from temper.kernels.search import ladder, reachable, repair


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinate:
    """Try a ladder of values for every movable column, take the move that gains most for its cost, repeat; once broken,
    move each changed column back by halves while the row stays broken.

    Misleads where only a joint move of several columns helps: a greedy search does not see it.
    Source: after Narodytska & Kasiviswanathan, "Simple black-box adversarial attacks on deep neural networks", 2017.

    >>> Coordinate(sweeps=2)
    Coordinate(sweeps=2, values=12, thrift=0.02)
    """

    needs: ClassVar[Access] = Access.SCORES
    sweeps: int = 20
    values: int = 12
    thrift: float = 0.02

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """Sweeps over all active rows together, then the way back for the broken ones."""
        if not scene.schema.columns:
            raise Unsupported("coordinate moves need columns; this input is an array")
        every = np.arange(len(scene.x))
        low, high = reachable(scene.schema, scene.x, scene.budget)
        reference = scene.reference.x if scene.reference is not None else None
        current = scene.x.copy()
        level = margin(oracle.clean, scene.y, scene.kind, scene.threshold, scene.goal)
        settled = np.zeros(len(scene.x), dtype=bool)
        swept = np.zeros(len(scene.x), dtype=bool)
        for _ in range(self.sweeps):
            rows = oracle.active
            rows = rows[~settled[rows] & ~np.isfinite(oracle.best[1][rows])]
            if not len(rows):
                break
            values = ladder(scene.schema, current[rows], low[rows], high[rows], reference, self.values)
            settled[rows] = ~self._sweep(oracle, scene, rows, values, current, level)
            swept |= np.isin(every, oracle.active)
        self._walk_back(oracle, scene)
        # A row that never got through one whole sweep was cut off: it stays UNTRIED.
        oracle.done(every[swept | settled | np.isfinite(oracle.best[1])])

    def _sweep(
        self,
        oracle: OracleLike,
        scene: Scene,
        rows: Array,
        values: dict[int, Array],
        current: Array,
        level: Array,
    ) -> Array:
        """One query per row and candidate value; True where a row moved."""
        gain = np.full(len(rows), 0.0)
        chosen = current[rows].copy()
        lowest = level[rows].copy()
        price_before = scene.schema.cost(current[rows], scene.x[rows])
        turns = [(k, at) for at, options in values.items() for k in range(options.shape[1])]
        for k, at in sorted(turns):
            x, ask = self._candidates(scene, rows, current, at, values[at][:, k])
            ask &= oracle.left[rows] > 0
            if not ask.any():
                continue
            scores = oracle.scores(x[ask], rows[ask])
            now = margin(scores, scene.y[rows[ask]], scene.kind, scene.threshold, scene.goal)
            extra = np.maximum(scene.schema.cost(x[ask], scene.x[rows[ask]]) - price_before[ask], 0.0)
            worth = level[rows[ask]] - now - self.thrift * extra
            better = np.nan_to_num(worth, nan=-np.inf) > np.maximum(gain[ask], 1e-9)
            to = np.flatnonzero(ask)[better]
            gain[to], chosen[to], lowest[to] = worth[better], x[ask][better], now[better]
        current[rows], level[rows] = chosen, lowest
        moved: Array = gain > 0
        return moved

    def _candidates(self, scene: Scene, rows: Array, current: Array, at: int, value: Array) -> tuple[Array, Array]:
        """Current rows with one column set, repaired; rows that do not change are not asked."""
        x = current[rows].copy()
        x[:, at] = value
        priority = np.ones_like(x)
        priority[:, at] = 2.0
        x = repair(x, scene.x[rows], scene, priority)
        return x, (x != current[rows]).any(axis=1)

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
                x, x0 = best[rows].copy(), scene.x[rows]
                x[:, at] = x0[:, at] + (x[:, at] - x0[:, at]) * share
                x = repair(x, x0, scene, np.ones_like(x))
                ask = (x != best[rows]).any(axis=1)
                if ask.any():
                    oracle.scores(x[ask], rows[ask])


PLUGIN = Coordinate
