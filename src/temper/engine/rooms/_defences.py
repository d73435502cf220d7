"""What a finding may be answered with, by the catalogue's entry of its threat."""

from __future__ import annotations

from temper.engine.task import Task, World
from temper.threats.rules import catalogue


def against(task: Task, world: World) -> tuple[str, ...]:
    """The defences that the catalogue names against the task's threat and the model allows, in its order."""
    threat = task.scenario.partition("@")[0]
    return world.applicable(next((entry.defences for entry in catalogue() if entry.id == threat), ()))
