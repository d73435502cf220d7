"""A command of temper whose flushes to the disk and whose clock can be made faulty; without an order it is as ever.

    python -m temper.chaos.inside ORDERS serve --config temper.yaml

`os.fsync`, `os.fdatasync` and `time.time` of that process are wrapped. What a library in C calls by itself (SQLite's
own flushes, `datetime.now`) is not met.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from temper.chaos.orders import Orders


def slowed(flush: Callable[[Any], None], orders: Orders) -> Callable[[Any], None]:
    """The same, later by what is ordered."""

    def later(file: Any) -> None:
        if (seconds := orders.fsync) > 0:
            time.sleep(seconds)
        flush(file)

    return later


def wrap(orders: Orders) -> None:
    """From now on this process is told by `orders`."""
    for name in ("fsync", "fdatasync"):
        setattr(os, name, slowed(getattr(os, name), orders))
    true = vars(time)["time"]
    vars(time)["time"] = lambda: true() + orders.clock


if __name__ == "__main__":
    wrap(Orders(path=Path(sys.argv[1])))
    sys.argv = ["temper", *sys.argv[2:]]
    runpy.run_module("temper", run_name="__main__")
