"""What a second worker gains a fleet: systems one after another, two at once in processes, two at once on Ray.

    python -m bench.fleet.efficiency [--quick] [--repeats N]

The standard fleet (bench/fleet/standard.py: SIMULATED), every figure measured anew each time, one and two workers in
turns. Efficiency is the time of one worker over twice that of two, of the whole command, Ray's start included. Beside
it stands the same after the first turn began, and what two plain busy loops gain over one at the same time: no engine
can do better than that. `inside turns` is the share of the workers' time spent in turns. The last line spreads the
tasks of one system at a time over two Ray workers, instead of systems.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.fleet.standard import ONLY, write
from bench.table import goal, load, machine, median, table
from bench.workers import busy_loops
from temper.core.event import Event

GOAL = 0.85


@dataclass(frozen=True, slots=True)
class Went:
    """Seconds of the whole, from the first turn on, and the share of the workers' time inside turns."""

    whole: float
    after: float
    inside: float


def main(words: list[str]) -> int:
    """Print the table and the goal."""
    quick = "--quick" in words
    repeats = int(words[words.index("--repeats") + 1]) if "--repeats" in words else 2 if quick else 4
    print(machine("numpy", "xgboost-cpu", "lightgbm", "ray"))
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "fleet", 6 if quick else 20)
        _run(path, "processes", 2)  # so that what each costs is known, as on any night but the first
        loads = [load()]
        rows, found = [], {}
        for engine in ("processes", "ray"):
            found[engine], row = _compare(path, engine, repeats)
            rows.append(row)
            loads.append(load())
        spread = median([_spread(path) for _ in range(max(repeats // 2, 1))])
    times, shares = ["1 worker s", "2 workers s"], ["efficiency %", "after start %", "two loops %", "inside turns %"]
    table(f"{6 if quick else 20} systems, seconds of the whole command", ["engine", *times, *shares, "n"], rows)
    print(f"tasks spread over two Ray workers, one system at a time: {spread.show(1)} s, n {spread.n}")
    print(f"load average while it ran: {min(loads):.1f} to {max(loads):.1f}")
    for engine, efficiency in found.items():
        goal(f"efficiency from 1 to 2 workers, {engine}", 100 * efficiency, 100 * GOAL, "%", at_least=True, digits=0)
    return 0


def _compare(path: Path, engine: str, repeats: int) -> tuple[float, list[object]]:
    """One and two workers in turns; the median efficiency and the line of the table."""
    one, two, loops = [], [], []
    for turn in range(repeats):
        for workers in (1, 2) if turn % 2 == 0 else (2, 1):
            (one if workers == 1 else two).append(_run(path, engine, workers))
        loops.append(100 * busy_loops() / 2)
    whole = [100 * a.whole / (2 * b.whole) for a, b in zip(one, two, strict=True)]
    after = [100 * a.after / (2 * b.after) for a, b in zip(one, two, strict=True)]
    seconds = [median([run.whole for run in runs]).show(1) for runs in (one, two)]
    inside = median([100 * run.inside for run in two])
    shares = [median(each).show(0) for each in (whole, after, loops)]
    return median(whole).value / 100, [engine, *seconds, *shares, inside.show(0), repeats]


def _run(path: Path, engine: str, workers: int) -> Went:
    import temper

    begun: list[float] = []

    def heard(event: Event) -> None:
        if event.kind == "started":
            begun.append(time.perf_counter())

    start = time.perf_counter()
    found = temper.fleet_assess(path, engine=engine, workers=workers, fresh=True, listener=heard)
    end = time.perf_counter()
    if bad := [one for one in found.attempts if not one.finished]:
        raise SystemExit(f"{bad[0].entry}: {bad[0].why}")
    after = end - begun[0]
    return Went(end - start, after, sum(one.seconds for one in found.attempts) / workers / after)


def _spread(path: Path) -> float:
    """Each system in turn, its tasks on two Ray workers of one cluster."""
    import ray

    import temper

    start = time.perf_counter()
    ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False)
    try:
        for config in sorted(path.parent.glob("*/temper.yaml")):
            only = [word.strip() for word in ONLY.split(",")]
            temper.assess(temper.load(config), "quick", only, engine="ray", fresh=True)
    finally:
        ray.shutdown()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
