"""What only people can answer is answered in time: many wait for the disk together, a model has its own threads."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from temper.core.errors import StoreError
from temper.core.serving import Scoring, Source
from temper.core.stage import Level
from temper.gateway.tables.audit import Audit
from temper.guard.serving.breaker import Breaker, BreakerConfig
from temper.guard.serving.concurrency import Limiter, LimiterConfig
from temper.guard.serving.fallback import Chain
from temper.guard.serving.pipeline import Pipeline, Refuses
from temper.store.ledger.personal import Personal
from temper.targets.served import Served

BURST = 16


class Disk:
    """A database whose commits take as long as a busy disk's, or fail."""

    def __init__(self, database, seconds, broken=False):
        self.database, self.seconds, self.broken, self.commits = database, seconds, broken, 0

    def execute(self, statement, *values):
        if statement == "COMMIT":
            self.commits += 1
            time.sleep(self.seconds)
            if self.broken:
                raise OSError("the disk is full")
        return self.database.execute(statement, *values)

    def close(self):
        self.database.close()


class Journal:
    """Keeps what it is told, at once."""

    def __init__(self):
        self.bodies = []

    def submit(self, kind, body, waiting):
        self.bodies.append(body)
        if not waiting.done():
            waiting.set_result(len(self.bodies))


def burst(tmp_path, deadline, seconds, broken=False):
    """A burst at a model that hangs, where a person is the only one behind it."""
    hung, journal, personal = threading.Event(), Journal(), Personal(tmp_path / "personal.db", bytes(32))
    disk = personal._database = Disk(personal._database, seconds, broken)
    model = Served(
        score=lambda rows: hung.wait(20), engine="hangs", inline=False, checked=0, difference=0.0, digest="m"
    )
    audit = Audit(journal=journal, personal=personal, model="m", digest="m", policy="p", sealing=ThreadPoolExecutor(1))
    pipeline = Pipeline(
        model=model,
        record=audit.record,
        breaker=Breaker(config=BreakerConfig(least=50)),
        limiter=Limiter(config=LimiterConfig(start=64)),
        chain=Chain(score=0.5, last=Source.HUMAN),
        review=(0.4, 0.6),
    )

    async def one(at):
        await asyncio.sleep(0.001 * at)  # so that each is a call of its own
        now = time.monotonic()
        rows = np.array([[float(at)]])
        asked = Scoring(rows=rows, client="shop", request=f"r{at}", at=now, deadline=now + deadline)
        return await pipeline.answer(asked)

    async def story():
        asyncio.get_running_loop().call_later(3 * deadline, hung.set)  # the test's own threads have to end
        found = await asyncio.gather(*map(one, range(BURST)), return_exceptions=True)
        free = await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 2.0)
        hung.set()
        return found, free

    found, free = asyncio.run(story())
    personal.close()
    return found, free, disk, journal


def test_a_burst_that_only_people_can_answer_waits_for_a_slow_disk_together(tmp_path):
    """One after the other 16 commits of 60 ms take 960 ms, and when the model is given up 600 are left."""
    found, free, disk, journal = burst(tmp_path, 3.0, 0.06)
    assert [getattr(one, "levels", one) for one in found] == [(Level.REVIEW,)] * BURST
    assert {one.source for one in found} == {Source.HUMAN}
    assert disk.commits < BURST / 2
    assert len({body.commitment for body in journal.bodies}) == BURST
    assert free == "free", "a model that hangs has threads of its own"


def test_a_disk_that_fails_refuses_all_that_waited_for_it_and_records_none(tmp_path):
    found, _, _, journal = burst(tmp_path, 0.5, 0.0, broken=True)
    assert {(type(one), one.status) for one in found} == {(Refuses, 503)}
    assert all(isinstance(one.__cause__, StoreError) for one in found)
    assert not journal.bodies


def test_what_is_kept_together_is_kept_whole_or_not_at_all(tmp_path):
    with Personal(tmp_path / "personal.db", bytes(32)) as personal:
        bounds = personal.keep_all([("a", b"1"), ("b", b"2"), ("a", b"3")])
        assert [personal.open(bound).data for bound in bounds] == [b"1", b"2", b"3"]
        assert personal.erase("a") == 2
        assert [personal.open(bound) is None for bound in bounds] == [True, False, True]
        assert personal.keep_all([]) == []
