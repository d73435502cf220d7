"""Two workers against one: worker processes, and a Ray cluster on this machine.

    python -m bench.workers [--quick]

The evasion tasks of the fraud demo (SIMULATED), one thread each, the same tasks in turns with one worker and with two.
Start-up (interpreters, the model and its libraries, the cluster) is what passes before the first task begins and is
printed apart. Beside it stands what two plain busy loops gain over one on the same machine at the same time: no engine
can do better than that. `inside tasks` is the share of the two workers' time spent in tasks: what is missing from 100
is the engine's, the rest of a missing gain is the machine's.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.table import goal, load, machine, median, table

RATIO = 1.7
SHARDS, ROWS = 10, 20
_SPIN = "total = 0\nfor k in range({}):\n    total += k * k"


def main(words: list[str]) -> int:
    """Print the table and the goals."""
    quick = "--quick" in words
    print(machine("numpy", "xgboost-cpu", "ray"))
    with tempfile.TemporaryDirectory() as folder:
        from temper.demos import fraud

        world, tasks = _tasks(fraud.write(Path(folder) / "fraud"))
        loads, rows, gains = [load()], [], {}
        for engine, repeats in (("processes", 3 if quick else 7), ("ray", 2 if quick else 4)):
            gains[engine], line = _compare(engine, world, tasks, repeats)
            rows.append(line)
            loads.append(load())
    columns = [
        "engine",
        "1 worker s",
        "2 workers s",
        "gain",
        "two busy loops",
        "inside tasks %",
        "start-up 1",
        "start-up 2",
        "n",
    ]
    table(f"{len(tasks)} evasion tasks of {ROWS} rows, seconds after start-up", columns, rows)
    print(f"load average while it ran: {min(loads):.1f} to {max(loads):.1f}")
    for engine, (gain, ceiling) in gains.items():
        goal(f"two workers against one, {engine}", gain, RATIO, "x", at_least=True)
        print(f"  that is {gain / ceiling:.0%} of what two busy loops gained at the same time ({ceiling:.2f} x)")
    return 0


def _tasks(path: Path) -> tuple[Any, list[Any]]:
    """The world with enough attacked rows, and the evasion tasks over it in small shards."""
    import temper
    from temper.engine.plan import draw, plan
    from temper.engine.task import SUITES

    system = temper.load(path)
    world = draw(system, replace(SUITES["standard"], attacked=SHARDS * ROWS, shard=ROWS), 0)
    single = {task.plugin: task for task in plan(system, "standard", ["evasion"]).tasks}
    starts = range(0, len(world.attacked), ROWS)
    tasks = [
        replace(task, start=start, stop=min(start + ROWS, len(world.attacked)), sizes=world.sizes)
        for task in single.values()
        for start in starts
    ]
    return world, tasks


def _compare(engine: str, world: Any, tasks: Sequence[Any], repeats: int) -> tuple[tuple[float, float], list[object]]:
    """One and two workers in turns; the median gain with the busy loops' gain, and the line of the table."""
    times: dict[int, list[float]] = {1: [], 2: []}
    starts: dict[int, list[float]] = {1: [], 2: []}
    shares: dict[int, list[float]] = {1: [], 2: []}
    loops = []
    for turn in range(repeats):
        for workers in (1, 2) if turn % 2 == 0 else (2, 1):
            start, busy, inside = _run(engine, workers, world, tasks)
            starts[workers].append(start)
            times[workers].append(busy)
            shares[workers].append(100 * inside)
        loops.append(busy_loops())
    gains = [one / two for one, two in zip(times[1], times[2], strict=True)]
    gain, ceiling = median(gains), median(loops)
    seconds = [median(times[k]).show(1) for k in (1, 2)]
    kept, begun = median(shares[2]).show(0), [median(starts[k]).show(1) for k in (1, 2)]
    line = [engine, *seconds, gain.show(2), ceiling.show(2), kept, *begun, repeats]
    return (gain.value, ceiling.value), line


def _run(engine: str, workers: int, world: Any, tasks: Sequence[Any]) -> tuple[float, float, float]:
    """Seconds before the first task, seconds from there to the last answer, and the workers' share inside tasks."""
    from temper.core.measure import Status
    from temper.engine.executors import executor

    start, began, inside = time.perf_counter(), float("inf"), 0.0
    for task, part in executor(engine, workers=workers).run(tasks, world, lambda task: None):
        if part.status is not Status.OK:
            raise SystemExit(f"{task.name} ended as {part.status.value}: {part.reason}")
        began = min(began, time.perf_counter() - part.seconds)
        inside += part.seconds
        last = time.perf_counter()
    return began - start, last - began, inside / workers / (last - began)


def busy_loops() -> float:
    """How much faster two interpreters count to twice a number than one does: what the machine has to give now."""
    half = 8_000_000
    seconds = []
    for loops, each in ((1, 2 * half), (2, half)):
        start = time.perf_counter()
        running = [subprocess.Popen([sys.executable, "-c", _SPIN.format(each)]) for _ in range(loops)]
        for process in running:
            process.wait()
        seconds.append(time.perf_counter() - start)
    return seconds[0] / seconds[1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
