"""HopSkipJump: walk along the decision boundary on decisions alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.evasion._start import started
from temper.attacks.evasion._walk import Ground, directions, explored
from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.decision import Rows, beside

_BLOCK = 200_000
_HALVINGS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class HopSkipJump:
    """From a success anywhere, estimate the direction of the boundary by many small probes, step along it, come back to
    the boundary by bisection, and repeat; all rows in lock-step. On tables a few points a round also undo, shorten or
    switch single columns.

    Misleads on models of axis-parallel steps (trees), where small probes see a flat surface: it stalls far away.
    Source: Chen, Jordan & Wainwright, "HopSkipJumpAttack", 2020.

    >>> HopSkipJump(steps=20).first_probes
    100
    """

    needs: ClassVar[Access] = Access.LABELS
    steps: int = 50
    first_probes: int = 100
    most_probes: int = 10_000
    precision: float = 0.01
    first_reach: float = 0.1
    explore: int = 8

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """A start per row, then `steps` rounds of probing, stepping and bisecting."""
        ground = Ground.of(oracle, scene)
        x, found = started(ground, rng.child("start"))
        rows = self._open(ground, found)
        if len(rows):
            x[rows] = ground.onto(ground.undo_switches(x[rows], rows), rows, self._width(ground))
        for turn in range(self.steps):
            rows = self._open(ground, found)
            if not len(rows):
                break
            x[rows] = self._round(ground, rng, rows, x[rows], turn)
            rows = self._open(ground, found)
            x[rows] = explored(ground, rng.child("explore"), x[rows], rows, turn, self.explore, self._width(ground))
        # A row without a start was never attacked: it stays UNTRIED.
        oracle.done(np.flatnonzero(found))

    def _open(self, ground: Ground, found: Rows) -> Rows:
        rows: Rows = ground.oracle.active
        rows = rows[found[rows]]
        return rows

    def _width(self, ground: Ground) -> float:
        """Of a bisection: a share of the way in l2, of a unit in linf, smaller in more dimensions."""
        return float(self.precision / (ground.width if ground.norm == "linf" else ground.width**0.5))

    def _round(self, ground: Ground, rng: Draws, rows: Rows, x: Array, turn: int) -> Array:
        """One estimate, one step, one bisection."""
        far = ground.length(ground.gap(x, rows))
        if not (far > 0).all():  # what is left of the change are switched columns, and there is nothing to walk on
            going = np.flatnonzero(far > 0)
            x[going] = self._round(ground, rng, rows[going], x[going], turn) if len(going) else x[going]
            return x
        reach = self.precision * far if turn else self.first_reach * np.minimum(far, 1.0)
        slope = self._slope(ground, rng, rows, x, reach, turn)
        ahead, hit = self._step(ground, rows, x, slope, far / (turn + 1) ** 0.5)
        if hit.any():
            at = np.flatnonzero(hit)
            new = ground.undo_switches(ahead[at], rows[at])
            x[at] = ground.onto(new, rows[at], self._width(ground))
        return x

    def _slope(self, ground: Ground, rng: Draws, rows: Rows, x: Array, reach: Rows, turn: int) -> Array:
        """The direction (n, d) in units that leads into success, of length one (l2) or its signs (linf)."""
        left = ground.oracle.left[rows]
        plan = min(int(self.first_probes * (turn + 1) ** 0.5), self.most_probes)
        counts = np.minimum(plan, np.maximum(left // 2, 1))
        slope = x * 0
        for count in np.unique(counts):
            same = np.flatnonzero(counts == count)
            size = max(_BLOCK // (int(count) * x.shape[1]), 1)
            for start in range(0, len(same), size):
                at = same[start : start + size]
                slope[at] = self._probed(ground, rng, rows[at], x[at], reach[at], turn, int(count))
        if ground.norm == "linf":
            return slope / (abs(slope) + (slope == 0))
        size = (slope * slope).sum(1) ** 0.5
        return slope / (size + (size == 0))[:, None]

    def _probed(self, ground: Ground, rng: Draws, rows: Rows, x: Array, reach: Rows, turn: int, count: int) -> Array:
        """The weighted mean of `count` probes; their directions are read off after the repair."""
        kind = "uniform" if ground.norm == "linf" else "normal"
        way = directions(rng, rows, turn, count, x.shape[1], kind, x)
        if not ground.free.all():
            way *= ground.free
        wide = beside(reach, x)[:, None]
        way *= wide[:, :, None] / (_namespace(x).vecdot(way, way) ** 0.5)[:, :, None]
        way *= ground.unit
        way += x[:, None]
        if len(ground.whole):  # rounded up or down by chance: to the nearest, a small probe would move no count at all
            chance = directions(rng.child("round"), rows, turn, count, len(ground.whole), "unit", x)
            way[:, :, ground.whole] = np.floor(way[:, :, ground.whole] + chance)
        many = np.repeat(rows, count)
        probes = ground.fit(way.reshape((len(many), -1)), many)
        told = ground.tells(probes, many).reshape((len(rows), count))
        sign = np.where(told < 0, 0.0, np.where(told > 0, 1.0, -1.0))
        mixed = (told > 0).any(axis=1) & (told == 0).any(axis=1)
        weight = np.where(mixed[:, None] & (told >= 0), sign - sign.mean(axis=1, keepdims=True), sign)
        weight = beside(weight, x)[:, None, :]
        # Sum of weight times (probe - x), without building the differences.
        total = (weight @ probes.reshape(way.shape))[:, 0] - weight.sum(2) * x
        slope: Array = _known(total) * ground.free / (ground.unit * wide)
        return slope

    def _step(self, ground: Ground, rows: Rows, x: Array, slope: Array, size: Rows) -> tuple[Array, Rows]:
        """Along the slope, halved until the point succeeds."""
        ahead, hit, size = x * 1.0, np.zeros(len(rows), dtype=bool), size.copy()
        going = size > 0
        for _ in range(_HALVINGS):
            at = np.flatnonzero(going)
            if not len(at):
                break
            point = ground.fit(x[at] + beside(size[at], x)[:, None] * slope[at] * ground.unit, rows[at])
            told = ground.tells(point, rows[at])
            ahead[at[told > 0]] = point[told > 0]
            hit[at[told > 0]] = True
            size[at] /= 2.0
            going[at] = told == 0
        return ahead, hit


def _known(values: Array) -> Array:
    """Zero where a missing value leaves nothing to measure."""
    xp = _namespace(values)
    return xp.where(values == values, values, xp.zeros_like(values))


def _namespace(x: Array) -> Any:
    from array_api_compat import array_namespace

    return array_namespace(x)


PLUGIN = HopSkipJump
