"""What searches over answers share: how far a row is from its goal, questions in pieces, bisection in lock-step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.target import ScoreKind
from temper.kernels.loss import margin

Rows = np.ndarray[Any, Any]
Ask = Callable[[Array, Rows], Rows]
CHUNK = 60_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Aim:
    """The goal of one scene over the rows of an oracle, on the host; `clean` is needed where success is a shift of a
    value.
    """

    scene: Scene
    y: Rows
    clean: Rows | None = None

    @classmethod
    def at(cls, oracle: OracleLike, scene: Scene) -> Aim:
        """The goal as an attack that sees scores has it."""
        return cls(scene=scene, y=fetched(scene.y), clean=fetched(oracle.clean))

    def margin(self, scores: Array, rows: Rows) -> Rows:
        """How far (n,) answers are from success, zero or less where it is reached; infinite where refused."""
        s, clean = self.scene, None if self.clean is None else self.clean[rows]
        short = margin(fetched(scores), self.y[rows], s.kind, s.threshold, s.goal, clean, s.tolerance)
        found: Rows = np.where(np.isnan(short), np.inf, short)
        return found

    def first(self) -> Rows:
        """The margin of every clean row."""
        if self.clean is None:
            return np.full(len(self.scene.x), np.inf)
        return self.margin(self.clean, np.arange(len(self.scene.x)))


def asked(oracle: OracleLike, aim: Aim, x: Array, rows: Rows) -> Rows:
    """Margins (n,) of candidates, put to the oracle in pieces that fit into memory."""
    parts = [aim.margin(oracle.scores(x[at], rows[at]), rows[at]) for at in pieces(len(rows))]
    return np.concatenate(parts) if parts else np.empty(0)


def decided(oracle: OracleLike, scene: Scene, x: Array, rows: Rows) -> Rows:
    """What decisions alone tell of candidates: 1 success, 0 none, -1 no answer because the row has no budget left."""
    parts = []
    for at in pieces(len(rows)):
        labels = fetched(oracle.labels(x[at], rows[at]))
        parts.append(np.where(labels < 0, -1, _reached(scene, labels, rows[at])))
    return np.concatenate(parts).astype(np.int64) if parts else np.empty(0, dtype=np.int64)


def _reached(scene: Scene, labels: Rows, rows: Rows) -> Rows:
    if scene.kind is ScoreKind.VALUE:
        return labels > 0
    hit: Rows = labels != fetched(scene.y)[rows] if scene.goal == "misclassify" else labels == int(scene.goal)
    return hit


def standing(oracle: OracleLike, scene: Scene) -> Rows:
    """Open rows without a success: at a fixed radius a broken row is finished, whatever else is asked of it."""
    rows = oracle.active
    return rows if scene.mode == "first" else rows[~oracle.broken[rows]]


def pieces(n: int) -> list[slice]:
    """Slices of at most CHUNK that cover range(n)."""
    return [slice(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]


def bisect(
    low: Rows, high: Rows, width: Any, holds: Callable[[Rows, Rows], Rows], limit: int = 60
) -> tuple[Rows, Rows]:
    """Halve every row's interval at once until it is no wider than `width`; `holds(middle, rows)` is true at `high`.

    Rows whose interval is narrow enough are not asked again. An answer of -1 (no budget) ends that row.

    >>> low, high = bisect(np.zeros(2), np.ones(2), 0.1, lambda t, rows: t >= np.array([0.3, 0.6])[rows])
    >>> high.round(3)
    array([0.312, 0.625])
    """
    low, high = low.astype(float).copy(), high.astype(float).copy()
    width = np.broadcast_to(np.asarray(width, dtype=float), high.shape)
    going = high - low > width
    for _ in range(limit):
        rows = np.flatnonzero(going)
        if not len(rows):
            break
        middle = (low[rows] + high[rows]) / 2
        told = np.asarray(holds(middle, rows)).astype(np.int64)
        high[rows] = np.where(told > 0, middle, high[rows])
        low[rows] = np.where(told == 0, middle, low[rows])
        going[rows] = (told >= 0) & (high[rows] - low[rows] > width[rows])
    return low, high


def beside(values: Any, model: Array) -> Array:
    """`values` in the namespace and on the device of `model`; numbers with a fraction in its precision."""
    if isinstance(model, np.ndarray) or not isinstance(values, np.ndarray):
        return values
    import torch

    return torch.as_tensor(values, device=model.device, dtype=model.dtype if values.dtype.kind == "f" else None)


def fetched(values: Array) -> Rows:
    """The values as a NumPy array."""
    return values if isinstance(values, np.ndarray) else values.detach().cpu().numpy()
