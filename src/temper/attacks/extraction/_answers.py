"""What the extraction attacks share: metered answers, the copies kept on the way, and the student fitted to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from temper.attacks.extraction._student import Student, edge, fit_student
from temper.core.attack import Scene
from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.kernels.loss import decide, flagged_score

Vector = np.ndarray[Any, Any]


class TooFew(Unsupported):
    """The query budget decides nothing; the message says how many queries it takes."""


class Copy(Protocol):
    """A stolen model: flagged-class scores (n,) on the victim's scale, and its decisions at the victim's threshold."""

    def scores(self, x: Array) -> Vector:
        """Scores (n,)."""

    def flags(self, x: Array) -> Vector:
        """Decisions (n,), true where it flags."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Copies:
    """Copies after growing numbers of answered queries: (queries, copy), the last one is the best."""

    steps: tuple[tuple[int, Copy], ...]
    x: Vector
    answers: Vector


def checkpoints(queries: int) -> tuple[int, ...]:
    """Query counts at which a copy is kept, for the fidelity curve.

    >>> checkpoints(1_000)
    (100, 300, 1000)
    """
    return (*(n for n in (100, 300, 1_000, 3_000) if n < queries), queries)


def held(scene: Scene) -> Vector:
    """The rows the attacker holds; `Unsupported` where he has none, or the system is no binary table."""
    if scene.reference is None or len(scene.reference) < 2:
        raise Unsupported("the attacker holds no rows to learn the columns from")
    if scene.classes != 2 or not scene.schema.columns:
        raise Unsupported("extraction is measured on binary tables")
    return np.asarray(scene.reference.x, dtype=float)


def ask(oracle: Any, scene: Scene, x: Vector, *, bare: bool) -> Vector:
    """What the target says (n,): flagged-class scores, or decisions 0 and 1 when `bare`; NaN where refused."""
    scores = np.asarray(oracle.scores(x), dtype=float)
    refused = np.isnan(scores).any(axis=1)
    said = flagged_score(scores, scene.kind)
    if bare:
        said = (decide(np.where(refused[:, None], 0.0, scores), scene.kind, scene.threshold) == 1).astype(float)
    return np.where(refused, np.nan, said)


def student(scene: Scene, x: Vector, answers: Vector, *, bare: bool, seed: int) -> Student:
    """Boosted trees on the answers, deciding where the victim does."""
    level = 0.5 if bare else edge(scene.threshold, scene.kind)
    many = np.array([c.type == "category" for c in scene.schema.columns])
    return fit_student(x, answers, scene.kind, level, bare=bare, categorical=many, seed=seed)
