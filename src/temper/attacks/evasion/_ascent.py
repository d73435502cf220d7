"""The climb of Auto-PGD: momentum, checkpoints, and in l1 sparse steps from larger balls inwards."""

from __future__ import annotations

from dataclasses import dataclass, replace

from temper.attacks.evasion._gradient import Ground, Rows, kept
from temper.core.data import Array
from temper.core.seed import Draws
from temper.kernels.step import on_sphere, steepest, wide

_MOMENTUM, _RISING = 0.75, 0.75
_FEWER, _SHRINK, _LEAST = 0.95, 1.5, 10.0  # the rules of l1: how sparse, how much shorter, how short at most
_WIDER = ((3.0, 0.3), (2.0, 0.3), (1.0, 0.4))  # l1 comes down from larger balls: (times the radius, share of steps)


def ascend(on: Ground, rows: Rows, steps: int, rng: Draws) -> Rows:
    """One run from a random start; the rows that went all the way."""
    if not len(rows):
        return rows
    x0 = on.start(rows)
    x, share = _start(on, rows, x0, rng), None
    stages = _WIDER if on.norm == "l1" else ((1.0, 1.0),)
    counts = [round(steps * part) for _, part in stages[:-1]]
    for (times, _), count in zip(stages, [*counts, steps - sum(counts)], strict=True):
        stage = _Stage(on=on, radius=times * on.radius, steps=count, rng=rng.child(f"{times:g}"))
        if share is not None:
            x = on.inside(x, x0, stage.radius)
        state = stage.climb(rows, x0, x, share)
        rows, x0, x = state.rows, state.x0, state.best
        if not len(rows):
            return rows
        share = _moved_share(x - x0) / 1.5
    return rows[on.tell(state.x, rows)]


@dataclass(slots=True, eq=False)
class _State:
    """What travels with the open rows: the point, the one before, the best so far, and how the climb has gone."""

    rows: Rows
    x0: Array
    x: Array
    old: Array
    slope: Array
    best: Array
    best_slope: Array
    loss: Array
    top: Array
    checked: Array
    rises: Array
    reduced: Array
    size: Array
    share: Array
    spread: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Stage:
    """A climb in one ball."""

    on: Ground
    radius: float
    steps: int
    rng: Draws

    @property
    def reach(self) -> float:
        """The longest step."""
        return self.radius * (1.0 if self.on.norm == "l1" else 2.0)

    def climb(self, rows: Rows, x0: Array, x: Array, share: Array | None) -> _State:
        """To the last step, whose point has not been asked yet in the last ball."""
        state = self._begin(rows, x0, x, share)
        period, waited = max(int((0.04 if self.on.norm == "l1" else 0.22) * self.steps), 1), 0
        for step in range(self.steps if len(state.rows) else 0):
            state.old, state.x = state.x, self._moved(state, first=step == 0)
            if step == self.steps - 1 and self.radius == self.on.radius:
                break
            state = self._asked(state, step + 1)
            if not len(state.rows):
                break
            waited += 1
            if waited == period:
                state, waited = self._checked(state, period), 0
                if self.on.norm != "l1":
                    period = max(period - max(int(0.03 * self.steps), 1), max(int(0.06 * self.steps), 1))
        return state

    def _begin(self, rows: Rows, x0: Array, x: Array, share: Array | None) -> _State:
        xp, loss_like = self.on.xp, x0.reshape((len(rows), -1))[:, 0]
        loss, slope = self.on.ask(x, rows, self.rng, 0)
        ones = xp.ones_like(loss_like)
        state = _State(
            rows=rows, x0=x0, x=x, old=x, slope=slope, best=x, best_slope=slope, loss=loss, top=loss, checked=loss,
            rises=ones * 0, reduced=ones, size=ones * self.reach,
            share=ones * 0.2 if share is None else share,
            spread=ones if share is None else _moved_share(x - x0),
        )  # fmt: skip
        return kept(state, self.on.still(rows))

    def _moved(self, state: _State, *, first: bool) -> Array:
        """A step along the gradient, mixed with the move before."""
        step = wide(state.size, state.x) * steepest(state.slope, self.on.norm, state.share)
        x = self.on.inside(state.x + step, state.x0, self.radius)
        if self.on.norm == "l1":
            return x
        keep = 1.0 if first else _MOMENTUM
        mixed = state.x + (x - state.x) * keep + (state.x - state.old) * (1.0 - keep)
        return self.on.inside(mixed, state.x0, self.radius)

    def _asked(self, state: _State, step: int) -> _State:
        """Ask about the new points; those still open remember the best one."""
        loss, state.slope = self.on.ask(state.x, state.rows, self.rng, step)
        before, state.loss = state.loss, loss
        state.rises = state.rises + (loss > before)
        state = kept(state, self.on.still(state.rows))
        if not len(state.rows):
            return state
        better = state.loss > state.top
        return _taken(self.on, state, better, best=state.x, best_slope=state.slope, top=state.loss)

    def _checked(self, state: _State, period: int) -> _State:
        """Halve the step of rows that rose too rarely, or whose best has not moved, and send them back to it."""
        xp = self.on.xp
        if self.on.norm == "l1":
            return self._sparser(state)
        stuck = (state.reduced == 0) & (state.checked >= state.top)
        back = (state.rises <= period * _RISING) | stuck
        state.size = xp.where(back, state.size / 2.0, state.size)
        state.reduced, state.checked = xp.astype(back, state.size.dtype), state.top
        state.rises = state.rises * 0
        return _taken(self.on, state, back, x=state.best, slope=state.best_slope)

    def _sparser(self, state: _State) -> _State:
        """In l1: rows whose best got sparser start again from it with a long step, the others shorten theirs."""
        xp = self.on.xp
        spread = _moved_share(state.best - state.x0)
        fewer = spread < _FEWER * state.spread
        state.share, state.spread = spread / 1.5, spread
        shorter = (state.size / _SHRINK).clip(self.reach / _LEAST, self.reach)
        state.size = xp.where(fewer, xp.ones_like(shorter) * self.reach, shorter)
        return _taken(self.on, state, fewer, x=state.best, slope=state.best_slope)


def _start(on: Ground, rows: Rows, x0: Array, rng: Draws) -> Array:
    """A point on the surface of the ball, brought into the box."""
    if on.norm == "l1":
        draw = rng.normal(rows, 0, tuple(x0.shape[1:]))
        return on.inside(x0 + on.xp.astype(draw, x0.dtype), x0, on.radius)
    return on.inside(x0 + on.radius * on_sphere(rng, rows, 0, x0, on.norm), x0, on.radius)


def _taken(on: Ground, state: _State, mask: Array, **values: Array) -> _State:
    """The state with these fields replaced where the mask is true."""
    if bool(on.xp.all(mask)):
        return replace(state, **values)
    if not bool(on.xp.any(mask)):
        return state
    changed = {name: on.xp.where(wide(mask, value), value, getattr(state, name)) for name, value in values.items()}
    return replace(state, **changed)


def _moved_share(move: Array) -> Array:
    """The share of entries that differ from the clean row, per row."""
    flat = move.reshape((move.shape[0], -1))
    return (flat != 0).sum(1) / flat.shape[1] + 0.0 * flat[:, 0]
