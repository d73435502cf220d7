"""Score-based random search that respects the Schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.decision import Aim
from temper.kernels.search import random_point, reachable, repair


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomSearch:
    """Move a shrinking random share of the columns to random or extreme values, keep what lowers the margin; once
    broken, walk back toward the clean row.

    Misleads on models whose score is flat around a row (labels only, saturated): it then walks at random.
    Source: after Square, Andriushchenko et al., 2020, with a Schema in place of the pixel ball.

    >>> RandomSearch(steps=100).corner
    0.5
    """

    needs: ClassVar[Access] = Access.SCORES
    steps: int = 10_000
    corner: float = 0.5
    first_share: float = 0.8
    explore: float = 0.3
    at_once: int = 4

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """`at_once` proposals per active row and step, all rows together."""
        low, high = reachable(scene.schema, scene.x, scene.budget)
        current = scene.x.copy()
        aim = Aim.at(oracle, scene)
        level = aim.first()
        total = int(min(self.steps, oracle.left.max(initial=0)))
        on = _Ground(scene=scene, rng=rng, low=low, high=high, total=total)
        for start in range(0, total, self.at_once):
            rows = oracle.active
            if not len(rows):
                return
            best, distance = oracle.best
            broken = np.isfinite(distance)
            current[broken] = best[broken]
            steps = np.arange(start, min(start + self.at_once, total))
            many, turn = np.repeat(rows, len(steps)), np.tile(steps, len(rows))
            x = self._propose(on, current, distance, many, turn)
            now = aim.margin(oracle.scores(x, many), many).reshape(len(rows), len(steps))
            pick = now.argmin(axis=1)
            lowest = now[np.arange(len(rows)), pick]
            better = (lowest <= level[rows]) & ~broken[rows]
            x = x.reshape(len(rows), len(steps), *x.shape[1:])[np.arange(len(rows)), pick]
            current[rows[better]], level[rows[better]] = x[better], lowest[better]
        oracle.done(np.arange(len(scene.x)))

    def _propose(self, on: _Ground, current: Array, distance: Array, rows: Array, step: Array) -> Array:
        """Unbroken rows explore or move on from where they are; broken rows come nearer."""
        near = np.isfinite(distance[rows])
        explore = on.rng.child("explore")
        far = ~near & (explore.uniform(rows, step) < self.explore)
        x = current[rows].copy()
        if (going := ~near & ~far).any():
            x[going] = self._move(on, current, rows[going], step[going])
        if near.any():
            x[near] = self._nearer(on, current, distance, rows[near], step[near])
        if far.any():
            x[far] = random_point(on.scene, rows[far], explore, step[far] + on.total, on.low, on.high)
        return x

    def _move(self, on: _Ground, current: Array, rows: Array, step: Array) -> Array:
        """Fresh values for a share of the movable columns that shrinks as the search goes on."""
        # Where the whole batch of steps began: the first step at hand would depend on which rows are beside it.
        start = int(step.min()) // self.at_once * self.at_once
        scene, rng = on.scene, on.rng
        shape, share = scene.x.shape[1:], self._share(start, on.total)
        priority = rng.uniform(rows, 5 * step, shape)
        fresh = rng.uniform(rows, 5 * step + 1, shape)
        if scene.schema.columns:
            chosen = _chosen(priority, scene.schema.movable, share)
            extreme = rng.uniform(rows, 5 * step + 2, shape) < self.corner
        else:
            chosen = _window(rng.uniform(rows, 5 * step + 3, (3,)), shape, share)
            fresh = np.broadcast_to(fresh[(..., *(slice(0, 1),) * (len(shape) - 1))], fresh.shape)
            extreme = rng.uniform(rows, 5 * step + 2, (1,) * len(shape)) < self.corner
        low, high = on.low[rows], on.high[rows]
        value = low + (high - low) * np.where(extreme, np.round(fresh), fresh)
        return repair(np.where(chosen, value, current[rows]), scene.x[rows], scene, priority + chosen)

    def _nearer(self, on: _Ground, current: Array, distance: Array, rows: Array, step: Array) -> Array:
        """For a broken row: undo or shorten some of its moves, or a random point of the smaller ball."""
        scene, rng = on.scene, on.rng
        shape = scene.x.shape[1:]
        x0, x = scene.x[rows], current[rows]
        priority = rng.uniform(rows, 5 * step, shape)
        some = priority < rng.uniform(rows, 5 * step + 3, (1,) * len(shape))
        share = rng.uniform(rows, 5 * step + 4, shape)
        share = np.where(rng.uniform(rows, 5 * step + 2, shape) < 0.5, 0.0, share)
        back = repair(np.where(some, x0 + (x - x0) * share, x), x0, scene, priority)
        fresh = rng.uniform(rows, 5 * step + 1) < 0.5
        if fresh.any():
            within, ball = distance[rows[fresh]] * 0.98, rng.child("ball")
            back[fresh] = random_point(scene, rows[fresh], ball, step[fresh], on.low, on.high, within)
        return back

    def _share(self, step: int, total: int) -> float:
        """Square's schedule, scaled to the length of this search."""
        at = step * 10_000 / max(total, 1)
        halvings: int = sum(at > mark for mark in (10, 50, 200, 500, 1_000, 2_000, 4_000, 6_000, 8_000))
        return float(self.first_share / 2**halvings)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Ground:
    """What stays the same during one search: the scene, its numbers, the reach of every column, the planned steps."""

    scene: Scene
    rng: Draws
    low: Array
    high: Array
    total: int


def _chosen(priority: Array, movable: Array, share: float) -> Array:
    """Per row a random `share` of the movable columns, one at least."""
    count = max(1, round(share * len(movable)))
    mask = np.zeros(priority.shape, dtype=bool)
    if not len(movable):
        return mask
    order = np.argsort(priority[:, movable], axis=1)[:, :count]
    np.put_along_axis(mask, movable[order], True, axis=1)
    return mask


def _window(place: Array, shape: tuple[int, ...], share: float) -> Array:
    """Per row a random square patch of an image (..., h, w) that covers about `share` of it; all channels."""
    height, width = shape[-2:] if len(shape) > 1 else (1, shape[-1])
    side = max(1, round((share * height * width) ** 0.5)) if height > 1 else max(1, round(share * width))
    tall, wide = min(side, height), min(side, width)
    top = (place[:, 0] * (height - tall + 1)).astype(int)[:, None]
    left = (place[:, 1] * (width - wide + 1)).astype(int)[:, None]
    inside_y = (np.arange(height) >= top) & (np.arange(height) < top + tall)
    inside_x = (np.arange(width) >= left) & (np.arange(width) < left + wide)
    mask = inside_y[:, :, None] & inside_x[:, None, :] if len(shape) > 1 else inside_x
    return np.broadcast_to(
        mask.reshape((len(place),) + (1,) * (len(shape) - mask.ndim + 1) + mask.shape[1:]), (len(place), *shape)
    )


PLUGIN = RandomSearch
