"""Run one task wherever it lands: a crash becomes an ERROR part, never a lost run."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from temper.core.errors import TemperError, Unsupported
from temper.core.finding import Finding
from temper.core.measure import Measurement, Status
from temper.engine.identity import finding_id
from temper.engine.task import Part, Task, World, clock
from temper.store.codec import dump


def execute(task: Task, world: object) -> Part:
    """Run the task; say how long it took."""
    started = clock()
    try:
        part: Part = _room(task).run(task, world)
        dump((part.measurements, part.findings))  # what cannot be stored is this task's error, not the whole run's
    except Unsupported as refusal:
        part = Part(status=Status.UNTRIED, reason=refusal.message)
    except TemperError as error:
        part = Part(status=Status.ERROR, reason=error.message)
    except MemoryError:
        part = Part(status=Status.ERROR, reason="out of memory")
    except (Exception, SystemExit) as crash:  # a model may end the program: its exit code is no verdict
        part = Part(status=Status.ERROR, reason=f"{type(crash).__name__}: {crash}"[:500])
    return replace(part, seconds=clock() - started)


def conclude(task: Task, parts: Sequence[Part], world: World) -> tuple[tuple[Measurement, ...], tuple[Finding, ...]]:
    """What the parts of one plugin say together; a task that could not run is a measurement with that status."""
    module = _room(task)
    if hasattr(module, "conclude"):
        merged: tuple[tuple[Measurement, ...], tuple[Finding, ...]] = module.conclude(task, parts, world)
        return merged[0], tuple(_named(finding, world) for finding in merged[1])
    measurements = [measurement for part in parts for measurement in part.measurements]
    for part in parts:
        if part.status is not Status.OK and not part.measurements:
            measurements.append(_absent(task, part))
    if hasattr(module, "beside"):
        measurements += module.beside(measurements, world)
    return tuple(measurements), tuple(_named(_short(finding), world) for part in parts for finding in part.findings)


def _named(finding: Finding, world: World) -> Finding:
    """Under the id that it has in this system: the answer may be another one's."""
    return replace(finding, id=finding_id(finding.id, world.system))


def _short(finding: Finding) -> Finding:
    """A finding names its metric without the plugin, which stands beside it."""
    return replace(finding, metric=finding.metric.removeprefix(f"{finding.plugin}."))


def _absent(task: Task, part: Part) -> Measurement:
    return Measurement(
        plugin=task.figures, metric="all", value=None, status=part.status, reason=part.reason or "no reason given"
    )


def _room(task: Task) -> Any:
    family = "events" if task.room == "stress" and task.plugin.startswith("events.") else task.family
    return importlib.import_module(f"temper.engine.rooms.{family}")
