"""What giving out work costs, to 10,000 tasks that do nothing, and what that means for a thousand cores.

    python -m bench.fleet.scheduling [--quick]

Tasks of one system through each engine; turns of a fleet through its driver, whose log is on the disk after each. Then
the schedule of a fleet by its own rules, on cores that are only counted: costs drawn from a lognormal distribution
(SIMULATED), the driver busy for as long as a turn was measured to cost it.
"""

from __future__ import annotations

import heapq
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bench.table import machine, table
from temper.core.fleet import Entry, Situation, Tier, Wanted
from temper.engine.executors import executor
from temper.engine.fleet.drive import Course, drive
from temper.engine.fleet.order import cores, cost, ranked
from temper.engine.fleet.turn import Taken
from temper.engine.spread import Calls
from temper.engine.task import Task
from temper.store.fleet import writing

TIER = Tier(suite="quick")
WAYS = ((True, True), (True, False), (False, False))
"""By the fleet's own order or the file's, and whether the tasks of one system are spread."""
MEAN = (1.0, 10.0, 60.0)
"""Seconds of a turn on the average."""


def main(words: list[str]) -> int:
    """Print the tables."""
    quick = "--quick" in words
    sizes = (10, 100, 1_000) if quick else (100, 1_000, 10_000)
    print(machine("numpy", "ray"))
    rows: list[list[object]] = [[name, *(f"{1e3 * _tasks(name, n):.3f}" for n in sizes)] for name in ENGINES]
    turns = [_turns(n) for n in sizes]
    rows.append(["turns of a fleet, log on the disk", *(f"{1e3 * each:.3f}" for each in turns)])
    table("milliseconds per task that does nothing, start-up apart", ["engine", *(f"{n:,}" for n in sizes)], rows)
    _projected(turns[-1], 200 if quick else 5_000)
    return 0


ENGINES = ("serial", "processes", "ray")


def nothing(number: int) -> int:
    """A task."""
    return number


def _tasks(engine: str, n: int) -> float:
    """Seconds per task, from the first answer to the last."""
    calls = Calls(function=nothing, items=tuple(range(n)))
    tasks = [Task(room="calls", plugin="nothing", start=at) for at in range(n)]
    found = executor(engine, **({} if engine == "serial" else {"workers": 2})).run(tasks, calls, lambda begun: None)
    next(found)
    start = time.perf_counter()
    rest = sum(1 for _ in found)
    return (time.perf_counter() - start) / max(rest, 1)


def _systems(seconds: Sequence[float]) -> list[Situation]:
    return [
        Situation(entry=Entry(name=f"s{at}", config="c", where="p", tier=TIER), seconds=float(each))
        for at, each in enumerate(seconds)
    ]


class _Idle:
    """Hands whose turns are over at once."""

    def __init__(self, slots: int) -> None:
        self.slots = self.widest = slots
        self.busy: list[Wanted] = []

    def begin(self, wanted: Wanted) -> None:
        """Nothing is done."""
        self.busy.append(wanted)

    def ended(self, seconds: float) -> Iterator[Taken]:
        """All of them."""
        done, self.busy = self.busy, []
        for wanted in done:
            yield Taken(wanted=wanted, at=0.0, seconds=1.0, code=0, result={"verdict": "pass", "state": "finished"})

    def close(self) -> None:
        """Nothing runs."""


def _turns(n: int) -> float:
    """Seconds per turn of the driver with a thousand cores."""
    with tempfile.TemporaryDirectory() as folder, writing(Path(folder) / "portfolio.yaml") as (log, _):
        start = time.perf_counter()
        found = drive(_systems([5.0] * n), Course(fleet="f", wanted=Wanted()), _Idle(1_000), log)
        assert len(found.attempts) == n
        return (time.perf_counter() - start) / n


def _projected(each: float, systems: int) -> None:
    """The table of projections: the schedule by the fleet's own rules and by the order of the file."""
    rng = np.random.default_rng(0)
    rows: list[list[object]] = []
    for mean in MEAN:
        seconds = rng.lognormal(np.log(mean) - 0.5, 1.0, systems)
        for slots in (2, 100, 1_000):
            shares = [scheduled(_systems(seconds), slots, each, own=own, spreads=spreads) for own, spreads in WAYS]
            rows.append(
                [f"{mean:g} s", f"{slots:,}", *(f"{100 * share:.0f}" for share in shares), f"{mean / each:,.0f}"]
            )
    columns = ["a turn", "cores", "efficiency %", "nothing spread %", "in the file's order %", "cores one driver feeds"]
    table(f"{systems:,} systems, the driver {1e3 * each:.2f} ms for each (SIMULATED)", columns, rows)


def scheduled(fleet: Sequence[Situation], slots: int, each: float, *, own: bool, spreads: bool) -> float:
    """Work over cores times the time of the whole. Spread tasks are taken to share their work without loss."""
    waiting = ranked(fleet) if own else [*fleet]
    others = work = sum(map(cost, fleet))
    free, now, driver, running = slots, 0.0, 0.0, list[tuple[float, int]]()
    for at, one in enumerate(waiting):
        others -= cost(one)
        while not free:
            now, given = heapq.heappop(running)
            free += given
        taken = cores(one, others, len(waiting) - at - 1, free, slots) if spreads else 1
        driver = max(driver, now) + each
        heapq.heappush(running, (driver + cost(one) / taken, taken))
        free -= taken
    return work / slots / max(end for end, _ in running)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
