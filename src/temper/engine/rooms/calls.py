"""Calls of one function: what is spread over workers and is no part of an assessment."""

from __future__ import annotations

from temper.engine.spread import Calls
from temper.engine.task import Part, Task


def run(task: Task, world: Calls) -> Part:
    """Call the function with the item of this task."""
    return Part(evidence={"result": world.function(world.items[task.start])})
