"""Gradient steps on a table: momentum, a step that halves where it stops paying, a repair before every question."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.attacks.evasion._constrained import Plane
from temper.core.attack import OracleLike, Scene
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.kernels.decision import Rows, pieces, standing
from temper.kernels.search import random_point, reachable
from temper.kernels.slope import Aim, climb


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long, how often, how much of the last step is kept, and what share of steps must rise."""

    steps: int
    restarts: int
    momentum: float = 0.75
    rising: float = 0.75


def climbed(oracle: OracleLike, scene: Scene, rng: Draws, plan: Plan, reserve: Rows) -> None:
    """Every restart of the plan; rows keep `reserve` of their queries for whoever comes after."""
    on = _Climb(
        oracle=oracle, scene=scene, plane=Plane.of(scene), plan=plan, checks=_checks(plan.steps), reserve=reserve
    )
    for turn in range(plan.restarts):
        rows = on.open()
        if not len(rows):
            break
        on.run(rows, _start(scene, rng, rows, turn), turn)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Climb:
    """What stays the same during one attack."""

    oracle: OracleLike
    scene: Scene
    plane: Plane
    plan: Plan
    checks: frozenset[int]
    reserve: Rows

    def open(self) -> Rows:
        """Rows that may go on."""
        rows = standing(self.oracle, self.scene)
        return rows[self.oracle.left[rows] > self.reserve[rows]]

    def run(self, rows: Rows, latent: Rows, turn: int) -> None:
        """One start, `steps` steps."""
        state = _State.at(self.plane.inside(latent, rows), rows, len(self.scene.x))
        self._ask(state, rows, turn, np.zeros_like(latent))
        for step in range(1, self.plan.steps + 1):
            rows = np.intersect1d(self.open(), state.rows)
            if not len(rows):
                return
            self._step(state, rows, first=step == 1)
            self._ask(state, rows, turn, state.slope[rows])
            if step in self.checks:
                self._check(state, rows, step)

    def _step(self, state: _State, rows: Rows, first: bool) -> None:
        """A step along the slope, mixed with the last one."""
        plane, keep = self.plane, 1.0 if first else self.plan.momentum
        here, before = state.latent[rows], state.before[rows]
        ahead = plane.inside(here + state.size[rows, None] * plane.toward(state.slope[rows], rows), rows)
        state.before[rows] = here
        state.latent[rows] = plane.inside(here + keep * (ahead - here) + (1.0 - keep) * (here - before), rows)

    def _ask(self, state: _State, rows: Rows, turn: int, slope: Rows) -> None:
        """Loss and slope of the repaired points; the best of each row is kept with its slope."""
        x = self.plane.repaired(state.latent[rows], rows, slope)
        state.latent[rows] = self.plane.kept(state.latent[rows], x)
        loss, slope = self._answers(x, rows, turn)
        slope = self.plane.through(slope, x, rows)
        state.slope[rows] = slope
        state.rises[rows] += loss > state.last[rows]
        state.last[rows] = loss
        better = loss > state.top[rows]
        at = rows[better]
        state.top[at], state.best[at], state.best_slope[at] = loss[better], state.latent[at], slope[better]

    def _answers(self, x: Rows, rows: Rows, turn: int) -> tuple[Rows, Rows]:
        scene, clean = self.scene, self.oracle.clean
        aim = Aim(kind=scene.kind, threshold=scene.threshold, goal=scene.goal, tolerance=scene.tolerance)

        def told(scores: Rows, asked: Rows) -> tuple[Rows, Rows]:
            rival = np.full(len(asked), turn % 2) if scene.kind is ScoreKind.VALUE else None
            found: tuple[Rows, Rows] = climb("ce", scores, scene.y[asked], aim, rival, clean[asked])
            return found

        losses, slopes = [], []
        for at in pieces(len(rows)):
            scores, slope = self.oracle.gradient(x[at], rows[at], lambda scores, asked: told(scores, asked)[1])
            loss = np.full(len(scores), -np.inf)
            known = ~np.isnan(scores).any(axis=1)
            loss[known] = told(scores[known], rows[at][known])[0]
            losses.append(loss)
            slopes.append(np.asarray(slope, dtype=float))
        return np.concatenate(losses), np.concatenate(slopes)

    def _check(self, state: _State, rows: Rows, step: int) -> None:
        """Halve the step where too few steps rose, or nothing changed since the last check; go on from the best."""
        interval = step - max((check for check in self.checks if check < step), default=0)
        few = state.rises[rows] < self.plan.rising * interval
        same = ~state.halved[rows] & (state.checked[rows] >= state.top[rows])
        halve = few | same
        at = rows[halve]
        state.size[at] /= 2.0
        state.latent[at] = state.before[at] = state.best[at]
        state.slope[at] = state.best_slope[at]
        state.halved[rows], state.checked[rows], state.rises[rows] = halve, state.top[rows], 0


@dataclass(slots=True, kw_only=True, eq=False)
class _State:
    """Per row of the scene: the latent point, the one before, the best, and how the climb has gone."""

    rows: Rows
    latent: Rows
    before: Rows
    slope: Rows
    best: Rows
    best_slope: Rows
    top: Rows
    last: Rows
    size: Rows
    rises: Rows
    halved: Rows
    checked: Rows

    @classmethod
    def at(cls, latent: Rows, rows: Rows, total: int) -> _State:
        whole = np.zeros((total, latent.shape[1]))
        whole[rows] = latent
        return cls(
            rows=rows,
            latent=whole,
            before=whole.copy(),
            slope=np.zeros_like(whole),
            best=whole.copy(),
            best_slope=np.zeros_like(whole),
            top=np.full(total, -np.inf),
            last=np.full(total, np.inf),
            size=np.full(total, 2.0),
            rises=np.zeros(total, dtype=np.int64),
            halved=np.zeros(total, dtype=bool),
            checked=np.full(total, -np.inf),
        )


def _checks(steps: int) -> frozenset[int]:
    """The published checkpoints: gaps shrink from 22 % to 6 % of the steps."""
    at, gap, found = 0.0, 0.22, []
    while (at := at + gap) < 1.0:
        found.append(int(np.ceil(at * steps)))
        gap = max(gap - 0.03, 0.06)
    return frozenset(found)


def _start(scene: Scene, rng: Draws, rows: Rows, turn: int) -> Rows:
    if turn == 0 and scene.kind is not ScoreKind.VALUE:
        return np.array(scene.x[rows], dtype=float)
    reference = scene.reference.x if scene.reference is not None else None
    low, high = reachable(scene.schema, scene.x, scene.budget, reference)
    drawn: Rows = random_point(scene, rows, rng, turn, low, high)
    return drawn
