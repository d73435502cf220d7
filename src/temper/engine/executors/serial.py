"""Tasks one after another in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from temper.core.deadline import TooLate, within
from temper.core.measure import Status
from temper.engine.executors import Started, longest_first
from temper.engine.run_task import execute
from temper.engine.task import Part, Task


class Serial:
    """One task at a time; a task past its cap is given up (its thread cannot be killed, so prefer `processes`)."""

    def run(self, tasks: Sequence[Task], world: object, started: Started) -> Iterator[tuple[Task, Part]]:
        """Yield each task with its part."""
        for task in longest_first(tasks):
            started(task)
            try:
                part = within(task.seconds, partial(execute, task, world))
            except TooLate:
                part = Part(status=Status.ERROR, reason=f"no answer within {task.seconds:g} s", seconds=task.seconds)
            yield task, part


EXECUTOR = Serial
