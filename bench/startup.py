"""How long Temper takes to start, and what it loads to do so.

    python bench/startup.py

Each line is the fastest of ten fresh processes, beside a process that does nothing.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Sequence

HEAVY = ("torch", "sklearn", "xgboost", "lightgbm", "catboost", "ray", "pandas", "scipy", "numba", "onnx", "altair")
CASES = {
    "nothing": ("-c", "pass"),
    "import numpy": ("-c", "import numpy"),
    "import temper": ("-c", "import temper"),
    "import temper.cli": ("-c", "import temper.cli"),
    "temper --help": ("-m", "temper", "--help"),
}


def best(words: Sequence[str], rounds: int = 10) -> tuple[float, float]:
    """Wall and processor seconds of a fresh interpreter, each the least of `rounds`: the least disturbed by others."""
    walls, works = [], []
    for _ in range(rounds):
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(time.perf_counter() - start)
        works.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(walls), min(works)


def loaded(statement: str) -> set[str]:
    """The top-level packages in `sys.modules` after a statement in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.splitlines()[-1].split())


def main() -> int:
    """Print the table."""
    print(f"{'':20}{'wall s':>9}{'cpu s':>9}  heavy libraries loaded")
    for name, words in CASES.items():
        heavy = sorted(loaded(words[1]) & set(HEAVY)) if words[0] == "-c" else []
        wall, work = best(words)
        print(f"{name:20}{wall:9.3f}{work:9.3f}  {', '.join(heavy) or '-'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
