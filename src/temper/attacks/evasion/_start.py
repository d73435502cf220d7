"""Where decision attacks start: a success anywhere in the domain, however far."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from temper.attacks.evasion._walk import Ground, unlimited
from temper.core.attack import Scene
from temper.core.data import Array
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.kernels.decision import Rows, beside, fetched
from temper.kernels.search import random_point, reachable

_NEIGHBOURS = 8
_ROUNDS = 10
_DRAWS = 10
_HELD = 5_000


def started(ground: Ground, rng: Draws) -> tuple[Array, Rows]:
    """A succeeding point (n, d) per row and which rows have one: the attacker's rows of another class, nearest first,
    then random points; every question is paid for, and a row that finds none only drops out.

    Source: nearest opposite rows after Yang, Rashtchian, Wang & Chaudhuri, "Robustness for non-parametric
    classification", 2020; random points as in HopSkipJump.
    """
    x = ground.x0 * 1.0
    found = np.zeros(len(x), dtype=bool)
    own = _neighbours(ground)
    for turn in range(_NEIGHBOURS):
        rows = _missing(ground, found)
        rows = rows[[turn < len(own[row]) for row in rows]]
        if len(rows):
            points = np.stack([own[row][turn] for row in rows])
            _try(ground, x, found, beside(points, x)[:, None], rows)
    for turn in range(_ROUNDS):
        rows = _missing(ground, found)
        if not len(rows):
            break
        _try(ground, x, found, _random(ground, rng, rows, turn), rows)
    return x, found


def _missing(ground: Ground, found: Rows) -> Rows:
    rows: Rows = ground.oracle.active
    rows = rows[~found[rows]]
    return rows


def _try(ground: Ground, x: Array, found: Rows, points: Array, rows: Rows) -> None:
    """Ask about all candidates (rows, k, d) at once and keep the nearest success of each row."""
    many = np.repeat(rows, points.shape[1])
    flat = ground.fit(points.reshape((len(many), -1)), many)
    told = ground.tells(flat, many)
    if ground.scene.schema.columns:
        told = np.where(np.asarray(ground.scene.schema.admits(flat, ground.x0[many])), told, 0)
    far = np.where(told > 0, ground.length(ground.gap(flat, many)), np.inf).reshape((len(rows), -1))
    pick = far.argmin(axis=1)
    hit = np.isfinite(far[np.arange(len(rows)), pick])
    x[rows[hit]] = flat[(np.arange(len(rows)) * points.shape[1] + pick)[hit]]
    found[rows[hit]] = True


def _random(ground: Ground, rng: Draws, rows: Rows, turn: int) -> Array:
    """Ten random points per row: from the ball first where there is one, then from anywhere."""
    many, at = np.repeat(rows, _DRAWS), np.tile(np.arange(_DRAWS) + turn * _DRAWS, len(rows))
    scene = ground.scene
    near = turn == 0 and scene.budget.radius is not None
    if scene.schema.columns:
        wide = scene if near else unlimited(scene)
        reference = scene.reference.x if scene.reference is not None else None
        low, high = reachable(scene.schema, scene.x, wide.budget, reference)
        drawn = random_point(wide, many, rng, at, low, high)
    else:
        drawn = _mixed(ground, replace(rng, like=ground.x0), many, at, scene.budget.radius if near else None)
    return drawn.reshape((len(rows), _DRAWS, -1))


def _mixed(ground: Ground, rng: Draws, rows: Rows, step: Rows, radius: float | None) -> Array:
    """Random values of the box (or of the cube of the radius) blended with the clean row by a random share."""
    x0, unit = ground.x0[rows], rng.uniform(rows, 2 * step, (ground.x0.shape[1],))
    low, high = x0 * 0 + ground.low, x0 * 0 + ground.high
    if radius is not None:
        low, high = x0 - radius, x0 + radius
    elif not np.isfinite([ground.scene.schema.low, ground.scene.schema.high]).all():
        span = beside(fetched(abs(x0)).max(axis=1, keepdims=True) + 1.0, x0)
        low, high = x0 - span, x0 + span
    share = rng.uniform(rows, 2 * step + 1, (1,))
    blend = x0 + (low + (high - low) * unit - x0) * (0.5 + 0.5 * share)
    return blend if isinstance(blend, np.ndarray) else blend.to(x0.dtype)


def _neighbours(ground: Ground) -> list[Rows]:
    """Per row the nearest rows the attacker holds whose own truth would be a success."""
    scene = ground.scene
    if scene.reference is None or not len(scene.reference.x):
        return [np.zeros((0, ground.x0.shape[1]))] * len(scene.x)
    held = fetched(scene.reference.x)[:_HELD].reshape((-1, ground.x0.shape[1]))
    truth, clean, own = fetched(scene.reference.y)[:_HELD], fetched(ground.x0), fetched(scene.y)
    free, unit = np.asarray(fetched(ground.free))[0], np.asarray(fetched(ground.unit))[0]
    found = []
    for row in range(len(clean)):
        other = held[_opposite(scene, truth, own[row])]
        far = np.where(free, np.abs((other - clean[row]) / unit), 0.0)
        size = np.nan_to_num(far.max(axis=1) if ground.norm == "linf" else (far * far).sum(axis=1), nan=np.inf)
        found.append(other[np.argsort(size, kind="stable")[:_NEIGHBOURS]])
    return found


def _opposite(scene: Scene, truth: Rows, own: Any) -> Rows:
    if scene.kind is ScoreKind.VALUE:
        return np.asarray(np.abs(truth - own) > scene.tolerance)
    return np.asarray(truth != own if scene.goal == "misclassify" else truth == int(scene.goal))
