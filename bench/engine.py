"""What an assessment spends outside its tasks, and how fast an unchanged one is answered from the store.

    python -m bench.engine [--quick]

The fraud demo (SIMULATED), standard suite, one task after another in one process: what is not inside a task is plan,
vetting, schedule, store, judge. Then the same question again, by the API and by the command.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.table import goal, machine, median, table
from temper.core.event import Event, Listener

SHARE, SECONDS = 0.05, 1.0


def main(words: list[str]) -> int:
    """Print both tables and the goals."""
    quick = "--quick" in words
    print(machine("numpy", "xgboost-cpu", "scikit-learn"))
    with tempfile.TemporaryDirectory() as folder:
        from temper.demos import fraud

        path = fraud.write(Path(folder) / "fraud")
        share = _overhead(path, 3 if quick else 7)
        goal("engine outside its tasks, standard suite", 100 * share, 100 * SHARE, "%", digits=1)
        answered = _answered(path, 3 if quick else 10)
        goal("an unchanged assessment by the API", answered, SECONDS, "s")
    return 0


def _overhead(path: Path, repeats: int) -> float:
    """The table of shares; the median share of the time that is not inside a task."""
    import temper

    system = temper.load(path)
    cold, *found = [_split(system) for _ in range(repeats + 1)]
    totals, outside = ([one[at] for one in found] for at in (0, 1))
    shares = [100 * part / total for total, part in found]
    rows: list[list[object]] = [
        ["whole assessment, s", median(totals).show(1), repeats],
        ["outside the tasks, s", median(outside).show(2), repeats],
        ["outside the tasks, %", median(shares).show(1), repeats],
        ["the first one, which imports everything, %", f"{100 * cold[1] / cold[0]:.1f}", 1],
    ]
    rows += [[f"  of it {name}, s", median(part).show(3), len(part)] for name, part in _parts(system, repeats)]
    table("Standard suite of the fraud demo, serial, measured anew each time", ["", "", "n"], rows)
    return median(shares).value / 100


def _split(system: Any) -> tuple[float, float]:
    """Seconds of one assessment, and how many of them passed outside its tasks."""
    import temper

    seconds: list[float] = []
    start = time.perf_counter()
    temper.assess(system, "standard", engine="serial", fresh=True, listener=_listening(seconds))
    total = time.perf_counter() - start
    return total, total - sum(seconds)


def _listening(seconds: list[float]) -> Listener:
    """A listener that keeps the time inside tasks."""

    def listen(event: Event) -> None:
        if event.kind in ("finished", "failed"):
            seconds.append(event.seconds)

    return listen


def _parts(system: Any, repeats: int) -> list[tuple[str, list[float]]]:
    """Seconds of the parts that can be called alone."""
    from temper.engine.assess import vet
    from temper.engine.plan import plan

    parts: list[tuple[str, Callable[[], object]]] = [
        ("vetting the model", lambda: vet(system)),
        ("planning", lambda: plan(system, "standard")),
    ]
    return [(name, [_seconds(part) for _ in range(repeats)]) for name, part in parts]


def _answered(path: Path, repeats: int) -> float:
    """The table of answers from the store; the median of the API."""
    import temper

    command = [sys.executable, "-m", "temper", "assess", "-c", str(path), "--suite", "standard", "--engine", "serial"]
    loads = [_seconds(lambda: temper.load(path)) for _ in range(repeats)]
    system = temper.load(path)
    temper.assess(system, "standard", engine="serial")
    calls = [_seconds(lambda: temper.assess(system, "standard", engine="serial")) for _ in range(repeats)]
    _run(command)
    walls, works = zip(*(_run(command) for _ in range(repeats)), strict=True)
    rows = [
        ["temper.load, s", median(loads).show(), repeats],
        ["temper.assess, s", median(calls).show(), repeats],
        ["the command with its report, wall s", median(walls).show(), repeats],
        ["the command with its report, cpu s", median(works).show(), repeats],
    ]
    table("The same assessment again, answered from the store", ["", "", "n"], rows)
    return median(calls).value


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _run(command: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of a command that ends in a verdict, whichever it is."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 1, 3):
        raise SystemExit(f"temper assess ended with {done.returncode}\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    work = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, work


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
