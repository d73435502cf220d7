"""What attacks along gradients at a fixed radius share: the ground they work on, one question, the books of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.kernels.loss import decide
from temper.kernels.slope import LOSSES, Aim, climb
from temper.kernels.step import within

Rows = np.ndarray[Any, Any]
State = TypeVar("State")
CHUNK, VALUES = 60_000, 2**25  # rows and numbers of one call
_ENOUGH = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """What an attack saw of its own gradients, per row, for the checks that follow.

    Gradients asked for, how many were zero, how many not finite; the loss at the start, the best, the last, and the
    best when the steps so far last reached a power of two and the one before.
    """

    asked: Rows
    zero: Rows
    bad: Rows
    first: Rows
    best: Rows
    last: Rows
    early: Rows
    earlier: Rows

    @classmethod
    def of(cls, n: int) -> Trace:
        """Nothing seen yet."""
        counts = [np.zeros(n) for _ in range(3)]
        names = ("first", "best", "last", "early", "earlier")
        losses = {name: np.full(n, np.nan) for name in names}
        return cls(asked=counts[0], zero=counts[1], bad=counts[2], **losses)

    def add(self, rows: Rows, loss: Rows, size: Rows) -> None:
        """One loss and the size of one gradient per row; refused questions (no loss) are left out."""
        known = loss == loss
        rows, loss, size = rows[known], loss[known], size[known]
        self.asked[rows] += 1
        self.zero[rows] += size == 0
        self.bad[rows] += ~np.isfinite(size)
        self.first[rows] = np.where(np.isnan(self.first[rows]), loss, self.first[rows])
        self.best[rows] = np.fmax(self.best[rows], loss)
        self.last[rows] = loss
        mark = rows[np.log2(self.asked[rows]) % 1 == 0]  # at 1, 2, 4, 8, ... steps
        self.earlier[mark], self.early[mark] = self.early[mark], self.best[mark]

    def late_rise(self, rows: Rows) -> Rows:
        """The share of a loss's rise that came after a quarter to a half of the steps; NaN for very few steps."""
        rise = self.best[rows] - self.first[rows]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = (self.best[rows] - self.earlier[rows]) / rise
        known: Rows = np.where((rise > 0) & (self.asked[rows] >= _ENOUGH), share, np.nan)
        return known

    def tell(self, oracle: OracleLike) -> None:
        """Hand it over; only rows that were asked."""
        rows = np.flatnonzero(self.asked)
        if not len(rows):
            return
        oracle.note("zero_gradient", rows, self.zero[rows] / self.asked[rows])
        oracle.note("bad_gradient", rows, self.bad[rows] / self.asked[rows])
        oracle.note("late_rise", rows, self.late_rise(rows))
        for name, values in (("first_loss", self.first), ("best_loss", self.best), ("last_loss", self.last)):
            oracle.note(name, rows, values[rows])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """What stays the same during one attack. `rival` (rows,): the class to drive each row to, else None.

    `nearest`: broken rows are worked on as long as the oracle lets them, in search of a nearer point.
    """

    oracle: OracleLike
    scene: Scene
    rng: Draws
    xp: Any
    aim: Aim
    y: Array
    clean: Array | None
    trace: Trace
    loss: str = "ce"
    eot: int = 1
    rival: Array | None = None
    nearest: bool = False

    @property
    def norm(self) -> str:
        """The norm of the ball."""
        return self.scene.budget.norm

    @property
    def radius(self) -> float:
        """The radius of the ball, infinite without one."""
        radius = self.scene.budget.radius
        return math.inf if radius is None else radius

    def picked(self, values: Array, rows: Rows) -> Array:
        """The entries of an array over all rows that belong to these."""
        return values if len(rows) == len(values) else pick(values, rows)

    def start(self, rows: Rows) -> Array:
        """The clean rows."""
        return self.picked(self.scene.x, rows)

    def inside(self, x: Array, x0: Array, radius: float) -> Array:
        """Into the ball and the box."""
        return within(x, x0, radius, self.norm, self.scene.schema.low, self.scene.schema.high)

    def open(self) -> Rows:
        """Rows worth working on: with budget, and not broken yet unless a nearer point is sought."""
        rows = self.oracle.active
        if self.scene.mode != "first" and not self.nearest and len(rows):
            rows = rows[~self.oracle.broken[rows]]
        return rows

    def still(self, rows: Rows) -> Rows:
        """Mask of those among `rows` that are open."""
        mask = np.zeros(len(self.trace.asked), dtype=bool)
        mask[self.open()] = True
        found: Rows = mask[rows]
        return found

    def ask(self, x: Array, rows: Rows, rng: Draws, step: int) -> tuple[Array, Array]:
        """Loss (n,) and gradient (n, ...), the mean of `eot` draws.

        Entries that are not finite count as zero, and a row without any slope gets a random direction: standing still
        would read as holding.
        """
        loss, slope = self._mean(x, rows)
        size = self.xp.max(self.xp.reshape(self.xp.abs(slope), (len(rows), -1)), axis=1)
        sizes, losses = _fetched(size), _fetched(loss)
        self.trace.add(rows, losses, sizes)
        flat = np.flatnonzero(~((sizes > 0) & np.isfinite(sizes)) & (losses == losses))
        if len(flat):
            slope = self._stirred(slope, rows, flat, rng.child("flat"), step)
        return loss, slope

    def look(self, x: Array, rows: Rows) -> Array:
        """Scores without a gradient, NaN where refused."""
        step = _per_call(x)
        parts = [self.oracle.scores(x[at : at + step], rows[at : at + step]) for at in range(0, len(rows), step)]
        return parts[0] if len(parts) == 1 else self.xp.concat(parts)

    def tell(self, x: Array, rows: Rows) -> Rows:
        """The last look at a point; mask of the rows that got an answer."""
        if not len(rows):
            return np.zeros(0, dtype=bool)
        return answered(self.look(x, rows))

    def past(self, scores: Array, rows: Rows) -> Array:
        """Which of these answers are a success, as the attacker reads them."""
        if self.clean is not None:
            return self.xp.abs(scores - self.picked(self.clean, rows))[:, 0] > self.aim.tolerance
        found = decide(scores, self.aim.kind, self.aim.threshold)
        return found != self.picked(self.y, rows) if self.aim.goal == "misclassify" else found == int(self.aim.goal)

    def close(self, rows: Rows) -> None:
        """The strategy is over for these rows. Broken ones are left as they are: one that a random model takes back
        when it is asked again has not been tried to the end.
        """
        if self.radius > 0:  # in a ball of nothing no loss can rise
            self.trace.tell(self.oracle)
        self.oracle.done(rows)

    def _mean(self, x: Array, rows: Rows) -> tuple[Array, Array]:
        loss, slope = self._slope(x, rows)
        for _ in range(self.eot - 1):
            more, also = self._slope(x, rows)
            loss, slope = loss + more, slope + also
        return (loss / self.eot, slope / self.eot) if self.eot > 1 else (loss, slope)

    def _slope(self, x: Array, rows: Rows) -> tuple[Array, Array]:
        step = _per_call(x)
        if len(rows) <= step:
            return self._once(x, rows)
        parts = [self._once(x[at : at + step], rows[at : at + step]) for at in range(0, len(rows), step)]
        return self.xp.concat([part[0] for part in parts]), self.xp.concat([part[1] for part in parts])

    def _once(self, x: Array, rows: Rows) -> tuple[Array, Array]:
        losses = self.xp.full((len(self.trace.asked),), math.nan, dtype=x.dtype, device=_device(x))

        def pull(scores: Array, part: Any) -> Array:
            clean = None if self.clean is None else self.picked(self.clean, part)
            rival = None if self.rival is None else self.picked(self.rival, part)
            loss, back = climb(self.loss, scores, self.picked(self.y, part), self.aim, rival, clean)
            losses[part] = self.xp.astype(loss, losses.dtype)
            return back

        _, slope = self.oracle.gradient(x, rows, pull)
        return self.picked(losses, rows), slope

    def _stirred(self, slope: Array, rows: Rows, flat: Rows, rng: Draws, step: int) -> Array:
        slope = self.xp.where(self.xp.isfinite(slope), slope, 0.0)
        part = pick(slope, flat)
        draw = rng.normal(rows[flat], step, tuple(slope.shape[1:]))
        size = self.xp.max(self.xp.reshape(self.xp.abs(part), (len(flat), -1)), axis=1)
        still = (size == 0).reshape((-1,) + (1,) * (len(slope.shape) - 1))
        slope[flat] = self.xp.where(still, self.xp.astype(draw, slope.dtype), part)
        return slope


def ground(
    oracle: OracleLike, scene: Scene, rng: Draws, *, loss: str = "ce", eot: int = 1, ball: bool = True
) -> Ground:
    """The ground of an attack on inputs without columns; `Unsupported` says what to use instead."""
    budget = scene.budget
    if scene.schema.columns:
        raise Unsupported("gradient attacks in a ball work on inputs without columns", fix="use evasion.capgd")
    if budget.norm not in ("linf", "l2", "l1"):
        raise Unsupported(f"there is no gradient step in {budget.norm}", fix="use linf, l2 or l1")
    if ball and budget.radius is None:
        raise Unsupported("this attack needs a radius", fix="set budget radius, or use evasion.fmn or evasion.ddn")
    if loss not in LOSSES or eot < 1:
        raise TemperError(f"loss {loss!r} with eot {eot}", fix=f"use one of {', '.join(LOSSES)}, and eot from 1 up")
    from array_api_compat import array_namespace

    xp = array_namespace(scene.x)
    aim = Aim(kind=scene.kind, threshold=scene.threshold, goal=scene.goal, tolerance=scene.tolerance, even=eot == 1)
    return Ground(
        oracle=oracle,
        scene=scene,
        rng=replace(rng, like=scene.x),
        xp=xp,
        aim=aim,
        y=xp.asarray(scene.y, device=_device(scene.x)),
        clean=oracle.clean if scene.kind.value == "value" else None,
        trace=Trace.of(len(scene.x)),
        loss=loss,
        eot=eot,
    )


def answered(scores: Array) -> Rows:
    """Mask of the rows that were not refused."""
    return _fetched(scores[:, 0] == scores[:, 0])


def kept(state: State, mask: Rows) -> State:
    """The state of some rows only: every field that is an array loses the others."""
    if mask.all():
        return state
    index = np.flatnonzero(mask)
    moved = {f.name: pick(getattr(state, f.name), index) for f in fields(state)}  # type: ignore[arg-type]
    return replace(state, **moved)  # type: ignore[type-var]


def pick(values: Array, index: Rows) -> Array:
    """Rows of an array of any namespace, by their positions."""
    if isinstance(values, np.ndarray):
        return values[index]
    import torch

    return values.index_select(0, torch.as_tensor(index, device=values.device))


def _per_call(x: Array) -> int:
    return max(1, min(CHUNK, VALUES // max(int(np.prod(x.shape[1:])), 1)))


def _fetched(values: Array) -> Rows:
    return values if isinstance(values, np.ndarray) else np.asarray(values.detach().cpu())


def _device(x: Array) -> Any:
    from array_api_compat import device

    return device(x)
