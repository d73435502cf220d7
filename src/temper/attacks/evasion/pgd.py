"""Projected gradient ascent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.attacks.evasion._gradient import Ground, Rows, ground, kept
from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.step import in_ball, steepest


@dataclass(frozen=True, slots=True, kw_only=True)
class PGD:
    """Steps along the gradient from a random point of the ball, each brought back into it; restarts see survivors.

    `step_size` defaults to 2.5 radius / steps; `eot` averages gradients over that many draws of a random model.
    Misleads on models that hide their gradients, and where step size or loss do not suit: compare with apgd and square.
    Source: Madry et al., "Towards deep learning models resistant to adversarial attacks", 2018.

    >>> PGD(steps=10, restarts=2).random_start
    True
    """

    needs: ClassVar[Access] = Access.SCORES | Access.GRADIENTS
    mode: ClassVar[str] = "first"
    steps: int = 40
    restarts: int = 1
    step_size: float | None = None
    random_start: bool = True
    eot: int = 1
    loss: str = "ce"

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """One gradient per open row and step, all rows together."""
        on = ground(oracle, scene, rng, loss=self.loss, eot=self.eot)
        rows, finished = on.open(), np.empty(0, dtype=np.int64)
        for restart in range(self.restarts):
            finished = self._climb(on, rows, on.rng.child(f"restart {restart}"))
            rows = finished[on.still(finished)]
        on.close(finished)

    def _climb(self, on: Ground, rows: Rows, rng: Draws) -> Rows:
        """From one start; the rows that went all the way."""
        state = self._begin(on, rows, rng)
        size = 2.5 * on.radius / max(self.steps, 1) if self.step_size is None else self.step_size
        for step in range(self.steps if len(rows) else 0):
            _, state.slope = on.ask(state.x, state.rows, rng, step)
            state = kept(state, on.still(state.rows))
            if not len(state.rows):
                break
            state.x = self._moved(on, state, size)
        return state.rows[on.tell(state.x, state.rows)]

    def _moved(self, on: Ground, state: _State, size: float) -> Array:
        low, high = on.scene.schema.low, on.scene.schema.high
        if on.norm == "l1":
            # Entries at the end of the box take no part: they would use up the few that a sparse step moves.
            stuck = ((state.slope > 0) & (state.x >= high)) | ((state.slope < 0) & (state.x <= low))
            state.slope = on.xp.where(stuck, on.xp.zeros_like(state.slope), state.slope)
        x = steepest(state.slope, on.norm)
        x *= size
        x += state.x
        if on.norm == "linf":
            return x.clip(state.low, state.high)
        return on.inside(x, state.x0, on.radius)

    def _begin(self, on: Ground, rows: Rows, rng: Draws) -> _State:
        x0 = on.start(rows)
        x = x0
        if self.random_start and len(rows):
            x = on.inside(x0 + on.radius * in_ball(rng, rows, 0, x0, on.norm), x0, on.radius)
        low = high = x0
        if on.norm == "linf":
            low, high = (x0 - on.radius).clip(on.scene.schema.low), (x0 + on.radius).clip(None, on.scene.schema.high)
        return _State(rows=rows, x0=x0, x=x, low=low, high=high, slope=x)


@dataclass(slots=True, eq=False)
class _State:
    """What travels with the open rows; `low` and `high` are the ends of box and linf ball together."""

    rows: Rows
    x0: Array
    x: Array
    low: Array
    high: Array
    slope: Array


PLUGIN = PGD
