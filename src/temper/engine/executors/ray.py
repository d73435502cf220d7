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
from temper.engine.task import Part, Task

_RETRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ray:
    """`address`: a running cluster ("host:port", "auto"), else one is started on this machine and stopped at the end.

    The cluster's machines need Temper and the model's libraries installed.
    """

    address: str | None = None
    workers: int | None = None

    def run(self, tasks: Sequence[Task], world: object, started: Started) -> Iterator[tuple[Task, Part]]:
        """Yield each task with its part, in completion order."""
        ray, mine = joined(self.address, self.workers)
        try:
            yield from _drive(ray, longest_first(tasks), world, started)
        finally:
            if mine:
                ray.shutdown()


def _drive(ray: Any, tasks: list[Task], world: object, started: Started) -> Iterator[tuple[Task, Part]]:
    """As many tasks in flight as the cluster has cores, so that a task's own time cap can be kept."""
    remote = ray.remote(num_cpus=1, max_retries=_RETRIES)(_work)
    shared = ray.put(pickled(world))
    waiting = tasks[::-1]
    flying: dict[Any, tuple[Task, float]] = {}
    slots = max(int(ray.cluster_resources().get("CPU", 1)), 1)
    while waiting or flying:
        while waiting and len(flying) < slots:
            task = waiting.pop()
            started(task)
            flying[remote.remote(task, shared)] = (task, time.monotonic() + task.seconds)
        patience = max(min(deadline for _, deadline in flying.values()) - time.monotonic(), 0.01)
        ready, _ = ray.wait(list(flying), num_returns=1, timeout=patience)
        for reference in ready:
            yield flying.pop(reference)[0], _answer(ray, reference)
        for reference in [r for r, (_, deadline) in flying.items() if time.monotonic() > deadline]:
            task, _ = flying.pop(reference)
            ray.cancel(reference, force=True)
            yield task, Part(status=Status.ERROR, reason=f"no answer within {task.seconds:g} s", seconds=task.seconds)


def _answer(ray: Any, reference: Any) -> Part:
    try:
        part: Part = ray.get(reference)
        return part
    except ray.exceptions.RayError as error:
        return Part(
            status=Status.ERROR, reason=f"the cluster lost this task {_RETRIES + 1} times: {type(error).__name__}"
        )


_WORLDS: dict[int, object] = {}


def _work(task: Task, content: bytes) -> Part:
    """On a worker: unpickle the world once per process, then run the task."""
    import pickle

    from temper.engine.run_task import execute

    key = hash(content)
    if key not in _WORLDS:
        _WORLDS.clear()
        _WORLDS[key] = pickle.loads(content)  # noqa: S301 - comes from our own driver
    return execute(task, _WORLDS[key])


def joined(address: str | None, workers: int | None) -> tuple[Any, bool]:
    """Ray, on the cluster at this address or on one that is started on this machine; and whether it is ours to stop."""
    try:
        import ray
    except ImportError:
        raise TemperError("the engine `ray` is not installed", fix="pip install 'temper-ml[ray]'") from None
    mine = not ray.is_initialized()
    if mine:
        ray.init(
            address=address or "local",  # left to itself Ray joins whatever cluster somebody has started here
            num_cpus=workers if address is None else None,
            log_to_driver=False,
            include_dashboard=False if address is None else None,
        )
    return ray, mine


EXECUTOR = Ray
