"""A copy of the model, fitted to its answers on made-up rows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from temper.attacks._queries import invent
from temper.attacks.extraction._answers import Copies, answered, ask, checkpoints, held, student
from temper.attacks.extraction._several import Several
from temper.attacks.extraction._student import Student
from temper.core.attack import Scene
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access

Vector = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrogate:
    """Asks for scores of made-up rows, half of them near the copy's threshold, and fits a student to the answers.

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
    wide: float = 0.1
    mixed: float = 0.5
    rounds: int = 2
    pool: int = 10
    bare: bool = False

    def __post_init__(self) -> None:
        shares = all(0.0 <= share <= 1.0 for share in (self.near, self.wide, self.mixed))
        if self.queries < 1 or self.rounds < 1 or self.pool < 1 or not shares:
            raise TemperError(
                f"surrogate has queries={self.queries}, rounds={self.rounds}, pool={self.pool}, near={self.near}, "
                f"wide={self.wide}, mixed={self.mixed}",
                fix="queries, rounds and pool are at least 1, near, wide and mixed are shares",
            )

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Copies:
        """Copies at every checkpoint. `oracle.scores(x)` charges each row and answers NaN beyond the budget."""
        known = held(scene)
        x, answers, sent = np.empty((0, known.shape[1])), None, 0
        copy: Student | Several | None = None
        kept: dict[int, Student | Several] = {}
        for at, upto in enumerate(self._plan()):
            asked, sent = self._choose(scene, known, copy, upto - sent, rng.generator(at)), upto
            given = ask(oracle, scene, asked, bare=self.bare)
            if not (good := answered(given)).any():
                break
            x = np.concatenate([x, asked[good]])
            answers = given[good] if answers is None else np.concatenate([answers, given[good]])
            copy = student(scene, x, answers, bare=self.bare, seed=rng.integer(1_000 + at))
            if upto in checkpoints(self.queries) or not good.all():
                kept[len(x)] = copy
            scene.progress(upto / self.queries)
        if copy is None or answers is None:
            raise Unsupported("not a single row was answered")
        return Copies(steps=tuple(kept.items()), x=x, answers=answers)

    def _plan(self) -> tuple[int, ...]:
        """Cumulative query counts: every checkpoint, and `rounds` equal parts of the way from one to the next."""
        ends = checkpoints(self.queries)
        steps = {ends[0]}
        for start, end in pairwise(ends):
            steps |= {start + (end - start) * part // self.rounds for part in range(1, self.rounds + 1)}
        return tuple(sorted(steps))

    def _choose(
        self, scene: Scene, known: Vector, copy: Student | Several | None, n: int, rng: np.random.Generator
    ) -> Vector:
        """`n` rows: from the marginals at first, later a share of them where the copy is least sure."""
        close = round(self.near * n) if copy is not None else 0
        fresh = invent(scene.schema, known, n - close, rng, self.wide, self.mixed)
        if copy is None or close == 0:
            return fresh
        many = invent(scene.schema, known, self.pool * close, rng, self.wide, self.mixed)
        nearest = np.argsort(np.abs(copy.distance(many)), kind="stable")[:close]
        return np.concatenate([fresh, many[nearest]])


PLUGIN = Surrogate
