"""A linear model, solved from as many answers as it has weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.extraction._answers import Copies, TooFew, ask, held
from temper.attacks.extraction._student import edge, from_line
from temper.core.attack import Scene
from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind

Vector = np.ndarray[Any, Any]

_OFF = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Linear:
    """A linear score: numbers by their weight, categories by a weight each; `base` is the row it was solved around."""

    base: Vector
    start: float
    slopes: Vector
    levels: tuple[Vector | None, ...]
    kind: ScoreKind
    edge: float

    @property
    def told(self) -> str:
        """What was solved."""
        return f"{sum(1 if weights is None else len(weights) - 1 for weights in self.levels) + 1} weights"

    def distance(self, x: Array) -> Vector:
        """Signed distance (n,) to the decision on the line of scores."""
        x = np.asarray(x, dtype=float)
        total = np.full(len(x), self.start)
        for at, weights in enumerate(self.levels):
            if weights is None:
                total += self.slopes[at] * (x[:, at] - self.base[at])
            else:
                total += weights[np.clip(np.nan_to_num(x[:, at]), 0, len(weights) - 1).astype(int)]
        return total - self.edge

    def scores(self, x: Array) -> Vector:
        """Flagged-class scores (n,) on the victim's scale."""
        return from_line(self.distance(x) + self.edge, self.kind)

    def flags(self, x: Array) -> Vector:
        """The decisions (n,)."""
        return self.distance(x) >= 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EquationSolving:
    """Changes one column at a time from a row it holds and solves for every weight; one more answer proves that the
    model is linear.

    As many queries as numbers plus two, and one for every further category. Refuses, and says so, where the check is
    off: then the model is not linear in its columns. Misleads where scores are rounded: a weight is then known to the
    rounding of the score divided by the step.
    Source: Tramèr et al., "Stealing machine learning models via prediction APIs", 2016.

    >>> EquationSolving().needs.words()
    'scores'
    """

    needs: ClassVar[Access] = Access.SCORES
    queries: int = 1_000

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Copies:
        """The copy, or `Unsupported` where the model is not linear or the budget too small."""
        known = held(scene, binary=True)
        schema, whole = scene.schema, known[np.isfinite(known).all(axis=1)]
        if len(whole) < 2:
            raise Unsupported("the attacker holds no two complete rows", fix="fill the missing values")
        order = rng.generator(0).permutation(len(whole))
        base, probe = whole[order[:1]], whole[order[-1:]]
        asked = _questions(schema, known, base[0])
        if len(asked) + 2 > self.queries:
            raise TooFew(f"the equations take {len(asked) + 2} queries and {self.queries} are allowed")
        x = np.concatenate([base, asked, probe])
        answers = ask(oracle, scene, x, bare=False)
        if np.isnan(answers).any():
            raise Unsupported("not every equation is answered")
        line = _line(answers, scene.kind)
        copy = _solved(schema, base[0], asked, line, scene)
        off = abs(float(copy.distance(probe)[0]) + copy.edge - line[-1])
        if off > _OFF * (1.0 + abs(float(line[-1]))):
            raise Unsupported(f"the model is not linear in its columns: a row not solved from is off by {off:.3g}")
        return Copies(steps=((len(x), copy),), x=x, answers=answers)


def _questions(schema: Schema, known: Vector, base: Vector) -> Vector:
    """One row per number, with another known value; one per category the base does not have."""
    rows = []
    for at, column in enumerate(schema.columns):
        if column.type == "category":
            values = [float(level) for level in range(len(column.categories)) if level != base[at]]
        else:
            others = known[np.isfinite(known[:, at]), at]
            values = [_beside(others, float(base[at]))]
        for value in values:
            row = base.copy()
            row[at] = value
            rows.append(row)
    return np.array(rows)


def _beside(others: Vector, value: float) -> float:
    """A known value at the usual distance: near ones drown in rounding, far ones drive the score to its end."""
    away = np.abs(others - value)
    apart = np.flatnonzero(away > 0)
    if not len(apart):
        return value + 1.0
    return float(others[apart[np.argsort(away[apart], kind="stable")[len(apart) // 2]]])


def _solved(schema: Schema, base: Vector, asked: Vector, line: Vector, scene: Scene) -> Linear:
    gain = line[1:-1] - line[0]
    slopes = np.zeros(len(schema.columns))
    levels: list[Vector | None] = []
    for at, column in enumerate(schema.columns):
        mine = np.flatnonzero(asked[:, at] != base[at])
        if column.type == "category":
            weights = np.zeros(max(len(column.categories), 1))
            weights[asked[mine, at].astype(int)] = gain[mine]
            levels.append(weights)
        else:
            slopes[at] = gain[mine[0]] / (asked[mine[0], at] - base[at])
            levels.append(None)
    return Linear(
        base=base,
        start=float(line[0]),
        slopes=slopes,
        levels=tuple(levels),
        kind=scene.kind,
        edge=edge(scene.threshold, scene.kind),
    )


def _line(answers: Vector, kind: ScoreKind) -> Vector:
    """Answers on the line where a linear model is linear; no cut at the ends, for a weight is a difference."""
    if kind is ScoreKind.MARGIN:
        return answers
    tiny = np.finfo(float).tiny
    return np.log(np.maximum(answers, tiny)) - np.log1p(-np.minimum(answers, 1.0 - np.finfo(float).epsneg))


PLUGIN = EquationSolving
