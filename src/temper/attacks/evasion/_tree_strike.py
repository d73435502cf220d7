"""From trees to proposals: search in shards of rows, submit what was found, try harder where it did not count."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.attacks.evasion._tree_ground import Goal, Goals, Land, refuse_tensors
from temper.attacks.evasion._tree_linked import Linked
from temper.core.attack import OracleLike, Scene
from temper.core.seed import Draws
from temper.kernels.tree_search import Ground, Wood, search

Rows = np.ndarray[Any, Any]
_SHARD = 256
_SURER = (1.0, 30.0, 1e3, 3e4, 1e5, 3e5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strike:
    """One attack on one oracle: `how` as in `kernels.tree_search.search`, saving `norm`."""

    oracle: OracleLike
    scene: Scene
    rng: Draws
    how: str
    norm: str
    restarts: int
    edge: float

    def run(self) -> None:
        """Shard by shard, so that a budget in seconds can cut between them."""
        refuse_tensors(self.scene)
        goals, land = Goals(self.oracle.trees(), self.scene), Land(self.scene, self.norm)
        every = np.arange(len(self.scene.x))
        for start in range(0, len(every), _SHARD):
            rows = np.intersect1d(self.oracle.active, every[start : start + _SHARD])
            if not len(rows):
                continue
            ceiling = np.full(len(every), land.ceiling)
            for turn in goals.rounds(rows):
                for goal in turn:
                    self._pursue(goal, land, ceiling)
            self.oracle.done(rows)

    def _pursue(self, goal: Goal, land: Land, ceiling: Rows) -> None:
        """Search and submit; where a point found did not count, ask for a clearer margin."""
        rows, shift, believed = goal.rows, goal.shift, np.ones(len(goal.rows), dtype=bool)
        for surer in _SURER:
            open_rows = believed & np.isin(rows, self.oracle.active)
            rows, shift = rows[open_rows], shift[open_rows]
            if not len(rows):
                return
            ground = land.ground(rows, self.rng, shift)
            x, size = self._search(land, goal.wood, ground, rows, ceiling[rows], self.edge * surer)
            before = self.oracle.best[1][rows]
            x = np.where(np.isfinite(size)[:, None] | (surer == 1.0), x, ground.x0)
            self.oracle.propose(x.reshape(self.scene.x[rows].shape).astype(self.scene.x.dtype), rows)
            counted = self.oracle.best[1][rows] < before
            ceiling[rows] = np.where(counted, np.minimum(ceiling[rows], size), ceiling[rows])
            believed = np.isfinite(size) & ~counted

    def _search(
        self, land: Land, wood: Wood, ground: Ground, rows: Rows, ceiling: Rows, edge: float
    ) -> tuple[Rows, Rows]:
        if not self.scene.schema.columns or not len(land.linked):
            return search(wood, ground, self.how, ceiling=ceiling, restarts=self.restarts, edge=edge)
        ids = rows if self.rng.ids is None else np.asarray(self.rng.ids)[rows]
        linked = Linked(land=land, wood=wood, ground=ground, edge=edge, rng=replace(self.rng, ids=ids))
        if self.how == "fixed":
            return linked.fixed(self.restarts)
        if self.how == "nearest":
            return linked.nearest(ceiling, self.restarts)
        return linked.cheapest(ceiling, self.restarts, self.how == "enough")
