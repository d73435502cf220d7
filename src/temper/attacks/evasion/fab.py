"""Fast adaptive boundary: the nearest point across the linearised boundary, again and again."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from temper.attacks.evasion._gradient import Ground, Rows, answered, ground, kept
from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.lp import distance
from temper.kernels.slope import rivals
from temper.kernels.step import in_ball, on_sphere, to_plane, wide

_OVER, _BACK, _MOST = 1.05, 0.9, 0.1  # past the plane, back from a success, most weight of the way from the clean row


@dataclass(frozen=True, slots=True, kw_only=True)
class FAB:
    """Step onto the boundary linearised at the current point, drawn towards the clean row; for each of the likeliest
    other classes. Successes are pulled back, so that they come near.

    Misleads where gradients are hidden or scaled away: the linearised boundary is then nowhere near the real one.
    Source: Croce & Hein, "Minimally distorted adversarial examples with a fast adaptive boundary attack", 2020.

    >>> FAB().targets, FAB().restarts
    (9, 1)
    """

    needs: ClassVar[Access] = Access.SCORES | Access.GRADIENTS
    targets: int = 9
    steps: int = 100
    restarts: int = 1

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """A gradient and a look per open row and step; from the clean row, restarts from random points round it."""
        on = ground(oracle, scene, rng, loss="margin", ball=False)
        on = replace(on, nearest=scene.mode != "first")
        rows = finished = on.open()
        order = rivals(oracle.clean, on.y, on.aim, self.targets)
        for restart in range(self.restarts):
            for place in range(order.shape[1]):
                way = replace(on, rival=order[:, place], rng=on.rng.child(f"{restart} {place}"))
                finished = self._approach(way, rows, restart)
                rows = finished[on.still(finished)]
        on.close(finished)

    def _approach(self, on: Ground, rows: Rows, restart: int) -> Rows:
        """Towards one class; the rows that went all the way."""
        if not len(rows):
            return rows
        x0 = on.start(rows)
        x = x0 if restart == 0 else _near(on, x0, rows)
        state = _State(rows=rows, x0=x0, x=x, value=x0, slope=x0)
        for step in range(self.steps):
            state.value, state.slope = on.ask(state.x, state.rows, on.rng, step)
            state = kept(state, on.still(state.rows))
            if not len(state.rows):
                break
            state.x = _closer(on, state)
            scores = on.look(state.x, state.rows)
            back = wide(on.past(scores, state.rows), state.x)
            state.x = on.xp.where(back, state.x0 + (state.x - state.x0) * _BACK, state.x)
            if step == self.steps - 1:
                return state.rows[answered(scores)]
            state = kept(state, on.still(state.rows))
            if not len(state.rows):
                break
        return state.rows[:0]


@dataclass(slots=True, eq=False)
class _State:
    """What travels with the open rows: clean row, current point, and the boundary seen from there."""

    rows: Rows
    x0: Array
    x: Array
    value: Array
    slope: Array


def _closer(on: Ground, state: _State) -> Array:
    """Past the plane from here and from the clean row, mixed so that the longer way counts less."""
    xp, schema = on.xp, on.scene.schema
    ends = (schema.low, schema.high, on.norm)
    gap = xp.reshape((state.x0 - state.x) * state.slope, (len(state.rows), -1))
    values = xp.concat([state.value, state.value + xp.sum(gap, axis=1)])
    moves = to_plane(xp.concat([state.x, state.x0]), xp.concat([state.slope, state.slope]), values, *ends)
    lengths = distance(moves, moves * 0, on.norm).clip(1e-8)
    here, there = moves[: len(state.rows)], moves[len(state.rows) :]
    near, far = lengths[: len(state.rows)], lengths[len(state.rows) :]
    share = wide((near / (near + far)).clip(0.0, _MOST), state.x)
    mixed = (state.x + _OVER * here) * (1.0 - share) + (state.x0 + _OVER * there) * share
    return mixed.clip(schema.low, schema.high)


def _near(on: Ground, x0: Array, rows: Rows) -> Array:
    """A random point half as far as the nearest success, or as the radius (1 without one)."""
    found = on.oracle.best[1][rows]
    far = [min(length, on.radius if math.isfinite(on.radius) else 1.0) / 2 for length in found.tolist()]
    size = on.xp.asarray(far, dtype=x0.dtype, device=x0.device)
    draw = in_ball(on.rng, rows, 0, x0, "l1") if on.norm == "l1" else on_sphere(on.rng, rows, 0, x0, on.norm)
    return (x0 + wide(size, x0) * draw).clip(on.scene.schema.low, on.scene.schema.high)


PLUGIN = FAB
