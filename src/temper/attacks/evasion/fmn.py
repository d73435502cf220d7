"""Fast minimum-norm: a ball that shrinks while the row is broken and grows while it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from temper.attacks.evasion._nearest import Ground, cosine, fall, finish, flat, length, planned, still, tall, unit
from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.lp import project

_DUAL = {"linf": "l1", "l2": "l2", "l1": "linf"}
_OVER = 1.01  # a step onto the boundary of a linear model would stay on it for ever


@dataclass(frozen=True, slots=True, kw_only=True)
class FMN:
    """Walk down the lead of the true class inside a ball whose radius follows the boundary, in the budget's norm (linf,
    l2, l1 or l0), and keep the nearest break.

    Misleads where slopes are zero or random: the radius is then led nowhere and the row reads as held.
    Source: Pintor, Roli, Brendel & Biggio, "Fast minimum-norm adversarial attacks through adaptive norm constraints",
    2021.

    >>> FMN(steps=50)
    FMN(steps=50, step_size=1.0, gamma=0.05)
    """

    needs: ClassVar[Access] = Access.GRADIENTS | Access.SCORES
    steps: int = 100
    step_size: float = 1.0
    gamma: float = 0.05

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """One gradient per open row and step."""
        ground, norm = Ground.of(scene, "evasion.fmn"), scene.budget.norm
        if norm == "cost":
            raise Unsupported("evasion.fmn has no distance in cost", fix="give the budget norm linf, l2, l1 or l0")
        rows, steps, xp = oracle.active, planned(oracle, self.steps), ground.xp
        if not steps:
            return
        x0 = scene.x[rows]
        delta, far = xp.zeros_like(x0), ground.furthest(x0, norm)
        nearest, found = far, far < 0
        radius = xp.ones_like(far) if norm == "l0" else far * 0 + xp.inf
        for step in range(steps):
            if not len(rows):
                return
            x = x0 + delta
            level, slope = fall(oracle, ground, x, rows)
            slope = ground.free(x, slope) if norm in ("l2", "l1") else slope
            size, broken = length(xp, delta, norm), level < 0
            nearest = xp.where(broken & (size < nearest), size, nearest)
            found = found | broken
            gamma = cosine(step, steps, self.gamma, 0.001)
            fresh = (size + _edge(xp, level, slope, norm)) * _OVER
            radius = _radius(xp, norm, radius, gamma, broken, xp.where(found, radius * (1 + gamma), fresh), nearest)
            radius = xp.minimum(radius, far)
            move = ground.width * cosine(step, steps, self.step_size, self.step_size / 100)
            delta = _projected(xp, delta - move * unit(xp, slope), radius, norm)
            delta = ground.inside(x0 + delta, x0) - x0
            rows, x0, delta, radius, nearest, found, far = still(oracle, rows, x0, delta, radius, nearest, found, far)
        finish(oracle, scene, steps, self.steps)


def _edge(xp: Any, level: Array, slope: Array, norm: str) -> Array:
    """How far the boundary would be if the lead were linear; 0 in l0, which counts values."""
    if norm == "l0":
        return xp.zeros_like(level)
    size = xp.astype(length(xp, slope, _DUAL[norm]), level.dtype)
    return xp.where(size > 0, xp.abs(level) / xp.where(size > 0, size, xp.ones_like(size)), xp.inf)


def _radius(xp: Any, norm: str, radius: Array, gamma: float, broken: Array, wider: Array, nearest: Array) -> Array:
    """Smaller while broken, wider while not; in l0 by one value at least."""
    if norm != "l0":
        return xp.where(broken, xp.minimum(radius * (1 - gamma), nearest), wider)
    down = xp.minimum(xp.minimum(radius - 1, xp.floor(radius * (1 - gamma))), nearest)
    up = xp.maximum(radius + 1, xp.floor(radius * (1 + gamma)))
    return xp.clip(xp.where(broken, down, up), 1, None)


def _projected(xp: Any, delta: Array, radius: Array, norm: str) -> Array:
    """Into the ball; in l0 the largest moves are kept."""
    if norm == "l2":
        size = length(xp, delta, norm)
        return delta * tall(xp.minimum(radius, size) / xp.where(size > 0, size, xp.ones_like(size)), delta)
    if norm != "l0":
        held = xp.where(xp.isfinite(radius), radius, xp.ones_like(radius) * 1e30)
        return project(delta, xp.zeros_like(delta), held, norm)
    size = xp.abs(flat(delta))
    limit = xp.take_along_axis(xp.sort(size, axis=1, descending=True), xp.astype(radius, xp.int64)[:, None] - 1, axis=1)
    kept = (size >= limit) & (size > 0)
    if xp.any(xp.sum(xp.astype(kept, size.dtype), axis=1) > radius):  # equal moves: as many as there is room for
        kept = xp.argsort(xp.argsort(size, axis=1, descending=True), axis=1) < radius[:, None]
    return xp.where(kept.reshape(delta.shape), delta, xp.zeros_like(delta))


PLUGIN = FMN
