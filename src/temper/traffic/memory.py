"""The memory of a service's processes while it is under load."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from temper.core.errors import TemperError
from temper.core.load import Growth

_EVERY, _BLOCKS, _WARM = 0.5, 20, 1 / 3
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Memory:
    """Samples a local process and all that it started, twice a second: `with Memory(pid) as found`."""

    def __init__(self, pid: int) -> None:
        if resident(pid) is None:
            raise TemperError(f"there is no process {pid} on this machine", fix="name the service's own process")
        self.pid, self.samples = pid, list[tuple[float, int]]()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_EVERY):
            found = resident(self.pid)
            if found is None:
                return
            self.samples.append((time.monotonic(), found))


def growth(samples: Sequence[tuple[float, int]]) -> Growth | None:
    """The slope of memory over time: Theil and Sen's median of slopes between the means of 20 blocks, after a first
    third in which caches fill; None from fewer than 60 samples.

    Misleads: a cache that fills slowly looks like a leak until it is full, so look longer before you believe it; and
    memory that is freed but kept by the allocator looks like none.
    """
    from scipy.stats import theilslopes

    kept = np.array(samples[int(_WARM * len(samples)) :], dtype=np.float64)
    if len(kept) < 2 * _BLOCKS:
        return None
    blocks = np.array([block.mean(axis=0) for block in np.array_split(kept, _BLOCKS)])
    slope, _, low, high = (3600 * float(one) for one in theilslopes(blocks[:, 1], blocks[:, 0]))
    return Growth(slope=slope, low=low, high=high, start=float(blocks[0, 1]), end=float(blocks[-1, 1]), n=_BLOCKS)


def resident(pid: int) -> int | None:
    """Bytes in memory of a process and of all that it started; None where there is none of this number."""
    own = _pages(pid)
    if own is None:
        return None
    return _PAGE * own + sum(resident(child) or 0 for child in _children(pid))


def _pages(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return None


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, path.read_text(encoding="ascii").split())
        except OSError:
            continue
    return found
