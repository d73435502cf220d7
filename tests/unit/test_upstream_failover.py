"""A model behind HTTP is killed and hung under 500 requests a second: nobody is left without an answer in time."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

import numpy as np
import pytest

from temper.core.serving import Scoring, Source
from temper.gateway.upstream.address import Address
from temper.gateway.upstream.pool import Pool
from temper.gateway.upstream.wire import Upstream
from temper.guard.serving.breaker import Breaker, BreakerConfig, State
from temper.guard.serving.concurrency import Limiter, LimiterConfig
from temper.guard.serving.fallback import Chain, Rule, Rules
from temper.guard.serving.pipeline import Pipeline, Refuses

RATE, DEADLINE, OPEN = 500, 0.05, 0.5
ROWS = np.array([[0.25]], np.float64)


SERVER = """
import asyncio

async def handle(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\\r\\n\\r\\n")).lower()
            body = await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\\r\\n")[0]))
            scores = body.replace(b'"rows"', b'"scores"')
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%b" % (len(scores), scores))
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def run():
    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1_000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(run())
"""
"""A model that answers every row with its only column."""


@dataclass
class Told:
    """What came of one request."""

    at: float
    seconds: float
    source: Source | None


@dataclass
class World:
    """The pipeline, what it was asked when, and when the model got which signal."""

    pipeline: Pipeline
    told: list[Told] = field(default_factory=list)
    signals: dict[signal.Signals, float] = field(default_factory=dict)

    def opened(self) -> float:
        """When the breaker opened first."""
        return next(at for at, state, _ in self.pipeline.breaker.history if state is State.OPEN)

    def percentile(self, share: float, last: float = math.inf) -> float:
        return float(np.percentile([one.seconds for one in self.told if one.at < last], share))


def lived(faults: dict[float, signal.Signals], seconds: float) -> World:
    """Open-loop load for so long on a model that gets these signals at their times."""
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE)
    gc.collect()
    gc.freeze()  # what pytest holds takes 100 ms to look through, which is the tests' own pause
    try:
        return asyncio.run(_lived(int(process.stdout.readline()), process.pid, faults, seconds))
    finally:
        gc.unfreeze()
        process.kill()
        process.communicate()


async def _lived(port: int, pid: int, faults: dict[float, signal.Signals], seconds: float) -> World:
    pool = Pool(address=Address.of(f"http://127.0.0.1:{port}/score"), most=64)
    rules = Rules(columns=("amount",), rules=(Rule(when="amount > 0", score=0.75),))
    world = World(
        Pipeline(
            model=Upstream(pool=pool),  # type: ignore[arg-type]
            record=lambda scoring, waiting: waiting.set_result(None),
            breaker=Breaker(config=BreakerConfig(open_seconds=OPEN)),
            limiter=Limiter(config=LimiterConfig(floor=200, cap=200)),
            chain=Chain(links=(rules,)),
        )
    )

    async def ask() -> None:
        at = time.monotonic()
        scoring = Scoring(rows=ROWS, client="shop", request="", at=at, deadline=at + DEADLINE)
        try:
            source = (await world.pipeline.answer(scoring)).source
        except Refuses:
            source = None
        world.told.append(Told(at, time.monotonic() - at, source))

    start, tasks = time.monotonic(), []
    for at in range(int(RATE * seconds)):
        if (wait := start + at / RATE - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        for when in [when for when in faults if when <= at / RATE]:
            word = faults.pop(when)
            os.kill(pid, word)
            world.signals[word] = time.monotonic()
        tasks.append(asyncio.create_task(ask()))
    await asyncio.gather(*tasks)
    await pool.close()
    return world


@pytest.mark.slow
def test_a_model_that_is_killed_costs_no_request_and_its_breaker_opens_in_150_ms() -> None:
    world = lived({1.0: signal.SIGKILL}, 4.0)
    killed = world.signals[signal.SIGKILL]
    assert len(world.told) == 2_000
    assert {one.source for one in world.told if one.at < killed - 0.02} == {Source.PRIMARY}
    assert {one.source for one in world.told if one.at > killed} == {Source.RULES}
    assert world.opened() - killed < 0.15
    assert world.pipeline.breaker.rejected > 1_200  # were spared the try
    assert world.percentile(99) < DEADLINE


@pytest.mark.slow
def test_a_model_that_hangs_makes_few_wait_and_is_asked_again_when_it_answers() -> None:
    world = lived({1.0: signal.SIGSTOP, 3.0: signal.SIGCONT}, 5.0)
    hung, well = world.signals[signal.SIGSTOP], world.signals[signal.SIGCONT]
    assert None not in {one.source for one in world.told}
    assert world.percentile(99.9) < DEADLINE + 0.03  # 10 ms, and 20 for a busy machine
    paid = [one for one in world.told if hung - DEADLINE < one.at < well and one.seconds > 0.7 * DEADLINE]
    assert len(paid) <= RATE * (DEADLINE + 0.1)
    assert world.opened() - hung < 0.15
    back = next(one.at for one in world.told if one.at > well and one.source is Source.PRIMARY)
    assert back - well < OPEN + 1.0
    assert {one.source for one in world.told if one.at > well + OPEN + 1.0} == {Source.PRIMARY}
    assert world.pipeline.breaker.state is State.CLOSED
