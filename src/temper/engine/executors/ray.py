"""Tasks on a Ray cluster: the same tasks, spread over machines; a lost node's tasks run again elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from temper.core.errors import TemperError
from temper.core.measure import Status
from temper.engine.executors import Started, longest_first
from temper.engine.executors.processes import pickled
from temper.engine.task import Part, Task, World

_RETRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ray:
    """`address`: a running cluster ("host:port", "auto"), else one is started on this machine and stopped at the end.

    `python_path` is what Temper's own package needs on workers of a cluster that shares no environment.
    """

    address: str | None = None
    workers: int | None = None

    def run(self, tasks: Sequence[Task], world: World, started: Started) -> Iterator[tuple[Task, Part]]:
        """Yield each task with its part, in completion order."""
        ray = _ray()
        mine = not ray.is_initialized()
        if mine:
            ray.init(
                address=self.address,
                num_cpus=self.workers if self.address is None else None,
                log_to_driver=False,
                include_dashboard=False if self.address is None else None,
            )
        try:
            yield from _drive(ray, longest_first(tasks), world, started)
        finally:
            if mine:
                ray.shutdown()


def _drive(ray: Any, tasks: list[Task], world: World, started: Started) -> Iterator[tuple[Task, Part]]:
    remote = ray.remote(num_cpus=1, max_retries=_RETRIES)(_work)
    shared = ray.put(pickled(world))
    open_tasks = {}
    for task in tasks:
        started(task)
        open_tasks[remote.remote(task, shared)] = task
    deadline = time.monotonic() + sum(task.seconds for task in tasks)
    while open_tasks:
        ready, _ = ray.wait(list(open_tasks), num_returns=1, timeout=max(deadline - time.monotonic(), 0.1))
        if not ready:
            for reference, task in open_tasks.items():
                ray.cancel(reference, force=True)
                yield task, Part(status=Status.ERROR, reason="no answer before the time cap of the run")
            return
        task = open_tasks.pop(ready[0])
        yield task, _answer(ray, ready[0])


def _answer(ray: Any, reference: Any) -> Part:
    try:
        part: Part = ray.get(reference)
        return part
    except ray.exceptions.RayError as error:
        return Part(
            status=Status.ERROR, reason=f"the cluster lost this task {_RETRIES + 1} times: {type(error).__name__}"
        )


_WORLDS: dict[int, World] = {}


def _work(task: Task, content: bytes) -> Part:
    """On a worker: unpickle the world once per process, then run the task."""
    import pickle

    from temper.engine.run_task import execute

    key = hash(content)
    if key not in _WORLDS:
        _WORLDS.clear()
        _WORLDS[key] = pickle.loads(content)  # noqa: S301 - comes from our own driver
    return execute(task, _WORLDS[key])


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise TemperError("the engine `ray` is not installed", fix="pip install 'temper-ml[ray]'") from None
    return ray


EXECUTOR = Ray
