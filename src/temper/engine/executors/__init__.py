"""Where tasks run: here, in processes of this machine, or on a Ray cluster. Same tasks, same results."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from temper.core.errors import TemperError
from temper.engine.task import Part, Task

ENGINES = ("serial", "processes", "ray")
Started = Callable[[Task], None]


class Executor(Protocol):
    """Yields (task, part) in completion order."""

    def run(self, tasks: Sequence[Task], world: object, started: Started) -> Iterator[tuple[Task, Part]]:
        """Run every task; a task that crashes, hangs or loses its worker gives an ERROR part."""


def executor(name: str, **options: Any) -> Executor:
    """The executor of this name, imported only now."""
    if name not in ENGINES:
        raise TemperError(f"unknown engine {name!r}", fix=f"use one of {', '.join(ENGINES)}")
    module = importlib.import_module(f"temper.engine.executors.{name}")
    made: Executor = module.EXECUTOR(**options)
    return made


def longest_first(tasks: Iterable[Task]) -> list[Task]:
    """Refits before predictions, so that no worker starts the longest task last."""
    order = {"inversion": 0, "poisoning": 1, "extraction": 2, "evasion": 3, "fuzz": 3, "stress": 4, "validation": 5}
    return sorted(tasks, key=lambda task: order.get(task.family, 9))
