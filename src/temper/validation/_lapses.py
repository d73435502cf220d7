"""What a model gets wrong on held-out rows, each kind of mistake among the rows where it can happen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.kernels.loss import decide
from temper.validation._measured import scored

LARGE = 0.9
"""The quantile of absolute errors above which an error of a regression is a large one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lapse:
    """A kind of mistake: `rows` are positions in the scene where it can happen, `hit` (bool, same length) where it
    does, `among` names these rows.

    `misses` of class 1 and `alarms` on class 0 stand apart, so that the rare class is never outvoted.
    """

    metric: str
    among: str
    rows: Any
    hit: Any


def lapses(scene: Scene) -> tuple[Lapse, ...]:
    """Two classes: `misses` and `alarms` at the operating threshold; more: `errors`; values: `large_errors`."""
    scores, y = scored(scene), np.asarray(scene.y)
    if scene.kind is ScoreKind.VALUE:
        off = np.abs(y - scores[:, 0])
        limit = np.quantile(off, LARGE) if len(off) else 0.0
        return (Lapse(metric="large_errors", among="rows", rows=np.arange(len(y)), hit=off > limit),)
    decided = np.asarray(decide(scores, scene.kind, scene.threshold))
    if scene.classes > 2:
        return (Lapse(metric="errors", among="rows", rows=np.arange(len(y)), hit=decided != y),)
    ones, zeros = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    return (
        Lapse(metric="misses", among="rows of class 1", rows=ones, hit=decided[ones] != 1),
        Lapse(metric="alarms", among="rows of class 0", rows=zeros, hit=decided[zeros] == 1),
    )


def halves(rows: Any, scene: Scene, draws: Draws) -> tuple[Any, Any]:
    """Masks over `rows`: on which something is looked for, and on which it is judged; by sample, not by order."""
    first = np.asarray(Draws(draws.seed, draws.name, scene.ids).uniform(rows, 0)) < 0.5
    return first, ~first
