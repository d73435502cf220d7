"""An audit journal whose process is killed 50 times at random moments under load: nothing acknowledged is lost."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from random import Random

import pytest

from scenarios.story import ENVIRONMENT
from temper.store.ledger import checkpoint as notes
from temper.store.ledger import record as lines
from temper.store.ledger.verify import records, verify

KILLS = 50
WORKERS = ("0", "1")
NOBODY = "nobody waits for this"
KEY = bytes(range(32))
# Every writer tells a number it was told is kept by one write to a pipe, which outlives the process.
LOAD = """
import asyncio, os, sys, time
from temper.store.ledger.journal import Journal

async def write(journal, at):
    for n in range(10**9):
        name = f"{os.getpid()}-{at}-{n}"
        seq = await journal.append("decision", {"name": name})
        os.write(1, f"{seq} {name}\\n".encode())
        journal.put("decision", {"name": "nobody waits for this"})

async def load():
    with Journal.open(sys.argv[1], "n1", sys.argv[2], key=bytes(range(32)), wall=time.time_ns, largest=100_000,
                      checkpoints=sys.argv[1] + "/far") as journal:
        await asyncio.gather(*(write(journal, at) for at in range(8)))

asyncio.run(load())
"""


def started(folder, worker):
    with told(folder, worker).open("wb") as file:
        words = [sys.executable, "-c", LOAD, str(folder), worker]
        return subprocess.Popen(words, stdout=file, env=os.environ | ENVIRONMENT)


def told(folder, worker):
    return folder / f"told-{worker}.txt"


def killed(folder, seconds):
    """(worker, seq, name) of what two processes were told is kept, until they were killed so long after both began."""
    processes = {worker: started(folder, worker) for worker in WORKERS}
    deadline = time.monotonic() + 60
    while not all(told(folder, worker).stat().st_size for worker in WORKERS):
        assert all(process.poll() is None for process in processes.values()), "the load ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.001)
    time.sleep(seconds)
    for process in processes.values():
        process.send_signal(signal.SIGKILL)
    assert {process.wait() for process in processes.values()} == {-signal.SIGKILL}
    for worker in WORKERS:
        whole = told(folder, worker).read_text().rpartition("\n")[0]
        yield from ((worker, int(seq), name) for seq, name in map(str.split, whole.splitlines()))


@pytest.mark.slow
def test_fifty_kills_lose_nothing_that_was_acknowledged(tmp_path):
    moments, kept = Random(6), {worker: {} for worker in WORKERS}
    for _ in range(KILLS // len(WORKERS)):
        for worker, seq, name in killed(tmp_path, moments.uniform(0.0, 0.3)):
            assert kept[worker].setdefault(seq, name) == name
    for worker in WORKERS:
        log = tmp_path / f"audit-n1-{worker}.db"
        found = {seq: lines.decode(data) for seq, data in records(log)}
        assert list(found) == list(range(len(found))), "seq has no gaps and no repeats"
        bodies = {seq: one.document()["body"] for seq, one in found.items()}
        assert [seq for seq, name in kept[worker].items() if bodies[seq] != {"name": name}] == [], "none is lost"
        awaited = Counter(body["name"] for body in bodies.values() if body.get("name", NOBODY) != NOBODY)
        assert set(awaited.values()) == {1}, "nothing stands twice"
        held = verify(log, tmp_path / "far", notes.public(KEY))
        assert held.holds, held.faults
        assert held.openings == KILLS // len(WORKERS)
        assert held.files > 1, "segments were put aside under way"
        assert len(kept[worker]) > KILLS * 10
