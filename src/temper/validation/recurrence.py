"""Whether rows of past incidents are decided wrongly again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from temper.core.attack import Scene
from temper.core.breach import AGAIN, Breach, Breached
from temper.core.finding import Example
from temper.core.measure import Better, Measurement
from temper.core.recurrence import Recurrence as Row
from temper.kernels.loss import decide, flagged_score
from temper.validation._measured import Floats, not_applicable, scored

NAME = "recurrence"
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """The rows under `assess: recurrences:` are asked again, each once: `wrong` counts those that are not decided as
    they have to be, one figure per incident.

    Misleads where a model has learnt these very rows by heart: it says nothing of rows beside them, which an assessment
    attacks anew. Counts of all rows there are, so there is no interval.
    Source: Lunney & Lueder, "Postmortem culture", in Beyer et al., "Site reliability engineering", 2016.

    >>> Recurrence(cases=(Row(id="a", row=(1.0,), expected=1, origin="ann", incident="3"),)).cases[0].incident
    '3'
    """

    cases: tuple[Row, ...] = ()

    def measure(self, scene: Scene) -> Breached | tuple[Measurement, ...]:
        """`wrong` of each incident, and the rows that show it."""
        if not self.cases:
            return not_applicable(NAME, "no incident is kept under assess.recurrences")
        x = np.array([one.row for one in self.cases], dtype=np.asarray(scene.x).dtype)
        scores = scored(replace(scene, x=x))
        said = np.asarray(decide(scores, scene.kind, scene.threshold))
        level = np.asarray(flagged_score(scores, scene.kind), dtype=np.float64)
        names = list(dict.fromkeys(one.incident for one in self.cases))
        told = [self._one(name, said, level, x, scene) for name in names]
        return Breached(measurements=tuple(m for m, _ in told), breaches=tuple(b for _, b in told if b is not None))

    def _one(
        self, incident: str, said: Floats, level: Floats, x: Floats, scene: Scene
    ) -> tuple[Measurement, Breach | None]:
        own = [at for at, one in enumerate(self.cases) if one.incident == incident]
        wrong = [at for at in own if said[at] != self.cases[at].expected]
        of, many = f"incident:{incident}", float(len(wrong))
        measured = Measurement(
            plugin=NAME, metric="wrong", value=many, low=many, high=many, n=len(own), unit="cases", better=Better.LOWER,
            slice=of, method="every case is asked once", queries=len(own), counts="cases",
        )  # fmt: skip
        if not wrong:
            return measured, None
        return measured, Breach(
            title=f"{AGAIN}incident {incident}",
            metric="wrong",
            slice=of,
            severity="high",
            detail=f"{len(wrong):,} of its {len(own):,} rows: {self._told(wrong[:_SHOWN], said)}",
            examples=tuple(_example(at, level, x, scene) for at in wrong[:_SHOWN]),
        )

    def _told(self, wrong: list[int], said: Floats) -> str:
        cases = ((self.cases[at], said[at]) for at in wrong)
        return "; ".join(f"{one.id} is of class {one.expected} and decided {found}" for one, found in cases)


def _example(at: int, level: Floats, x: Floats, scene: Scene) -> Example:
    """The row as it is: there is none that it was made from."""
    changes = tuple(scene.schema.decode(x[at], x[at])) if scene.schema.columns else ()
    score = float(level[at])
    return Example(sample=at, changes=changes, score_before=score, score_after=score, queries=1, cost=0.0)


PLUGIN = Recurrence
