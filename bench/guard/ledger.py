"""The audit ledger: what an answer waits for it, what it costs the event loop, and what power cuts take from it.

    python -m bench.guard.ledger [--quick]

Latencies are ratios to a raw `fdatasync` of one record on the same file system just before and after: a disk has fast
and slow seconds. The peer is what an audit table costs without group commit: SQLite, WAL, FULL, one commit per
record, which is also what pymerkle and the like do per append. The event loop is uvloop, as in the gateway.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import uvloop

from bench.guard._powercut import cuts
from bench.table import goal, machine, median, table
from temper.store.ledger import checkpoint as notes
from temper.store.ledger import segment
from temper.store.ledger.journal import Journal
from temper.store.ledger.personal import Personal
from temper.store.ledger.record import Decided, Ruling, encode, packed
from temper.store.ledger.tree import leaf
from temper.store.ledger.verify import verify

KEY = bytes(range(32))
BODY = Decided(
    request="3f2c9a0e-5b1d-4c7e-9a52-7f3b8e6d1c04", client="till-0042", model="fraud", digest="a" * 64, policy="b" * 64,
    level="REVIEW", scores=(0.8312,), rulings=(Ruling("anomaly", "REVIEW", "far from everything known"),),
    commitment=b"c" * 32,
)  # fmt: skip
RECORD = encode(10**6, bytes(32), 10**18, 10**15, "node1", "0", "decision", packed(BODY))
WAITERS = (1, 16, 64, 256)


def main(words: list[str]) -> int:
    """Print the tables and the goals."""
    quick = "--quick" in words
    print(machine("uvloop"), flush=True)
    with tempfile.TemporaryDirectory(dir=".") as here:  # beside the checkout: /tmp may be no disk
        _durable(Path(here), rounds=10 if quick else 40)
        _costs(Path(here), 20_000 if quick else 100_000)
    with tempfile.TemporaryDirectory() as here:
        _power(Path(here), 200 if quick else 1_000)
    return 0


def _durable(here: Path, rounds: int) -> None:
    """Acknowledged and synced: latency beside a raw fdatasync, records a second beside one commit per record."""
    seen = uvloop.run(_rounds(here, rounds))
    rows, each, reached = [], seen["SQLite, a commit each"], {}
    for name, found in seen.items():
        slower = median([p50 / raw for p50, _, raw in found])
        more = median([one[1] / other[1] for one, other in zip(found, each, strict=True)])
        p50, rate = median([1e6 * one[0] for one in found]), median([one[1] for one in found])
        rows.append([name, p50.show(0), slower.show(2), f"{rate.value:,.0f}", more.show(1)])
        reached[name] = slower.value, more.value
    title = f"A record of {len(RECORD)} bytes, synced before the answer; median of {rounds} rounds in turns"
    table(title, ["way", "p50 us", "/ fdatasync", "records/s", "x commit each"], rows)
    goal("P8: p50 at 64 waiters / fdatasync p50", reached["journal, 64 waiting"][0], 3.0)
    goal("P8: records/s at 64 waiters / commit each", reached["journal, 64 waiting"][1], 15.0, at_least=True, digits=1)


async def _rounds(here: Path, rounds: int) -> dict[str, list[tuple[float, float, float]]]:
    """(p50, records a second, p50 of raw syncs just before and after) of every side: a disk changes its pace often."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=here)))
        raw = os.open(folder / "raw", os.O_CREAT | os.O_WRONLY)
        stack.callback(os.close, raw)
        database = stack.enter_context(closing(segment.connected(folder / "each.db")))
        segment.prepare(database)
        segment.begin(database, segment.End())
        numbers = itertools.count()

        def synced() -> None:
            os.write(raw, RECORD)
            os.fdatasync(raw)

        sides: dict[str, Callable[[], Awaitable[tuple[float, float]]]] = {
            "raw fdatasync": lambda: _one_by_one(synced, 40),
            "SQLite, a commit each": lambda: _one_by_one(lambda: segment.append(database, next(numbers), [RECORD]), 40),
        }
        for waiters in WAITERS:
            journal = stack.enter_context(_opened(folder / str(waiters)))
            sides[f"journal, {waiters} waiting"] = partial(_waiting, journal.append, waiters)
        sides["a thread and a file, 64 waiting"] = partial(_waiting, _Bare(stack, folder / "bare").append, 64)
        seen: dict[str, list[tuple[float, float, float]]] = {name: [] for name in sides}
        for turn in range(rounds):
            for name in list(sides) if turn % 2 == 0 else reversed(list(sides)):
                before, _ = await _one_by_one(synced, 15)
                p50, rate = await sides[name]()
                after, _ = await _one_by_one(synced, 15)
                seen[name].append((p50, rate, (before + after) / 2))
    return seen


async def _one_by_one(work: Callable[[], None], times: int) -> tuple[float, float]:
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return _p50(seconds), len(seconds) / sum(seconds)


class _Bare:
    """What group commit costs in Python before anything is a ledger: waiters, a thread, one write and one sync."""

    def __init__(self, stack: ExitStack, path: Path) -> None:
        self.file = os.open(path, os.O_CREAT | os.O_WRONLY)
        self.queue: SimpleQueue[asyncio.Future[int] | None] = SimpleQueue()
        thread = Thread(target=self._run)
        thread.start()
        stack.callback(os.close, self.file)
        stack.callback(thread.join)
        stack.callback(self.queue.put, None)

    async def append(self, kind: str, body: Decided) -> int:
        waiting = asyncio.get_running_loop().create_future()
        self.queue.put(waiting)
        return await waiting

    def _run(self) -> None:
        while (first := self.queue.get()) is not None:
            batch = [first, *(self.queue.get() for _ in range(self.queue.qsize()))]
            os.write(self.file, RECORD * len(batch))
            os.fdatasync(self.file)
            first.get_loop().call_soon_threadsafe(lambda told: [one.set_result(0) for one in told], batch)


async def _waiting(append: Callable[[str, Decided], Awaitable[int]], waiters: int) -> tuple[float, float]:
    """Clients that each wait for their record before they send the next one."""
    seconds: list[float] = []

    async def client() -> None:
        for _ in range(40):
            start = time.perf_counter()
            await append("decision", BODY)
            seconds.append(time.perf_counter() - start)

    start = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(waiters)))
    return _p50(seconds), len(seconds) / (time.perf_counter() - start)


def _costs(here: Path, many: int) -> None:
    """Processor time, which a busy machine changes less than the clock on the wall."""
    with tempfile.TemporaryDirectory(dir=here) as folder:
        loop, put, writer = uvloop.run(_loop_costs(Path(folder), many))
        start = time.process_time()
        told = verify(Path(folder) / "audit-node1-0.db", Path(folder) / "far", notes.public(KEY))
        reading = time.process_time() - start
    if not told.holds:
        raise SystemExit(f"the log does not hold: {told.faults}")
    hashing = _per(lambda: leaf(RECORD), 20_000)
    with tempfile.TemporaryDirectory(dir=here) as folder, Personal(Path(folder) / "p.db", KEY) as personal:
        start = time.process_time()
        for n in range(200):
            personal.keep(f"client {n % 20}", bytes(795))
        sealing = (time.process_time() - start) / 200
    rows = [
        ["event loop: append until it is on the disk, 64 waiting", many // 2, f"{1e6 * loop:.2f}"],
        ["event loop: put", many // 2, f"{1e6 * put:.2f}"],
        ["event loop and writer together, per record appended", many // 2, f"{1e6 * writer:.2f}"],
        ["of it: body as msgpack", 20_000, f"{_per(lambda: packed(BODY), 20_000):.2f}"],
        ["of it: the hash that is leaf and chain", 20_000, f"{hashing:.2f}"],
        ["verify: chain, tree, clocks, checkpoints", told.size, f"{1e6 * reading / told.size:.2f}"],
        ["personal data: seal and commit 795 bytes", 200, f"{1e6 * sealing:.0f}"],
    ]
    table("Processor time, us per record", ["what", "n", "us"], rows)
    print(f"verify reads {told.size / reading:,.0f} records a second of processor time", flush=True)


async def _loop_costs(folder: Path, many: int) -> tuple[float, float, float]:
    """(append on the event loop's thread, put, append in the whole process), seconds per record."""
    with _opened(folder, checkpoints=folder / "far", limit=many) as journal:

        async def client() -> None:
            for _ in range(many // 128):
                await journal.append("decision", BODY)

        thread, process = time.thread_time(), time.process_time()
        await asyncio.gather(*(client() for _ in range(64)))
        appended = many // 128 * 64
        loop, both = (time.thread_time() - thread) / appended, (time.process_time() - process) / appended
        thread = time.thread_time()
        for _ in range(many // 2):
            journal.put("decision", BODY)
        put = (time.thread_time() - thread) / (many // 2)
    return loop, put, both


def _power(here: Path, many: int) -> None:
    """The goal R2, with the setting that must lose as control."""
    rows = []
    for synchronous, times in (("FULL", many), ("NORMAL", many // 10)):
        found = list(cuts(here / synchronous, range(times), synchronous))
        told, lost = sum(one[0] for one in found), sum(one[1] for one in found)
        rows.append(
            [synchronous, times, f"{told:,}", lost, sum(one[1] > 0 for one in found), sum(bool(o[2]) for o in found)]
        )
    columns = ["synchronous", "cuts", "acknowledged", "of these lost", "cuts that lost", "corrupt"]
    table("Power cuts (SIMULATED: an SQLite file system that forgets what was not synced)", columns, rows)
    goal("R2: acknowledged and lost", float(rows[0][3]), 1.0, digits=0)
    goal("R2: corrupt", float(rows[0][5]), 1.0, digits=0)
    goal("R2: the control loses", float(rows[1][3]), 1.0, at_least=True, digits=0)


def _opened(folder: Path, **more: object) -> Journal:
    return Journal.open(folder, "node1", 0, key=KEY, wall=time.time_ns, **more)  # type: ignore[arg-type]


def _p50(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) // 2]


def _per(work: Callable[[], object], times: int) -> float:
    start = time.thread_time()
    for _ in range(times):
        work()
    return 1e6 * (time.thread_time() - start) / times


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
