"""How long Temper takes to start, and what it loads to do so.

    python -m bench.startup [--quick]

Each line is ten fresh processes (five with --quick) beside a process that does nothing. The goal is read off the
fastest one in processor time: on a busy machine the others measure the neighbours.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Sequence

from bench.table import goal, machine, median, table

HEAVY = ("torch", "sklearn", "xgboost", "lightgbm", "catboost", "ray", "pandas", "scipy", "numba", "onnx", "altair")
CASES = {
    "nothing": ("-c", "pass"),
    "import numpy": ("-c", "import numpy"),
    "import temper": ("-c", "import temper"),
    "import temper.cli": ("-c", "import temper.cli"),
    "temper --help": ("-m", "temper", "--help"),
}
SECONDS = 0.3


def times(words: Sequence[str], rounds: int = 10) -> tuple[list[float], list[float]]:
    """Wall and processor seconds of `rounds` fresh interpreters."""
    walls, works = [], []
    for _ in range(rounds):
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(time.perf_counter() - start)
        works.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return walls, works


def best(words: Sequence[str], rounds: int = 10) -> tuple[float, float]:
    """The least wall and processor seconds of `rounds` fresh interpreters: the least disturbed by others."""
    walls, works = times(words, rounds)
    return min(walls), min(works)


def loaded(statement: str) -> set[str]:
    """The top-level packages in `sys.modules` after a statement in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.splitlines()[-1].split())


def main(words: list[str]) -> int:
    """Print the table and the goals."""
    rounds = 5 if "--quick" in words else 10
    print(machine("numpy", "typer", "rich"))
    rows, least = [], {}
    for name, case in CASES.items():
        heavy = sorted(loaded(case[1]) & set(HEAVY)) if case[0] == "-c" else []
        walls, works = times(case, rounds)
        least[name] = min(works)
        shown = [f"{min(walls):.3f}", median(walls).show(), f"{min(works):.3f}", median(works).show()]
        rows.append([name, *shown, ", ".join(heavy) or "-"])
    columns = ["", "wall s", "median", "cpu s", "median", "heavy libraries loaded"]
    table(f"Fresh processes, the fastest and the median of n = {rounds}", columns, rows)
    for name in ("import temper", "temper --help"):
        goal(name, least[name], SECONDS, "s cpu", digits=3)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
