"""What every bench prints: the machine, medians with their intervals, a table, the goal and whether it was reached."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

MEDIANS = "[ ]: 95 % interval of the median by order statistics; with fewer than 6 repeats the range"


@dataclass(frozen=True, slots=True)
class Median:
    """The median of `n` repeats with its distribution-free interval."""

    value: float
    low: float
    high: float
    n: int

    def show(self, digits: int = 3) -> str:
        """The value with its interval in brackets."""
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def median(values: Sequence[float]) -> Median:
    """The median and the tightest pair of order statistics that holds it in 95 % of cases, else the range.

    >>> median([3.0, 1.0, 2.0])
    Median(value=2.0, low=1.0, high=3.0, n=3)
    """
    found, n = sorted(values), len(values)
    middle = (found[(n - 1) // 2] + found[n // 2]) / 2
    tail, skip = 0.0, 0
    while skip < n // 2 and (tail := tail + math.comb(n, skip) / 2**n) <= 0.025:
        skip += 1
    at = max(skip - 1, 0)
    return Median(middle, found[at], found[n - 1 - at], n)


def alternate(sides: Sequence[Callable[[], object]], repeats: int, clock: Callable[[], float]) -> list[list[float]]:
    """Seconds of every side, measured in turns whose order turns round too, so that drift meets both alike."""
    seconds: list[list[float]] = [[] for _ in sides]
    for turn in range(repeats):
        order = range(len(sides)) if turn % 2 == 0 else reversed(range(len(sides)))
        for at in order:
            start = clock()
            sides[at]()
            seconds[at].append(clock() - start)
    return seconds


def machine(*packages: str) -> str:
    """One line of facts: processor, cores, memory, versions, and how busy the machine is now."""
    words = [
        _processor(),
        f"{os.cpu_count()} cores",
        f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        f"{platform.system()} {platform.machine()}",
        f"Python {platform.python_version()}",
        *(f"{name} {_version(name)}" for name in packages),
        f"load {load():.1f}",
    ]
    return ", ".join(words)


def load() -> float:
    """Processes that wanted a core, averaged over the last minute."""
    return os.getloadavg()[0]


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a title and aligned columns, numbers to the right."""
    cells = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(columns))]
    print(f"\n{title}")
    for row in cells:
        first, *rest = (
            cell.ljust(width) if at == 0 else cell.rjust(width) for at, (cell, width) in _sized(row, widths)
        )
        print("  ".join([first, *rest]).rstrip())


def goal(what: str, reached: float, limit: float, unit: str = "", *, at_least: bool = False, digits: int = 2) -> None:
    """Print `goal oracle < 1.00 us: reached 0.60 us`, or `missed`."""
    sign, met = (">=", reached >= limit) if at_least else ("<", reached < limit)
    unit = f" {unit}" if unit else ""
    word = "reached" if met else "missed:"
    print(f"goal {what} {sign} {limit:g}{unit}: {word} {reached:.{digits}f}{unit}", flush=True)


def _sized(row: Sequence[str], widths: Sequence[int]) -> enumerate[tuple[str, int]]:
    return enumerate(zip(row, widths, strict=True))


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
