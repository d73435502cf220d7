"""The control store is down while a gateway is under load: decisions go on, and every case comes when it is back (R6).

    python -m bench.guard.outage [--minutes 10] [--quick]          # --quick: 10 seconds

A gateway of a tiny model (generated: three columns) with a quota answers four clients, who ask one row after another.
Its control store, a SQLite file, takes nothing for that long: somebody else holds its lock. Then it is let go, and the
queue is watched until it has a case for every REVIEW. In the end ledger and queue are held against what clients were
told.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.guard.kills import FAULTS, Held, Nursery, Told, cases_in, client, ended, free, held, write
from bench.table import goal, machine, table

REVIEW = (0.49, 0.51)
BEFORE, AFTER = 0.5, 600.0
"""Seconds under load before the store goes down, and the most until the queue has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What clients had while the store was down (`seconds`), and how long after it the queue was whole."""

    told: Told
    found: Held
    seconds: float
    during: int
    slowest: float
    waiting: int
    caught_up: float


def outage(folder: Path, seconds: float, clients: int = 4) -> Outage:
    """Keep the control store from a gateway for so long."""
    guard = {"audit": {"folder": "audit"}, "decide": {"review": list(REVIEW)}}
    config = write(folder, {**guard, "quota": {"per_second": 5_000, "burst": 5_000}})
    young, port, told = Nursery(config), free(), Told()
    try:
        pid = young.gateway(port)
        during, slowest, waiting = asyncio.run(_under_load(folder / "control.db", port, told, seconds, clients))
        began = time.monotonic()
        reviews = sum(said[0] == "review" for said in told.kept.values())
        while len(cases_in(folder / "control.db")) < reviews and time.monotonic() < began + AFTER:
            time.sleep(0.1)
        caught_up = time.monotonic() - began
        os.kill(pid, signal.SIGTERM)
        ended(pid, 60.0)
    finally:
        young.close()
    found = held([folder / "audit"], cases_in(folder / "control.db"), told)
    return Outage(
        told=told,
        found=found,
        seconds=seconds,
        during=during,
        slowest=slowest,
        waiting=waiting,
        caught_up=caught_up,
    )


async def _under_load(control: Path, port: int, told: Told, seconds: float, clients: int) -> tuple[int, float, int]:
    until = asyncio.Event()
    tasks = [asyncio.create_task(client([port], f"c{at}", told, until)) for at in range(clients)]
    await asyncio.sleep(BEFORE)
    with _taken(control):
        stood, before, told.slowest = len(cases_in(control)), len(told.kept), 0.0
        reviewed = sum(said[0] == "review" for said in told.kept.values())
        await asyncio.sleep(seconds)
        during, slowest = len(told.kept) - before, told.slowest
        waiting = sum(said[0] == "review" for said in told.kept.values()) - reviewed
        assert len(cases_in(control)) == stood, "the store took something"
    until.set()
    await asyncio.gather(*tasks)
    return during, slowest, waiting


@contextmanager
def _taken(control: Path) -> Iterator[None]:
    """Nobody else can write it."""
    other = sqlite3.connect(control, isolation_level=None, timeout=30.0)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def main(words: list[str]) -> int:
    """Print what became of it."""
    print(machine("uvicorn"), flush=True)
    minutes = float(words[words.index("--minutes") + 1]) if "--minutes" in words else 10.0
    with tempfile.TemporaryDirectory() as folder:
        got = outage(Path(folder) / "system", 10.0 if "--quick" in words else 60.0 * minutes)
    found = got.found
    table(
        f"Control store down for {got.seconds:,.0f} s, n = {found.acknowledged:,} answers",
        ["what", "figure"],
        [
            ["answers while it was down", f"{got.during:,}"],
            ["the slowest of them, ms", f"{1e3 * got.slowest:.0f}"],
            ["cases that waited for it", f"{got.waiting:,}"],
            ["seconds until the queue had all", f"{got.caught_up:.1f}"],
            ["acknowledged decisions lost", f"{len(found.lost):,}"],
            ["REVIEWs without a case", f"{len(found.without_case):,}"],
            ["requests with two cases", f"{len(found.cases_twice):,}"],
            ["answers that were none", str(dict(got.told.refused))],
        ],
    )
    goal("R6 answers a second while it was down", got.during / got.seconds, 1.0, at_least=True)
    goal("R6 lost, doubled or broken", sum(len(getattr(found, name)) for name in FAULTS), 1, digits=0)
    return 0 if found.well and got.during > got.seconds else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
