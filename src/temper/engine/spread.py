"""`map` over the workers of an engine: one function, many items, and the results in the order of the items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from temper.core.errors import TemperError
from temper.core.measure import Status
from temper.engine.executors import executor
from temper.engine.task import Task

_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What the tasks of the room `calls` run in."""

    function: Callable[[Any], Any]
    items: Sequence[Any]


def spread(engine: str, workers: int | None = None, address: str | None = None) -> Callable[..., Iterable[Any]]:
    """What does as `map` does, by this engine; `serial` is `map` itself.

    >>> list(spread("serial")(abs, [-1, 2]))
    [1, 2]
    """
    if engine == "serial":
        return map
    made = executor(engine, workers=workers, **({"address": address} if engine == "ray" else {}))

    def mapped(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        calls = Calls(function=function, items=tuple(items))
        tasks = [
            Task(room="calls", plugin=str(item), start=at, seconds=_SECONDS) for at, item in enumerate(calls.items)
        ]
        ready, due = dict[int, Any](), 0
        for task, part in made.run(tasks, calls, lambda begun: None):
            if part.status is not Status.OK:
                raise TemperError(f"{task.plugin}: {part.reason}", fix="see it alone with --engine serial")
            ready[task.start] = part.evidence["result"]
            while due in ready:
                yield ready.pop(due)
                due += 1

    return mapped
