"""Boundary: a random walk along the decision boundary on decisions alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from temper.attacks.evasion._start import started
from temper.attacks.evasion._walk import Ground, directions, explored
from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.decision import Rows, beside

_RESERVE = 14
_SELDOM = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """From a success anywhere, try random points at the same distance and bring those that succeed nearer, each row
    with steps of its own that follow how often they work; all rows in lock-step. On tables a few points a round also
    undo, shorten or switch single columns.

    Misleads under a small query budget: random steps in many dimensions come nearer slowly.
    Source: Brendel, Rauber & Bethge, "Decision-based adversarial attacks", 2018.

    >>> Boundary(steps=50).trials
    20
    """

    needs: ClassVar[Access] = Access.LABELS
    steps: int = 400
    trials: int = 20
    nearer: int = 5
    sideways: float = 0.1
    inward: float = 0.05
    adapt: float = 0.667
    explore: int = 8

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """A start per row, then `steps` rounds; where the largest change is what counts, that is cut at the end."""
        final = Ground.of(oracle, scene)
        ground = replace(final, norm="l2")
        reserve = _RESERVE if final.norm == "linf" else 0
        x, found = started(final, rng.child("start"))
        rows = _open(oracle, found, 0)
        if len(rows):
            x[rows] = ground.onto(ground.undo_switches(x[rows], rows), rows, 0.01)
        sideways, inward = np.full(len(x), self.sideways), np.full(len(x), self.inward)
        for turn in range(self.steps):
            rows = _open(oracle, found, reserve)
            if not len(rows):
                break
            going = rows[ground.length(ground.gap(x[rows], rows)) > 0]
            if len(going):
                x[going] = self._round(ground, rng, going, x[going], turn, sideways, inward)
            rows = _open(oracle, found, reserve)
            # A row with no way left to walk has only its switched columns to change, in every round.
            rows = rows[(turn % _SELDOM == 0) | (ground.length(ground.gap(x[rows], rows)) == 0)]
            x[rows] = explored(final, rng.child("explore"), x[rows], rows, turn, self.explore, 0.01)
        rows = _open(oracle, found, 0)
        if len(rows):
            x[rows] = final.onto(final.undo_switches(x[rows], rows), rows, 0.001)
        # A row without a start was never attacked: it stays UNTRIED.
        oracle.done(np.flatnonzero(found))

    def _round(
        self, ground: Ground, rng: Draws, rows: Rows, x: Array, turn: int, sideways: Rows, inward: Rows
    ) -> Array:
        """Points on the sphere through `x`, then the successful ones nearer; steps adapt to the shares that work."""
        trials = np.minimum(self.trials, np.maximum(ground.oracle.left[rows] // 2, 1))
        for count in np.unique(trials):
            at = np.flatnonzero(trials == count)
            x[at] = self._walked(ground, rng, rows[at], x[at], turn, int(count), sideways, inward)
        return x

    def _walked(
        self, ground: Ground, rng: Draws, rows: Rows, x: Array, turn: int, count: int, sideways: Rows, inward: Rows
    ) -> Array:
        gap = ground.gap(x, rows)
        around = self._sphere(ground, rng, rows, gap, turn, count, sideways[rows])
        many = np.repeat(rows, count)
        points = _at(ground, x, around, np.repeat(np.arange(len(rows)), count), many)
        told = (ground.tells(points, many) > 0).reshape((len(rows), count))
        self._adapted(sideways, rows, told.mean(axis=1), 1.0)
        kept = told & (told.cumsum(axis=1) <= self.nearer)
        row, trial = np.nonzero(kept)
        if not len(row):
            return x
        flat = row * count + trial
        way = around[flat] * beside(1.0 - inward[rows[row]], x)[:, None]
        closer = _at(ground, x, way, row, rows[row])
        works = ground.tells(closer, rows[row]) > 0
        tried = np.bincount(row, minlength=len(rows))
        worked = np.bincount(row, weights=works, minlength=len(rows)) / np.maximum(tried, 1)
        self._adapted(inward, rows[tried > 0], worked[tried > 0], 0.9)
        return _nearest(ground, rows, x, row, [points[flat], closer], [np.ones(len(row), dtype=bool), works])

    def _sphere(self, ground: Ground, rng: Draws, rows: Rows, gap: Array, turn: int, count: int, size: Rows) -> Array:
        """Ways (rows * count, d) as long as `gap`, turned aside by about `size` of their length."""
        length = (gap * gap).sum(1) ** 0.5
        side = directions(rng, rows, turn, count, gap.shape[1], "normal", gap) * ground.free
        side = side * (beside(size, gap) * length)[:, None, None] / ((side * side).sum(2) ** 0.5)[:, :, None]
        unit = gap / length[:, None]
        side = side - (side @ unit[:, :, None]) * unit[:, None]
        way = gap[:, None] + side
        way = way * length[:, None, None] / ((way * way).sum(2) ** 0.5)[:, :, None]
        return way.reshape((-1, gap.shape[1]))

    def _adapted(self, step: Rows, rows: Rows, worked: Rows, most: float) -> None:
        """Longer where more than half works, shorter where less than a fifth does."""
        change = np.where(worked > 0.5, 1.0 / self.adapt, np.where(worked < 0.2, self.adapt, 1.0))
        step[rows] = np.minimum(step[rows] * change, most)


def _open(oracle: OracleLike, found: Rows, reserve: int) -> Rows:
    rows: Rows = oracle.active
    rows = rows[found[rows] & (oracle.left[rows] > reserve)]
    return rows


def _at(ground: Ground, x: Array, way: Array, at: Rows, rows: Rows) -> Array:
    """The points that lie this way from the clean rows, with the switched columns of `x`."""
    from array_api_compat import array_namespace

    return ground.fit(array_namespace(x).where(ground.free, ground.x0[rows] + way * ground.unit, x[at]), rows)


def _nearest(ground: Ground, rows: Rows, x: Array, row: Rows, points: list[Array], works: list[Rows]) -> Array:
    """Per row the nearest of the points that work, if any does."""
    best = np.full(len(rows), np.inf)
    for candidates, good in zip(points, works, strict=True):
        far = np.where(good, ground.length(ground.gap(candidates, rows[row])), np.inf)
        order = np.lexsort((far, row))
        first = order[np.r_[True, row[order][1:] != row[order][:-1]]]
        first = first[far[first] < best[row[first]]]
        best[row[first]] = far[first]
        x[row[first]] = candidates[first]
    return x


PLUGIN = Boundary
