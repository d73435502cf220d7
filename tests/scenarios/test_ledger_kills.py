"""An audit journal whose process is killed 50 times at random moments under load: nothing acknowledged is lost."""

import os
import signal
import subprocess
import sys
import time
from random import Random

import pytest

from scenarios.story import ENVIRONMENT
from temper.store.ledger import checkpoint as notes
from temper.store.ledger import record as lines
from temper.store.ledger.verify import records, verify

KILLS = 50
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
    with Journal.open(sys.argv[1], "n1", 0, key=bytes(range(32)), wall=time.time_ns, largest=200_000,
                      checkpoints=sys.argv[1] + "/far") as journal:
        await asyncio.gather(*(write(journal, at) for at in range(8)))

asyncio.run(load())
"""


def killed(folder, seconds):
    """(seq, name) of what a process was told is kept until it was killed so long after its first word."""
    told = folder / "told.txt"
    with told.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-c", LOAD, str(folder)], stdout=file, env=os.environ | ENVIRONMENT)
        deadline = time.monotonic() + 60
        while not told.stat().st_size:
            assert process.poll() is None, "the load ended by itself"
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    whole = told.read_text().rpartition("\n")[0]
    return [(int(seq), name) for seq, name in map(str.split, whole.splitlines())]


@pytest.mark.slow
def test_fifty_kills_lose_nothing_that_was_acknowledged(tmp_path):
    moments = Random(6)
    kept = {}
    for _ in range(KILLS):
        for seq, name in killed(tmp_path, moments.uniform(0.0, 0.25)):
            assert kept.setdefault(seq, name) == name
    log = tmp_path / "audit-n1-0.db"
    found = {seq: lines.decode(data) for seq, data in records(log)}
    assert list(found) == list(range(len(found))), "seq has no gaps and no repeats"
    lost = [seq for seq, name in kept.items() if found[seq].document()["body"] != {"name": name}]
    assert lost == []
    names = [one.document()["body"].get("name") for one in found.values() if one.kind == "decision"]
    awaited = [name for name in names if name != "nobody waits for this"]
    assert len(awaited) == len(set(awaited)), "nothing stands twice"
    told = verify(log, tmp_path / "far", notes.public(KEY))
    assert told.holds, told.faults
    assert told.openings == KILLS
    assert told.files > 1, "segments were put aside under way"
    assert len(kept) > KILLS * 20
