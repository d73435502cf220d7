"""What attacks along gradients of inputs without columns share: their ground, the slope of the lead, open rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.target import ScoreKind
from temper.kernels.slope import Aim, climb

Rows = np.ndarray[Any, Any]
CHUNK = 60_000
LEAST = 10  # a schedule cut shorter than this has not been tried


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """Where an attack may go: the box, and the radius around the clean row where the budget is in linf."""

    scene: Scene
    xp: Any
    aim: Aim
    y: Array
    low: float
    high: float
    radius: float | None

    @classmethod
    def of(cls, scene: Scene, name: str, fix: str = "use evasion.capgd or evasion.tree_nearest") -> Ground:
        """Refuses tables and regressions: their attacks are others."""
        if scene.schema.columns:
            raise Unsupported(f"{name} works on inputs without columns (images)", fix=fix)
        if scene.kind is ScoreKind.VALUE:
            raise Unsupported(f"{name} needs classes, and the target gives a value", fix="use evasion.random_search")
        from array_api_compat import array_namespace, device

        xp = array_namespace(scene.x)
        radius = scene.budget.radius if scene.budget.norm == "linf" else None
        y = xp.asarray(scene.y, device=device(scene.x))
        aim = Aim(kind=scene.kind, threshold=scene.threshold, goal=scene.goal)
        return cls(scene=scene, xp=xp, aim=aim, y=y, low=scene.schema.low, high=scene.schema.high, radius=radius)

    @property
    def width(self) -> float:
        """The unit of steps: the width of the box, 1 where it has none."""
        width = self.high - self.low
        return width if math.isfinite(width) else 1.0

    def lead(self, scores: Array, rows: Rows) -> Array:
        """How far the true class is ahead in logits, or the goal behind; not a number where refused."""
        return -climb("margin", scores, self.y[rows], self.aim)[0]

    def inside(self, x: Array, x0: Array) -> Array:
        """The nearest point of the box and of the linf ball."""
        if self.radius is not None:
            x = self.xp.minimum(self.xp.maximum(x, x0 - self.radius), x0 + self.radius)
        return self.xp.clip(x, self.low, self.high)

    def free(self, x: Array, slope: Array) -> Array:
        """The part of a slope that a step down can follow: nothing where the value stands at an end of the box."""
        stuck = self.xp.where(slope > 0, x <= self.low, x >= self.high)
        return self.xp.where(stuck, self.xp.zeros_like(slope), slope)

    def ends(self, x0: Array) -> tuple[Array, Array]:
        """Per value the lowest and the highest it may take."""
        far = self.xp.ones_like(x0) * math.inf
        return self.inside(x0 - far, x0), self.inside(x0 + far, x0)

    def furthest(self, x0: Array, norm: str) -> Array:
        """Per row the largest distance there is within reach."""
        low, high = self.ends(x0)
        return length(self.xp, self.xp.maximum(high - x0, x0 - low), norm)


def fall(oracle: OracleLike, ground: Ground, x: Array, rows: Rows, loss: str = "margin") -> tuple[Array, Array]:
    """The lead of the true class (n,), positive while the goal is not reached, and the slope of it or of `loss`."""

    def cotangent(scores: Array, part: Any) -> Array:
        return -climb(loss, scores, ground.y[part], ground.aim)[1]

    scores, slope = pulled(oracle, ground.xp, x, rows, cotangent)
    return ground.lead(scores, rows), slope


def pulled(
    oracle: OracleLike, xp: Any, x: Array, rows: Rows, cotangent: Callable[[Array, Any], Array]
) -> tuple[Array, Array]:
    """Scores and slopes of many candidates, in pieces that fit into memory."""
    starts = range(0, len(rows), CHUNK)
    parts = [oracle.gradient(x[at : at + CHUNK], rows[at : at + CHUNK], cotangent) for at in starts]
    scores, slope = parts[0] if len(parts) == 1 else tuple(xp.concat(list(both)) for both in zip(*parts, strict=True))
    if not xp.isfinite(xp.sum(slope)):  # the sum alone is much cheaper than a mask of every value
        slope = xp.where(xp.isfinite(slope), slope, xp.zeros_like(slope))
    return scores, xp.astype(slope, x.dtype, copy=False)


def still(oracle: OracleLike, rows: Rows, *state: Array) -> tuple[Any, ...]:
    """The rows still open, and their part of every array that runs along with them."""
    now = oracle.active
    if len(now) == len(rows):
        return rows, *state
    kept = np.isin(rows, now)
    return rows[kept], *(values[kept] for values in state)


def planned(oracle: OracleLike, wanted: int) -> int:
    """Steps this run can afford: the same for every row, whatever rows are beside it."""
    return int(min(wanted, oracle.left.max(initial=0)))


def finish(oracle: OracleLike, scene: Scene, steps: int, wanted: int) -> None:
    """The strategy is through, unless its schedule was cut so short that nothing can be said."""
    if steps >= min(wanted, LEAST):
        oracle.done(np.arange(len(scene.x)))


def cosine(step: int, steps: int, first: float, last: float) -> float:
    """From `first` down to `last` along half a cosine."""
    return last + (first - last) * (1 + math.cos(math.pi * step / steps)) / 2


def tall(values: Array, x: Array) -> Array:
    """One value per row, shaped to broadcast against `x`."""
    return values.reshape((-1,) + (1,) * (len(x.shape) - 1))


def flat(x: Array) -> Array:
    """One line per row, also where there are no rows."""
    return x.reshape((x.shape[0], math.prod(x.shape[1:])))


def plain(values: Array) -> Rows:
    """The values as a NumPy array, fetched from their device."""
    return values if isinstance(values, np.ndarray) else values.detach().cpu().numpy()


def length(xp: Any, delta: Array, norm: str) -> Array:
    """The norm (n,) of every row."""
    values = flat(delta)
    if norm == "l2":
        return xp.sqrt(xp.sum(values * values, axis=1))
    if norm == "l0":
        return xp.sum(xp.astype(values != 0, values.dtype), axis=1)
    return xp.max(xp.abs(values), axis=1) if norm == "linf" else xp.sum(xp.abs(values), axis=1)


def unit(xp: Any, slope: Array) -> Array:
    """Every row at length one in l2; a flat row stays zero."""
    size = length(xp, slope, "l2")
    return slope / tall(xp.where(size > 0, size, xp.ones_like(size)), slope)
