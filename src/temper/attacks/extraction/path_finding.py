"""A tree, recovered leaf by leaf from answers that tell leaves apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks._queries import invent
from temper.attacks.extraction._answers import Copies, Copy, ask, checkpoints, held, student
from temper.attacks.extraction._boxes import Grid, Walked
from temper.attacks.extraction._student import Student
from temper.attacks.extraction._walk import Seen, Spent, Walk
from temper.core.attack import Scene
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind

Vector = np.ndarray[Any, Any]

_SINGLE, _FEWEST, _TORN = 0.8, 20, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class PathFinding:
    """Finds for every answer the box of rows that get it, side by side by bisection, until the boxes fill the domain.

    Columns that do not matter are told off together, sides already known are tried first, and what is found is checked
    on made-up rows: where two leaves share an answer their box is cut and searched again. Refuses where nearly every
    row has an answer of its own, as with linear models and large ensembles. Misleads where scores are rounded: leaves
    run together, which the checks find only in part; a missing value is taken for the column's median.
    Source: Tramèr et al., "Stealing machine learning models via prediction APIs", 2016 (section 4.2).

    >>> PathFinding(queries=2_000).probes
    60
    """

    needs: ClassVar[Access] = Access.SCORES
    queries: int = 1_000
    probes: int = 60
    checks: int = 200

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Copies:
        """Copies at every checkpoint, the last one with all that was found within the budget."""
        known = _shuffled(held(scene, binary=True), rng)
        fill = _middle(known)
        known = np.where(np.isnan(known), fill, known)
        walk = Walk(
            tell=lambda x: ask(oracle, scene, x, bare=False),
            grid=Grid.of(scene.schema, known),
            marks=list(checkpoints(self.queries)[:-1]),
        )
        try:
            self._search(walk, scene, known, fill, rng)
        except Spent:
            if not walk.spent:
                raise Unsupported("not a single row was answered") from None
        seen = [*walk.seen, walk.now()]
        steps = {len(one.x): _copy(one, scene, fill, rng) for one in seen}
        return Copies(steps=tuple(steps.items()), x=seen[-1].x, answers=seen[-1].answers)

    def _search(self, walk: Walk, scene: Scene, known: Vector, fill: Vector, rng: Draws) -> None:
        """A look at known rows, the boxes, and checks until two turns find nothing; `Unsupported` where answers are not
        leaves.
        """
        _refuse_single(walk.ask(known[: max(1, min(self.probes, self.queries // 2))]))
        walk.cover(known)
        clean = 0
        for turn in range(self.queries // self.checks + 2):
            made = invent(scene.schema, known, self.checks // 2, rng.generator(1 + turn), 0.05, 0.5)
            wrong = walk.verify(np.where(np.isnan(made), fill, made))
            if turn == 0 and wrong > _TORN:
                raise Unsupported(
                    f"answers do not tell leaves apart: {wrong:.0%} of {len(made)} rows get another answer than theirs"
                )
            walk.cover(known)
            clean = clean + 1 if wrong == 0.0 else 0
            if clean == 2:
                return


def _shuffled(known: Vector, rng: Draws) -> Vector:
    return known[rng.generator(0).permutation(len(known))]


def _middle(known: Vector) -> Vector:
    """The median of each column (d,), nought where nothing is known; a known value, so that codes stay codes."""
    with np.errstate(all="ignore"):
        return np.asarray(np.nan_to_num(np.nanquantile(known, 0.5, axis=0, method="lower")))


def _refuse_single(probed: Vector) -> None:
    different = len(np.unique(probed))
    if len(probed) >= _FEWEST and different > _SINGLE * len(probed):
        raise Unsupported(f"{len(probed)} rows have {different} different answers: these are not the leaves of a tree")
    if len(probed) >= _FEWEST and different == 1:
        raise Unsupported(f"{len(probed)} rows have the same answer: there is no second leaf to look for")


def _copy(seen: Seen, scene: Scene, fill: Vector, rng: Draws) -> Walked:
    rest: Copy = Student(model=None, kind=scene.kind, edge=0.0, bare=False)
    if not seen.whole:
        rest = student(scene, seen.x, seen.answers, bare=False, seed=rng.integer(9))
    level = (0.0 if scene.kind is ScoreKind.MARGIN else 0.5) if scene.threshold is None else scene.threshold
    whole = " that fill the domain" if seen.whole else ""
    return Walked(
        low=seen.low,
        high=seen.high,
        said=seen.said,
        fill=fill,
        rest=rest,
        edge=level,
        told=f"{len(seen.said)} boxes{whole}, {len(np.unique(seen.said))} different answers",
    )


PLUGIN = PathFinding
