"""A model that hangs or lies behind the gateway's pipeline: who waits, who is asked, and when it is found out."""

import asyncio
import time
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest

from bench.guard.kills import write
from temper.core.serving import Scoring, Source
from temper.gateway.tables.build import opened
from temper.gateway.tables.tending import Tending
from temper.guard.serving.breaker import Breaker, BreakerConfig, State
from temper.guard.serving.concurrency import Limiter, LimiterConfig
from temper.guard.serving.fallback import Chain
from temper.guard.serving.golden import Golden, Probes
from temper.guard.serving.pipeline import Pipeline, Refuses

ROWS = np.random.default_rng(0).uniform(0, 1, (4_000, 3))


class Model:
    """The mean of a row, or what `does` makes of it; counts how many rows it has and had at once."""

    def __init__(self, inline=True, does=lambda rows, scores: scores):
        self.inline, self.does, self.rows, self.calls = inline, does, 0, []

    def score(self, rows):
        self.rows += len(rows)
        return self.does(rows, rows.mean(axis=1))

    async def ask(self, rows, seconds, trace=""):
        self.calls.append((time.monotonic(), len(rows)))
        found = self.score(rows)
        return await found if asyncio.iscoroutine(found) else found


async def hangs(rows, scores):
    await asyncio.sleep(60)


def pipeline(model, **about):
    usual = {
        "record": lambda scoring, waiting: waiting.set_result(0),
        "breaker": Breaker(config=BreakerConfig(window=20, least=10, open_seconds=0.2, probes=3)),
        "limiter": Limiter(config=LimiterConfig(start=5_000, floor=5_000, cap=5_000)),
        "chain": Chain(score=0.5, last=Source.HUMAN),
    }
    return Pipeline(model=model, **{**usual, **about})


def scoring(rows, seconds=1.0, at=None):
    now = time.monotonic() if at is None else at
    return Scoring(rows=rows, client="shop", request="r", at=now, deadline=now + seconds)


def test_a_thousand_callers_at_a_hung_model_get_three_probes_through():
    model = Model(inline=False, does=hangs)
    whole = pipeline(model)

    async def story():
        for _ in range(12):
            whole.breaker.record(whole.breaker.allow(time.monotonic()), 1, 0.0, time.monotonic())
        assert whole.breaker.state is State.OPEN
        await asyncio.sleep(0.25)
        found = []
        for _ in range(3):  # all at once, three times within the life of the probes
            found += [asyncio.create_task(whole.answer(scoring(ROWS[at : at + 1], 3.0))) for at in range(1_000)]
            await asyncio.sleep(0.05)
        return await asyncio.gather(*found)

    found = asyncio.run(story())
    assert sum(rows for _, rows in model.calls) == 3
    assert {one.source for one in found} == {Source.HUMAN}
    assert len(found) == 3_000


class Stalls:
    """A link of the chain that hangs and does not let itself be cancelled."""

    source = Source.CHALLENGER

    async def answer(self, rows):
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            await asyncio.sleep(5)


@pytest.mark.parametrize("stuck", ["model", "chain", "audit"])
def test_whatever_hangs_nobody_waits_past_the_deadline(stuck):
    """Deadlines of 20 to 300 ms; how late each answer comes is held against a timer of the loop that is due with it,
    since a machine that stands still for a second makes both late.
    """
    about = {
        "model": {},
        "chain": {"chain": Chain(links=(Stalls(), Stalls(), Stalls()))},
        "audit": {"record": lambda scoring, waiting: None},
    }[stuck]
    whole = pipeline(Model(inline=stuck == "audit", does=(lambda r, s: s) if stuck == "audit" else hangs), **about)

    async def one(at):
        asked = scoring(ROWS[at : at + 1], 0.02 + 0.28 * (at % 50) / 49)
        with suppress(Refuses):
            await whole.answer(asked)
        return time.monotonic() - asked.deadline

    async def timer(at):
        due = time.monotonic() + 0.02 + 0.28 * (at % 50) / 49
        await asyncio.sleep(due - time.monotonic())
        return time.monotonic() - due

    async def story():
        tasks = []
        for at in range(400):
            tasks.append((asyncio.create_task(one(at)), asyncio.create_task(timer(at))))
            if at % 4 == 0:
                await asyncio.sleep(0.001)
        return np.array([[await own, await other] for own, other in tasks])

    late = asyncio.run(story())
    beyond = late[:, 0] - np.maximum(late[:, 1], 0.0)
    assert np.median(beyond) < 0.005
    assert np.quantile(beyond, 0.95) < 0.010, "a stall between a timer and its answer makes a few pairs differ"


def test_a_client_in_a_hurry_opens_no_breaker_and_takes_nobodys_time():
    """Deadlines of a millisecond against a model that takes ten: the client is at fault, and others are answered."""

    async def slowly(rows, scores):
        await asyncio.sleep(0.01)
        return scores

    whole = pipeline(Model(inline=False, does=slowly), fair=0.5)

    async def story():
        tasks = []
        for at in range(200):
            tasks.append(asyncio.create_task(whole.answer(scoring(ROWS[at : at + 1], 5.0 if at % 4 == 0 else 0.001))))
            if at % 10 == 9:
                await asyncio.sleep(0.002)
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = asyncio.run(story())[::4]
    assert [one.source for one in found] == [Source.PRIMARY] * 50
    assert whole.breaker.state is State.CLOSED


@pytest.mark.slow
def test_of_a_million_rows_no_score_that_is_no_number_gets_out():
    rng = np.random.default_rng(1)
    bad = np.array([np.nan, np.inf, -np.inf])

    def does(rows, scores):
        wrong = rows[:, 0] > 0.9
        return np.where(wrong, bad[(rows[:, 1] * 3).astype(int)], scores)

    whole = pipeline(Model(does=does), breaker=Breaker(config=BreakerConfig(window=50, least=50, failure_rate=1.0)))

    async def story():
        out = wrong = 0
        for _ in range(50):
            many = [rng.uniform(0, 1, (1_000, 3)) for _ in range(20)]
            for rows in many[:10]:
                rows[:, 0] *= 0.9
            found = await asyncio.gather(*(whole.answer(scoring(rows, 30.0)) for rows in many))
            out += sum(int((~np.isfinite(one.scores)).sum()) for one in found)
            wrong += sum((rows[:, 0] > 0.9).sum() for rows in many)
            primary = [one.source is Source.PRIMARY for one in found]
            assert primary == [not (rows[:, 0] > 0.9).any() for rows in many]
        return out, wrong

    out, wrong = asyncio.run(story())
    assert out == 0
    assert wrong > 40_000


def _tended(model, period):
    """A pipeline, its known rows, and what asks them."""
    golden = Golden(probes=Probes.choose(ROWS, ROWS.mean(axis=1)), period=period)
    whole = pipeline(model, learn=lambda rows, scores: golden.watch(scores))
    live = SimpleNamespace(pipeline=whole, pipelines=(whole,), golden=golden)
    tending = object.__new__(Tending)
    tending.live = lambda: live
    return whole, golden, tending


LIES = {
    "constant": lambda rows, scores: np.full(len(rows), 0.3),
    "shifted": lambda rows, scores: scores + 0.01,
    "shuffled": lambda rows, scores: np.roll(scores, 1) if len(rows) > 1 else scores,
    "of another": lambda rows, scores: rows[:, 0],
}


@pytest.mark.parametrize("lie", LIES)
def test_a_model_that_lies_is_found_out_within_two_periods(lie):
    model, period = Model(), 0.5
    whole, golden, tending = _tended(model, period)

    async def story():
        probing = asyncio.create_task(tending._probing())
        for at in range(20):
            await whole.answer(scoring(ROWS[at : at + 1]))
            await asyncio.sleep(0.005)
        assert (whole.breaker.state, golden.failed) == (State.CLOSED, 0)
        model.does, began, asked = LIES[lie], time.monotonic(), 0
        while whole.breaker.state is State.CLOSED:
            await whole.answer(scoring(ROWS[asked : asked + 1]))
            asked += 1
            await asyncio.sleep(0.004)
        took = time.monotonic() - began
        model.does = lambda rows, scores: scores
        while whole.breaker.state is not State.CLOSED:  # and it is let in again when it is well
            await asyncio.sleep(0.01)
            await whole.answer(scoring(ROWS[:1]))
            assert time.monotonic() - began < 20 * period
        probing.cancel()
        return took, asked

    took, asked = asyncio.run(story())
    assert took < 2 * period + 0.2
    assert asked <= 250


def test_a_model_that_says_one_thing_only_is_found_out_long_before_the_period():
    model = Model()
    whole, golden, tending = _tended(model, 60.0)

    async def story():
        probing = asyncio.create_task(tending._probing())
        await asyncio.sleep(0.02)
        model.does, asked = LIES["constant"], 0
        while whole.breaker.state is State.CLOSED and asked < 1_000:
            await whole.answer(scoring(ROWS[asked : asked + 1]))
            asked += 1
            await asyncio.sleep(0.002)
        probing.cancel()
        return asked

    assert asyncio.run(story()) <= 200
    assert golden.failed == 1


@pytest.mark.slow
def test_a_million_clean_requests_trip_nothing():
    """Rows of a model of few leaves, so that scores repeat: 1e6 requests with known rows asked throughout."""
    model = Model(does=lambda rows, scores: np.round(scores, 1))
    golden = Golden(probes=Probes.choose(ROWS, np.round(ROWS.mean(axis=1), 1)), period=0.05)
    whole = pipeline(model, learn=lambda rows, scores: golden.watch(scores))
    batches = [[ROWS[at : at + 1] for at in range(start, start + 500)] for start in range(0, 4_000, 500)]

    async def story():
        for turn in range(2_000):
            rows = batches[turn % len(batches)] if turn % 5 else [ROWS[:1]] * 500  # every fifth batch is one row
            whole._queue += [(scoring(one, 30.0), asyncio.get_running_loop().create_future()) for one in rows]
            whole._flush()
            if golden.due(now := time.monotonic()):
                assert golden.check(model.score(golden.probes.rows), whole.breaker, now) == ""

    asyncio.run(story())
    assert model.rows >= 1_000_000
    assert golden.asked > 10
    assert (golden.failed, whole.breaker.rejected) == (0, 0)
    assert whole.breaker.state is State.CLOSED
    assert not whole.breaker.history


def test_a_gateway_notices_that_it_says_one_thing_only(tmp_path):
    gateway = opened(write(tmp_path / "tiny", {}))
    try:
        pipeline, golden, now = gateway.live.pipeline, gateway.live.golden, time.monotonic()
        golden.check(golden.probes.expected, pipeline.breaker, now)
        assert not golden.due(now)
        for _ in range(60):
            pipeline.learn(ROWS[:1], np.array([0.3]))
        assert golden.due(now)
        assert 0 < pipeline.fair < gateway.live.serving.deadline
    finally:
        gateway.close()
