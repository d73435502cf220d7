"""A copy of the model, fitted to its answers on made-up rows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from temper.attacks.extraction._queries import invent
from temper.attacks.extraction._student import Student, edge, fit_student
from temper.core.attack import Scene
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.loss import decide, flagged_score

Vector = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Copies:
    """Students after growing numbers of answered queries: (queries, student), the last one is the best."""

    steps: tuple[tuple[int, Student], ...]
    x: Vector
    answers: Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrogate:
    """Asks for scores of rows drawn column by column, half of each round near the copy's threshold, and fits trees.

    The attacker holds a few unlabelled rows (`scene.reference`) and a query budget; `bare` uses decisions only.
    Misleads as a bound for linear models, which fewer queries solve exactly, and for attackers with many natural rows.
    Source: Tramèr et al., "Stealing machine learning models via prediction APIs", 2016; active sampling from Pal et
    al., "ActiveThief", 2020.

    >>> Surrogate(queries=300).queries
    300
    """

    needs: ClassVar[Access] = Access.LABELS
    queries: int = 1_000
    near: float = 0.5
    rounds: int = 2
    pool: int = 10
    bare: bool = False

    def __post_init__(self) -> None:
        if self.queries < 1 or self.rounds < 1 or self.pool < 1 or not 0.0 <= self.near <= 1.0:
            raise TemperError(
                f"surrogate has queries={self.queries}, rounds={self.rounds}, pool={self.pool}, near={self.near}",
                fix="queries, rounds and pool are at least 1, near is a share",
            )

    def _checkpoints(self) -> tuple[int, ...]:
        """Query counts at which a copy is kept, for the fidelity curve."""
        return (*(n for n in (100, 300, 1_000, 3_000) if n < self.queries), self.queries)

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Copies:
        """Copies at every checkpoint. `oracle.scores(x)` charges each row and answers NaN beyond the budget."""
        if scene.reference is None or len(scene.reference) < 2:
            raise Unsupported("the attacker holds no rows to learn the columns from")
        if scene.classes != 2 or not scene.schema.columns:
            raise Unsupported("extraction is measured on binary tables")
        known = np.asarray(scene.reference.x, dtype=float)
        x, answers = np.empty((0, known.shape[1])), np.empty(0)
        copy: Student | None = None
        kept: dict[int, Student] = {}
        for at, upto in enumerate(self._plan()):
            asked = self._choose(scene, known, copy, upto - len(x), rng.generator(at))
            given = self._ask(oracle, scene, asked)
            answered = ~np.isnan(given)
            x, answers = np.concatenate([x, asked[answered]]), np.concatenate([answers, given[answered]])
            if not len(x):
                raise Unsupported("the query budget answers no row at all")
            copy = self._fit(scene, x, answers, rng.integer(1_000 + at))
            if upto in self._checkpoints() or not answered.all():
                kept[len(x)] = copy
            scene.progress(upto / self.queries)
            if not answered.all():
                break
        return Copies(steps=tuple(kept.items()), x=x, answers=answers)

    def _plan(self) -> tuple[int, ...]:
        """Cumulative query counts: every checkpoint, and `rounds` equal parts of the way from one to the next."""
        ends = self._checkpoints()
        steps = {ends[0]}
        for start, end in pairwise(ends):
            steps |= {start + (end - start) * part // self.rounds for part in range(1, self.rounds + 1)}
        return tuple(sorted(steps))

    def _choose(self, scene: Scene, known: Vector, copy: Student | None, n: int, rng: np.random.Generator) -> Vector:
        """`n` rows: from the marginals at first, later a share of them where the copy is least sure."""
        close = round(self.near * n) if copy is not None else 0
        fresh = invent(scene.schema, known, n - close, rng)
        if copy is None or close == 0:
            return fresh
        many = invent(scene.schema, known, self.pool * close, rng)
        nearest = np.argsort(np.abs(copy.distance(many)), kind="stable")[:close]
        return np.concatenate([fresh, many[nearest]])

    def _ask(self, oracle: Any, scene: Scene, x: Vector) -> Vector:
        """What the target says (n,): flagged-class scores, or decisions 0 and 1 when `bare`; NaN where refused."""
        scores = np.asarray(oracle.scores(x), dtype=float)
        refused = np.isnan(scores).any(axis=1)
        said = flagged_score(scores, scene.kind)
        if self.bare:
            said = (decide(np.where(refused[:, None], 0.0, scores), scene.kind, scene.threshold) == 1).astype(float)
        return np.where(refused, np.nan, said)

    def _fit(self, scene: Scene, x: Vector, answers: Vector, seed: int) -> Student:
        level = 0.5 if self.bare else edge(scene.threshold, scene.kind)
        many = np.array([c.type == "category" for c in scene.schema.columns])
        return fit_student(x, answers, scene.kind, level, bare=self.bare, categorical=many, seed=seed)


PLUGIN = Surrogate
