"""A field of a campaign over one victim: the attacker's only way to it, which charges and judges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.campaign._cases import Case
from temper.core.campaign import Attacker, Campaign, Objective
from temper.core.data import Data
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.engine.campaign.door import Once, Told
from temper.engine.campaign.ground import Ground
from temper.engine.campaign.inside import Inside

Array = Any
HELD, WANTED = 200, 100


class Forgotten:
    """A journal that keeps nothing: every run of a bench asks anew."""

    def get(self, key: bytes) -> None:
        """Nothing is there."""

    def put(self, key: bytes, value: Told) -> None:
        """Nothing is kept."""


def field(case: Case, seed: int, queries: int) -> Ground:
    """Wanted rows that have all been stopped once, with the scores that were told then: nobody pays for these again."""
    rows, (x, y) = case.drawn(seed, WANTED, HELD)
    wanted = Data(x=rows, y=np.ones(len(rows), dtype=np.int64))
    system = Protected(name=case.name, target=case.target, data=wanted, schema=case.schema, threshold=case.threshold)
    attacker = Attacker(queries=queries + 1, pace=0.0, change=case.cost, held=len(x), wanted=len(rows))
    campaign = Campaign(objectives=(Objective(goal=len(rows)),), attacker=attacker, slice=queries)
    on = Ground(
        campaign=campaign,
        door=Inside(system=system, once=Once(journal=Forgotten(), scope="bench")),
        known=Data(x=x, y=y),
        wanted=wanted,
        suspects=np.empty((0, x.shape[1])),
        full=case.schema,
        seed=seed,
        kept={"threshold": case.threshold},
    )
    before = case.target.scores(rows)[:, 1]
    on.told.extend(
        (row, Told(at=0.0, score=float(score)), "", "before") for row, score in zip(rows, before, strict=True)
    )
    return on


def play(on: Ground, name: str, technique: Any, seed: int, queries: int) -> None:
    """One turn of one technique with so many queries."""
    if queries <= 0:
        return
    on.begin(on.campaign.objectives[0], name, queries)
    technique.play(on, Draws(seed, f"bench.{name}"))


def passed(on: Ground, upto: int | None = None) -> Array:
    """Which wanted rows got through (within the first so many queries)."""
    through = np.zeros(len(on.wanted), dtype=bool)
    through[[one.row for one in on.got if upto is None or one.queries <= upto]] = True
    return through


Arm = Callable[[Case, int, int], Array]
