"""Finished tasks in the store: written after every task, read before running one."""

from __future__ import annotations

from temper.core.finding import Finding
from temper.core.measure import Measurement, Status
from temper.engine.task import Part, Task
from temper.store.codec import dump, load
from temper.store.database import Store


def remember(store: Store, key: str, task: Task, part: Part) -> None:
    """Keep a finished part. What ran out of time or crashed is not finished: it is tried again next time."""
    if part.status in (Status.OK, Status.UNTRIED) and not _cut_off(part):
        document = {
            "measurements": [dump(measurement) for measurement in part.measurements],
            "findings": [dump(finding) for finding in part.findings],
            "status": part.status.value,
            "reason": part.reason,
            "seconds": part.seconds,
            "queries": part.queries,
        }
        store.save_task(key, task.name, document, part.evidence)


def recall(store: Store, key: str) -> Part | None:
    """The part of a finished task, equal to what was kept, or None."""
    found = store.task(key)
    if found is None:
        return None
    document, arrays = found
    return Part(
        measurements=tuple(load(Measurement, plain) for plain in document["measurements"]),
        findings=tuple(load(Finding, plain) for plain in document["findings"]),
        evidence=arrays,
        status=Status(document["status"]),
        reason=document["reason"],
        seconds=document["seconds"],
        queries=document["queries"],
    )


def _cut_off(part: Part) -> bool:
    return "time" in part.evidence.get("reasons", ())
