"""What the rooms whose attacks return a payload share: building the plugin, skipping with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from temper.core.measure import Better, Measurement, Status
from temper.core.target import Access, ScoreKind
from temper.engine.task import Part, Task, World


def build(world: World, task: Task, **suggested: Any) -> Any:
    """The task's plugin. What the suite suggests is given to plugins that know the option; what the user says wins."""
    room = world.room("attacks")
    known = {field.name for field in fields(room.get(task.plugin))}
    return room.build(task.plugin, {k: v for k, v in suggested.items() if k in known} | dict(task.options))


def why_not(world: World, *, needs: Access, train: bool) -> str:
    """Why this system cannot be tried, or "" when it can."""
    missing = needs & ~world.target.access
    if missing:
        return f"the attack needs {missing.words()}, the target offers {world.target.access.words()}"
    if train and (world.system.train is None or not len(world.system.train)):
        return "the system names no training data"
    if world.target.kind is ScoreKind.VALUE:
        return "the attack is measured on classifiers and the target predicts a value"
    return ""


def untried(task: Task, metrics: Sequence[str], reason: str) -> Part:
    """A part that says for every metric why there is no figure, so that no requirement passes for lack of one."""
    silent = tuple(
        Measurement(
            plugin=task.plugin,
            metric=metric,
            value=None,
            better=Better.LOWER,
            status=Status.UNTRIED,
            reason=reason,
        )
        for metric in metrics
    )
    return Part(measurements=silent, status=Status.UNTRIED, reason=reason)
