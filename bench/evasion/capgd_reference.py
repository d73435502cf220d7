"""CAPGD as its paper describes it, on torch and NumPy alone: the peer of `bench.evasion.constrained`.

Simonetto, Ghamizi & Cordy, "Constrained adaptive attack", 2024, section 4: AutoPGD's steps (momentum .75, steps halved
at checkpoints) on the cross-entropy, projection onto the ball, then the repair of the constraints at every iterate,
from the clean row and from random points. It keeps no fractions between repairs and sees no slope through derived
columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A module of logits, rows with their class, what may be moved by how much, and the repair of the constraints."""

    model: Any
    x: Array
    y: Array
    low: Array
    high: Array
    scale: Array
    movable: Array
    norm: str
    radius: float
    repair: Callable[[Array, Array], Array]
    counts: Callable[[Array, Array], Array]


def attacked(task: Task, steps: int, restarts: int, seed: int = 0) -> Array:
    """Which rows some iterate breaks that is admissible and in the ball."""
    rng = np.random.default_rng(seed)
    broken = np.zeros(len(task.x), dtype=bool)
    for turn in range(restarts):
        open_rows = np.flatnonzero(~broken)
        if not len(open_rows):
            break
        start = task.x[open_rows].copy()
        if turn:
            noise = rng.uniform(-1, 1, start.shape) * task.radius * task.scale * task.movable
            start = task.repair(_projected(task, start + noise, open_rows), task.x[open_rows])
        broken[open_rows] = _run(task, open_rows, start, steps)
    return broken


def _run(task: Task, rows: Array, x: Array, steps: int) -> Array:
    """AutoPGD with a repair after every step."""
    n = len(rows)
    hit, size = np.zeros(n, dtype=bool), np.full(n, 2.0 * task.radius)
    loss, slope, wrong = _asked(task, x, rows)
    hit |= wrong & task.counts(x, task.x[rows])
    old, best, best_slope, top = x.copy(), x.copy(), slope.copy(), loss.copy()
    rises, last, checked, halved = np.zeros(n), loss.copy(), loss.copy(), np.zeros(n, dtype=bool)
    checks, before = _checkpoints(steps), 0
    for step in range(1, steps + 1):
        ahead = task.repair(_projected(task, x + size[:, None] * _direction(task, slope), rows), task.x[rows])
        keep = 1.0 if step == 1 else 0.75
        mixed = _projected(task, x + keep * (ahead - x) + (1 - keep) * (x - old), rows)
        x, old = task.repair(mixed, task.x[rows]), x
        loss, slope, wrong = _asked(task, x, rows)
        hit |= wrong & task.counts(x, task.x[rows])
        rises += loss > last
        last = loss
        better = loss > top
        top[better], best[better], best_slope[better] = loss[better], x[better], slope[better]
        if step in checks:
            halve = (rises < 0.75 * (step - before)) | (~halved & (checked >= top))
            size[halve] /= 2
            x[halve], old[halve], slope[halve] = best[halve], best[halve], best_slope[halve]
            halved, checked, rises, before = halve, top.copy(), np.zeros(n), step
        if hit.all():
            break
    return hit


def _asked(task: Task, x: Array, rows: Array) -> tuple[Array, Array, Array]:
    """Cross-entropy, its slope, and whether the decision is wrong."""
    import torch

    point = torch.as_tensor(x, dtype=torch.float32).requires_grad_(True)
    truth = torch.as_tensor(task.y[rows])
    logits = task.model(point)
    loss = torch.nn.functional.cross_entropy(logits, truth, reduction="none")
    (slope,) = torch.autograd.grad(loss.sum(), point)
    wrong = logits.detach().argmax(1) != truth
    return loss.detach().numpy().astype(float), slope.numpy().astype(float) * task.movable, wrong.numpy()


def _direction(task: Task, slope: Array) -> Array:
    if task.norm == "linf":
        return np.sign(slope) * task.scale
    scaled = slope * task.scale
    return scaled / np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-12) * task.scale


def _projected(task: Task, x: Array, rows: Array) -> Array:
    x0 = task.x[rows]
    delta = (np.clip(x, task.low[rows], task.high[rows]) - x0) / task.scale * task.movable
    if task.norm == "linf":
        delta = np.clip(delta, -task.radius, task.radius)
    else:
        length = np.linalg.norm(delta, axis=1, keepdims=True)
        delta = delta * np.minimum(1.0, task.radius / np.maximum(length, 1e-12))
    return np.where(task.movable, x0 + delta * task.scale, x)


def _checkpoints(steps: int) -> set[int]:
    found, at, gap = set(), 0.0, 0.22
    while (at := at + gap) < 1:
        found.add(int(np.ceil(at * steps)))
        gap = max(gap - 0.03, 0.06)
    return found
