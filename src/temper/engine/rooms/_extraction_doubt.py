"""What makes a figure of extraction INCONCLUSIVE: an endpoint that stopped or changed, or too few queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from temper.attacks.extraction._answers import Copies
from temper.attacks.extraction._several import Several
from temper.attacks.extraction._student import Student
from temper.core.measure import Better, Measurement, Status
from temper.engine.rooms._extraction_door import Door
from temper.engine.task import Part, Task

_LEAST, _FEW = 100, 0.05


def doubts(door: Door, copies: Copies, wanted: int, limited: bool = False) -> str:
    """Why the copy is no measure of the model as it is, or ""; a few rows are asked again, charged.

    `limited`: the service itself answers no more, so that few queries are no weakness of the attack.
    """
    asked, copy = copies.steps[-1]
    found = [door.changed()]
    if door.stopped:
        found.append(f"the endpoint stopped after {asked:,} of {wanted:,} queries: {door.stopped}")
    elif door.failed > _FEW * asked:
        found.append(f"the endpoint failed on {door.failed} of {door.failed + asked:,} rows")
    elif asked < _LEAST and not limited and isinstance(copy, Student | Several):
        found.append(f"{asked} queries cannot show that a model is hard to copy; it takes {_LEAST}")
    return "; ".join(filter(None, found))


def doubted(measurements: Sequence[Measurement], doubt: str) -> tuple[Measurement, ...]:
    """The figures as they are, INCONCLUSIVE with the reason where there is one: another attack may do better."""
    if not doubt:
        return tuple(measurements)
    return tuple(
        replace(m, status=Status.INCONCLUSIVE, reason=doubt) if m.status is Status.OK else m for m in measurements
    )


def undecided(task: Task, metrics: Sequence[str], reason: str, queries: int) -> Part:
    """A part without figures that says why, and what was spent."""
    silent = tuple(
        Measurement(
            plugin=task.plugin,
            metric=metric,
            value=None,
            better=Better.LOWER,
            status=Status.INCONCLUSIVE,
            reason=reason,
            queries=queries,
        )
        for metric in metrics
    )
    return Part(measurements=silent, status=Status.INCONCLUSIVE, reason=reason, queries=queries)
