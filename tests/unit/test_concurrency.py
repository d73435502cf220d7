"""The adaptive limit of concurrency, on a simulated server with a queue: it holds the target and never runs away."""

from __future__ import annotations

import asyncio
import heapq
import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from temper.core.errors import ConfigError
from temper.guard.serving.concurrency import Limiter, LimiterConfig


def simulate(
    limiter: Limiter, rate: float, seconds: float = 20.0, servers: int = 4, service: float = 0.004, seed: int = 0
) -> tuple[list[float], list[float]]:
    """SIMULATED: Poisson arrivals at a server with a queue; the latencies of the answered, the limit over time.

    It does servers / service = 1,000 a second, and 50 ms are reached with 50 calls in it.
    """
    rng = np.random.default_rng(seed)
    free, leaving, latencies, limits = [0.0] * servers, [], [], []
    now = 0.0
    while now < seconds:
        now += rng.exponential(1 / rate)
        while leaving and leaving[0][0] <= now:
            _, took = heapq.heappop(leaving)
            limiter.leave(took, True)
            latencies.append(took)
        limits.append(limiter.limit)
        if limiter.admit():
            done = max(now, heapq.heappop(free)) + service * rng.uniform(0.5, 1.5)
            heapq.heappush(free, done)
            heapq.heappush(leaving, (done, done - now))
    return latencies, limits


@pytest.mark.parametrize("load", [1.05, 1.2, 2.0, 4.0])
def test_under_overload_the_target_holds_and_little_is_lost(load: float) -> None:
    latencies, limits = simulate(Limiter(config=LimiterConfig(cap=10_000)), 1_000 * load)
    tail = latencies[len(latencies) // 2 :]
    assert np.mean(np.array(tail) <= 0.06) > 0.98
    assert len(latencies) / 20.0 > 0.9 * 1_000  # goodput
    assert max(limits) < 80


@pytest.mark.parametrize("load", [1.05, 1.5])
def test_netflix_134_it_does_not_grow_without_bound_under_modest_overload(load: float) -> None:
    _, limits = simulate(Limiter(config=LimiterConfig(cap=10_000)), 1_000 * load, seconds=60.0)
    assert max(limits[len(limits) // 2 :]) < 80


def test_netflix_137_constant_timeouts_bring_it_down_to_its_floor() -> None:
    limiter = Limiter(config=LimiterConfig(start=100, floor=3, cap=200))
    for _ in range(3_000):
        while limiter.admit():
            pass
        limiter.leave(0.05, False)
    assert limiter.limit == 3.0
    while limiter.running:
        limiter.leave(0.05, False)
    assert [limiter.admit() for _ in range(4)] == [True, True, True, False]


def test_it_does_not_grow_where_it_is_not_reached() -> None:
    limiter = Limiter(config=LimiterConfig(start=16))
    for _ in range(10_000):
        for _ in range(5):
            assert limiter.admit()
        for _ in range(5):
            limiter.leave(0.001, True)
    assert limiter.limit == 16


def test_it_grows_again_where_only_the_door_turns_away() -> None:
    """Whoever asks `full` first never calls `admit` in vain; the limit must not stay at its floor for that."""
    limiter = Limiter(config=LimiterConfig(start=2, floor=2, cap=40))
    for _ in range(2_000):
        while not limiter.full(0):
            assert limiter.admit()
        limiter.leave(0.001, True)
    assert limiter.limit == 40
    assert limiter.shed == 0
    assert (limiter.running, limiter.full(0), limiter.full(1)) == (39, False, True)


def test_it_grows_to_its_cap_where_answers_stay_fast_and_comes_back_after_trouble() -> None:
    limiter = Limiter(config=LimiterConfig(start=4, cap=40))

    def load(seconds: float, ok: bool, times: int) -> None:
        for _ in range(times):
            while limiter.admit():
                pass
            limiter.leave(seconds, ok)

    load(0.001, True, 5_000)
    assert limiter.limit == 40
    load(0.2, True, 2_000)
    assert limiter.limit == 2
    load(0.001, True, 5_000)
    assert limiter.limit == 40


def test_one_stall_is_one_step_down() -> None:
    limiter = Limiter(config=LimiterConfig(start=100, cap=200))
    for _ in range(100):
        assert limiter.admit()
    for _ in range(100):  # all were caught in one stall
        limiter.leave(0.5, True)
    for _ in range(79):
        assert limiter.admit()
    for _ in range(79):
        limiter.leave(0.001, True)
    assert limiter.limit == 80


def test_a_few_late_answers_are_tolerated() -> None:
    limiter = Limiter(config=LimiterConfig(start=20))
    for at in range(2_000):
        limiter.admit()
        limiter.leave(0.2 if at % 12 == 0 else 0.001, True)
    assert limiter.limit == 20


def test_no_cancellation_loses_a_place() -> None:
    limiter = Limiter(config=LimiterConfig(start=8, cap=8))

    async def call(seconds: float) -> None:
        if not limiter.admit():
            return
        ok = None
        try:
            await asyncio.sleep(seconds)
            ok = True
        finally:
            limiter.leave(0.001, ok)

    async def storm() -> None:
        rng = np.random.default_rng(1)
        for _ in range(200):
            tasks = [asyncio.create_task(call(float(rng.choice([0.0, 60.0])))) for _ in range(12)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    asyncio.run(storm())
    assert (limiter.running, limiter.limit) == (0, 8)


def test_a_model_that_hangs_takes_no_place_of_another() -> None:
    models = {name: Limiter(config=LimiterConfig(start=4, floor=4, cap=4)) for name in ("fraud", "credit")}
    while models["fraud"].admit():
        pass
    assert models["credit"].admit()
    assert models["fraud"].shed == 1


def test_leaving_without_having_been_admitted_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="never admitted"):
        Limiter().leave(0.1, True)


@settings(max_examples=200, deadline=None)
@given(
    events=st.lists(st.tuples(st.booleans(), st.floats(0, 0.2), st.sampled_from([True, False, None])), max_size=300),
    floor=st.integers(1, 5),
    more=st.integers(0, 30),
    start=st.integers(0, 60),
)
def test_it_stays_between_floor_and_cap_and_counts_what_runs(
    events: list[tuple[bool, float, bool | None]], floor: int, more: int, start: int
) -> None:
    limiter, running = Limiter(config=LimiterConfig(start=start, floor=floor, cap=floor + more)), 0
    for comes, seconds, ok in events:
        if comes:
            running += limiter.admit()
        elif running:
            limiter.leave(seconds, ok)
            running -= 1
        assert limiter.running == running <= floor + more
        assert floor <= limiter.limit <= floor + more


@pytest.mark.parametrize("wrong", [{"floor": 0}, {"floor": 9, "cap": 8}, {"target": math.nan}, {"backoff": 1.0}])
def test_a_limit_that_cannot_work_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        LimiterConfig(**wrong)
