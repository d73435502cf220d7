"""A process that takes something away from others for a time: computing time, memory, or the write lock of a store.

    python -m temper.chaos.press SECONDS compute CORE | fill BYTES | lock FILE

It ends by its own clock, or when nobody holds its standard input any more.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import selectors
import sys
import time
from pathlib import Path
from typing import Any

_WAL = 120
"""The byte of an SQLite database's shared memory that a writer locks."""
_ROLLBACK = 0x40000001
"""The byte of a database without a write-ahead log that a writer locks first."""
_SPIN = 0.02
_PATIENCE = 10.0
PIECE = 32 * 2**20
"""Bytes that are taken at once."""
_FLOOR = 0.05
"""The share of the machine's memory that stays free, whatever was asked for."""


def compute(core: int, until: float) -> None:
    """Do nothing but compute, on this core."""
    os.sched_setaffinity(0, {core})
    _ready()
    while time.monotonic() < until and not _alone(0.0):
        end = time.monotonic() + _SPIN
        while time.monotonic() < end:
            pass


def fill(most: int, until: float) -> None:
    """Hold this many bytes of memory, less where the machine would have none left or half of the time is over, and
    nothing once there is none left.
    """
    half = (time.monotonic() + until) / 2
    # Where the kernel has to end somebody for want of memory, it is this one.
    Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    flags, held = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE, list[mmap.mmap]()
    while (len(held) + 1) * PIECE <= most and spare() > PIECE and time.monotonic() < half:
        held.append(mmap.mmap(-1, PIECE, flags=flags))
    _ready()
    while time.monotonic() < until and not _alone(0.1):
        if spare() == 0:
            held.clear()


def spare() -> int:
    """The bytes of memory that may be taken from this machine now."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
    told = {words[0]: 1024 * int(words[1]) for words in lines if words[0] in ("MemTotal:", "MemAvailable:")}
    return max(0, told["MemAvailable:"] - int(_FLOOR * told["MemTotal:"]))


def lock(place: str, until: float) -> None:
    """Hold the write lock of this SQLite database; TimeoutError where somebody else keeps it for long."""
    shared = Path(f"{place}-shm")
    path, at = (shared, _WAL) if shared.exists() else (Path(place), _ROLLBACK)
    with open(path, "rb+") as file:
        _lock(file, at)
        _ready()
        while time.monotonic() < until and not _alone(min(1.0, max(0.0, until - time.monotonic()))):
            pass


def _lock(file: Any, at: int) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, at)
            return
        except OSError:
            if time.monotonic() > end:
                raise TimeoutError(f"byte {at} stays locked by somebody else") from None
            time.sleep(0.002)


def _alone(seconds: float) -> bool:
    """Whether whoever started this is gone."""
    with selectors.DefaultSelector() as ears:
        ears.register(sys.stdin, selectors.EVENT_READ)
        return bool(ears.select(seconds)) and not os.read(sys.stdin.fileno(), 1)


def _ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


if __name__ == "__main__":
    seconds, what, where = float(sys.argv[1]), sys.argv[2], sys.argv[3]
    end = time.monotonic() + seconds
    if what == "lock":
        lock(where, end)
    else:
        {"compute": compute, "fill": fill}[what](int(where), end)
