"""A process that takes something away from others for a time: computing time, or the write lock of a store.

    python -m temper.chaos.press SECONDS compute CORE | lock FILE

It ends by its own clock, or when nobody holds its standard input any more.
"""

from __future__ import annotations

import fcntl
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


def compute(core: int, until: float) -> None:
    """Do nothing but compute, on this core."""
    os.sched_setaffinity(0, {core})
    _ready()
    while time.monotonic() < until and not _alone(0.0):
        end = time.monotonic() + _SPIN
        while time.monotonic() < end:
            pass


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
    compute(int(where), end) if what == "compute" else lock(where, end)
