"""What the extraction attacks share: metered answers, the copies kept on the way, and the student fitted to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from temper.attacks.extraction._several import Several, fit_several
from temper.attacks.extraction._student import Student, edge, fit_student
from temper.core.attack import Scene
from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.target import ScoreKind
from temper.kernels.loss import decide, flagged_score

Vector = np.ndarray[Any, Any]


class TooFew(Unsupported):
    """The query budget decides nothing; the message says how many queries it takes."""


class Copy(Protocol):
    """A stolen model: flagged-class scores (n,) on the victim's scale, and its decisions at the victim's threshold.

    Of several classes: shares (n, k), and class numbers.
    """

    def scores(self, x: Array) -> Vector:
        """Scores (n,), or shares (n, k)."""

    def flags(self, x: Array) -> Vector:
        """Decisions (n,), true where it flags, or class numbers."""


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


def held(scene: Scene, *, binary: bool = False, made_up: bool = True) -> Vector:
    """The rows the attacker holds; `Unsupported` where he has none, or where he cannot do with them what he has to.

    `binary`: he solves for one score. `made_up`: he fills in columns.
    """
    if scene.reference is None or len(scene.reference) < 2:
        raise Unsupported("the attacker holds no rows to learn the columns from")
    if np.asarray(scene.reference.x).dtype == object:
        raise Unsupported("a copy is fitted to tables and pictures, and these are texts")
    if scene.classes < 2 or (binary and scene.classes != 2):
        raise Unsupported(f"it solves for one score, and the model has {scene.classes} classes")
    if made_up and not scene.schema.columns:
        raise Unsupported("its rows are made up column by column, and the schema has no columns")
    return np.asarray(scene.reference.x, dtype=float)


def ask(oracle: Any, scene: Scene, x: Vector, *, bare: bool) -> Vector:
    """What the target says: flagged-class scores (n,), or decisions 0 and 1 when `bare`; NaN where refused.

    Of several classes the shares (n, k), certain ones when `bare`.
    """
    scores = np.asarray(oracle.scores(x), dtype=float)
    refused = np.isnan(scores).any(axis=1)
    given = np.where(refused[:, None], 0.0, scores)
    if scene.classes > 2:
        said = np.eye(scene.classes)[given.argmax(axis=1)] if bare else shares(given, scene.kind)
        return np.where(refused[:, None], np.nan, said)
    said = flagged_score(given, scene.kind)
    if bare:
        said = (decide(given, scene.kind, scene.threshold) == 1).astype(float)
    return np.where(refused, np.nan, said)


def shares(scores: Vector, kind: ScoreKind) -> Vector:
    """Probabilities (n, k) of several classes."""
    if kind is ScoreKind.PROBABILITIES:
        return scores
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def answered(answers: Vector) -> Vector:
    """Which rows (n,) got an answer."""
    return np.asarray(~np.isnan(answers.reshape((len(answers), -1))).any(axis=1))


def student(scene: Scene, x: Vector, answers: Vector, *, bare: bool, seed: int) -> Student | Several:
    """A model of the answers, deciding where the victim does."""
    many = np.array([c.type == "category" for c in scene.schema.columns] or [False] * int(np.prod(x.shape[1:])))
    if scene.classes > 2:
        return fit_several(x, answers, bare=bare, categorical=many, seed=seed)
    level = 0.5 if bare else edge(scene.threshold, scene.kind)
    return fit_student(x, answers, scene.kind, level, bare=bare, categorical=many, seed=seed)
