"""Tasks in worker processes of this machine: a hanging or crashing worker is replaced, its task is an ERROR."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any

from temper.core.errors import TemperError
from temper.core.measure import Status
from temper.engine.executors import Started, longest_first
from temper.engine.task import Part, Task

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""What numeric libraries read at their import: each worker has one thread."""
_SERVE = "from temper.engine.executors.processes import serve; serve()"


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    pipe: Connection[Any, Any]
    log: Path
    task: Task | None = None
    deadline: float = 0.0


class Processes:
    """One worker per core by default, each with one numeric thread; fresh interpreters, killed at the end.

    Workers do not import the caller's main module, so a script needs no `if __name__ == "__main__"`. POSIX only.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1

    def run(self, tasks: Sequence[Task], world: object, started: Started) -> Iterator[tuple[Task, Part]]:
        """Yield each task with its part, in completion order."""
        waiting = longest_first(tasks)[::-1]
        with tempfile.TemporaryDirectory(prefix="temper-") as folder:
            path = Path(folder) / "world"
            path.write_bytes(pickled(world))
            workers = [_start(path) for _ in range(min(self.workers, len(waiting)))]
            try:
                while waiting or any(worker.task for worker in workers):
                    for worker in workers:
                        if worker.task is None and waiting:
                            _give(worker, waiting.pop(), started)
                    yield from _collect(workers, path)
            finally:
                for worker in workers:
                    _end(worker)


def pickled(world: object) -> bytes:
    """The world for another process; what the main module defines travels by value."""
    import cloudpickle

    try:
        content: bytes = cloudpickle.dumps(world)
    except Exception as error:
        fix = "use --engine serial, or a model in a file or an importable callable"
        raise TemperError(f"the system cannot be sent to worker processes: {error}", fix=fix) from None
    return content


def serve() -> None:
    """A worker's life: load the world once, then answer tasks until the pipe closes."""
    import pickle
    import signal

    from temper.engine.run_task import execute

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe = Connection(int(sys.argv[1]))
    world: object = pickle.loads(Path(sys.argv[2]).read_bytes())  # noqa: S301 - written by the parent a moment ago
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            pipe.send(execute(pipe.recv(), world))


def _collect(workers: list[_Worker], path: Path) -> Iterator[tuple[Task, Part]]:
    """Wait for the next answers; replace workers that died or are past their cap."""
    busy = [worker for worker in workers if worker.task]
    patience = max(min(worker.deadline for worker in busy) - time.monotonic(), 0.0)
    ready = wait([worker.pipe for worker in busy], timeout=patience + 0.01)
    for worker in busy:
        task = worker.task
        if task is None:
            continue
        if worker.pipe in ready:
            part = _receive(worker)
        elif time.monotonic() > worker.deadline:
            part = None
        else:
            continue
        worker.task = None
        if part is None:
            reason = _last_words(worker) if worker.pipe in ready else f"no answer within {task.seconds:g} s"
            part = Part(status=Status.ERROR, reason=reason, seconds=task.seconds)
            _replace(worker, path)
        yield task, part


def _receive(worker: _Worker) -> Part | None:
    """The worker's answer, or None when it died."""
    try:
        part: Part = worker.pipe.recv()
    except (EOFError, OSError):
        return None
    return part


def _last_words(worker: _Worker) -> str:
    code = worker.process.wait(timeout=5)
    lines = worker.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"the worker process died (exit code {code})" + (f": {lines[-1][:300]}" if lines else "")


def _give(worker: _Worker, task: Task, started: Started) -> None:
    started(task)
    worker.task, worker.deadline = task, time.monotonic() + task.seconds
    with contextlib.suppress(OSError):  # a worker that died while idle is found and replaced by `_collect`
        worker.pipe.send(task)


def _replace(worker: _Worker, path: Path) -> None:
    _end(worker)
    fresh = _start(path)
    worker.process, worker.pipe, worker.log = fresh.process, fresh.pipe, fresh.log


def _end(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.wait()
    worker.pipe.close()


def _start(path: Path) -> _Worker:
    """A fresh interpreter: no lock or thread is copied, and numeric libraries read their threads at import."""
    ours, theirs = Pipe()
    log = Path(tempfile.mkstemp(dir=path.parent, suffix=".log")[1])
    settings = dict.fromkeys(THREADS, "1") | {"PYTHONPATH": os.pathsep.join(place or os.getcwd() for place in sys.path)}
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(theirs.fileno()), str(path)],
            env=os.environ | settings,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
    theirs.close()
    return _Worker(process=process, pipe=ours, log=log)


EXECUTOR = Processes
