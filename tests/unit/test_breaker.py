"""The circuit breaker: what it must never do, each bug of other breakers by name, and a machine against its model."""

from __future__ import annotations

import asyncio

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from temper.core.errors import ConfigError
from temper.guard.serving.breaker import Breaker, BreakerConfig, Outcome, State
from unit.breaker_model import Model, Pair

SUCCESS, FAILURE, IGNORED = Outcome.SUCCESS, Outcome.FAILURE, Outcome.IGNORED


def opened(**config: float) -> Breaker:
    """A breaker that has just opened, at 0 s; it tries again at 1 s."""
    found = Breaker(config=BreakerConfig(**({"window": 4, "least": 4, "open_seconds": 1.0, "probes": 2} | config)))
    for _ in range(4):
        found.record(found.allow(0.0), FAILURE, 0.01, 0.0)
    assert found.state is State.OPEN
    return found


def test_it_opens_at_the_share_of_the_last_calls_and_not_before() -> None:
    breaker = Breaker(config=BreakerConfig(window=10, least=10))
    for at in range(9):
        breaker.record(breaker.allow(0.0), FAILURE if at < 5 else SUCCESS, 0.01, 0.0)
        assert breaker.state is State.CLOSED
    breaker.record(breaker.allow(0.0), SUCCESS, 0.01, 0.0)
    assert (breaker.state, breaker.reason) == (State.OPEN, "5 of 10 calls failed")


def test_old_results_leave_the_window() -> None:
    breaker = Breaker(config=BreakerConfig(window=4, least=2))
    for outcome in (SUCCESS, SUCCESS, SUCCESS, FAILURE, SUCCESS, SUCCESS, SUCCESS, FAILURE, SUCCESS):
        breaker.record(breaker.allow(0.0), outcome, 0.01, 0.0)
    assert (breaker.state, breaker.view(0.0).failed, breaker.view(0.0).calls) == (State.CLOSED, 1, 4)


def test_slow_calls_open_it_though_they_succeed() -> None:
    breaker = Breaker(config=BreakerConfig(window=5, least=5, slow_seconds=0.05))
    for seconds in (0.01, 0.06, 0.05, 0.07, 0.08):
        breaker.record(breaker.allow(0.0), SUCCESS, seconds, 0.0)
    assert breaker.reason == "4 of 5 calls took 0.05 s or more"


def test_resilience4j_544_an_ignored_error_of_the_last_probe_frees_its_permit() -> None:
    breaker = opened()
    one, two = breaker.allow(1.0), breaker.allow(1.0)
    breaker.record(one, SUCCESS, 0.01, 1.0)
    breaker.record(two, IGNORED, 0.01, 1.0)
    assert breaker.state is State.HALF_OPEN
    breaker.record(breaker.allow(1.1), SUCCESS, 0.01, 1.1)
    assert breaker.state is State.CLOSED


def test_resilience4j_935_probes_that_never_answer_do_not_hold_it_half_open() -> None:
    breaker = opened(probe_seconds=3.0)
    late = [breaker.allow(1.0), breaker.allow(1.0)]
    assert breaker.allow(3.9) is None
    assert breaker.state is State.HALF_OPEN
    assert breaker.allow(4.0) is None
    assert (breaker.state, breaker.reason) == (State.OPEN, "probes: 2 of 2 calls failed")
    for permit in late:
        breaker.record(permit, SUCCESS, 9.0, 10.0)
    assert breaker.state is State.OPEN


def test_resilience4j_1090_a_thousand_concurrent_callers_are_at_most_the_permitted_probes() -> None:
    breaker, running, most, let_through = opened(probes=3), 0, 0, 0

    async def call() -> None:
        nonlocal running, most, let_through
        permit = breaker.allow(1.0)
        if permit is None:
            return
        let_through, running = let_through + 1, running + 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        breaker.record(permit, FAILURE, 0.005, 1.0)

    async def everybody() -> None:
        await asyncio.gather(*(call() for _ in range(1_000)))

    asyncio.run(everybody())
    assert (most, let_through, breaker.rejected, breaker.state) == (3, 3, 997, State.OPEN)


def test_half_open_admits_no_more_as_results_come_in() -> None:
    breaker = opened(probes=3)
    first = breaker.allow(1.0)
    breaker.record(first, SUCCESS, 0.01, 1.0)
    assert [breaker.allow(1.0) is None for _ in range(4)] == [False, False, True, True]


def test_a_cancelled_probe_does_not_leave_it_stuck_half_open() -> None:
    breaker = opened(probes=1)

    async def probe() -> None:
        permit = breaker.allow(1.0)
        outcome = IGNORED
        try:
            await asyncio.sleep(60)
            outcome = SUCCESS
        finally:
            breaker.record(permit, outcome, 0.0, 1.0)

    async def cancelled() -> None:
        task = asyncio.create_task(probe())
        await asyncio.sleep(0)
        assert breaker.view(1.0).probing == 1
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(cancelled())
    assert breaker.view(1.0).probing == 0
    assert breaker.allow(1.0) is not None


def test_a_stale_success_does_not_close_it_nor_a_stale_failure_reopen_it() -> None:
    breaker = Breaker(config=BreakerConfig(window=4, least=4, open_seconds=1.0, probes=1))
    early = [breaker.allow(0.0) for _ in range(12)]
    for permit in early[:4]:
        breaker.record(permit, FAILURE, 0.01, 0.0)
    for permit in early[4:8]:
        breaker.record(permit, SUCCESS, 0.5, 0.5)
    assert breaker.state is State.OPEN
    breaker.record(breaker.allow(1.0), SUCCESS, 0.01, 1.0)
    assert breaker.state is State.CLOSED
    for permit in early[8:]:
        breaker.record(permit, FAILURE, 1.0, 1.1)
    assert (breaker.state, breaker.view(1.1).calls) == (State.CLOSED, 0)


def test_a_probe_of_an_earlier_half_open_period_counts_for_nothing() -> None:
    breaker = opened(probes=2)
    old = breaker.allow(1.0)
    breaker.record(breaker.allow(1.0), FAILURE, 0.01, 1.0)  # 1 of 2 is enough: open again
    new = breaker.allow(2.0)
    breaker.record(old, SUCCESS, 1.0, 2.0)
    assert (breaker.state, breaker.view(2.0).calls, old != new) == (State.HALF_OPEN, 0, True)


def test_handing_a_probe_back_twice_counts_once() -> None:
    breaker = opened(probes=3)
    probe = breaker.allow(1.0)
    breaker.record(probe, SUCCESS, 0.01, 1.0)
    breaker.record(probe, SUCCESS, 0.01, 1.0)
    assert breaker.view(1.0).calls == 1


def test_own_rejections_are_never_held_against_the_model() -> None:
    breaker = opened(probes=1)
    for _ in range(500):
        permit = breaker.allow(0.5)
        breaker.record(permit, FAILURE, 0.0, 0.5)  # a careless caller
    assert breaker.view(0.5).wait == 0.5
    breaker.record(breaker.allow(1.0), SUCCESS, 0.01, 1.0)
    assert (breaker.state, breaker.rejected) == (State.CLOSED, 500)


def test_an_operator_forces_it_open_and_closed_and_hands_it_back() -> None:
    breaker = Breaker(config=BreakerConfig(window=2, least=2, probes=1))
    breaker.force_open(0.0)
    assert breaker.allow(1e9) is None
    breaker.trip(1e9, "a wrong answer", 1.0)
    assert breaker.allow(2e9) is None
    assert breaker.state is State.FORCED_OPEN
    breaker.automatic(2e9)
    assert breaker.state is State.HALF_OPEN  # nobody knows yet whether the model is well
    breaker.force_closed(2e9)
    for _ in range(10):
        breaker.record(breaker.allow(2e9), FAILURE, 0.01, 2e9)
    breaker.trip(2e9, "a wrong answer")
    assert (breaker.state, breaker.view(2e9).failed) == (State.FORCED_CLOSED, 2)
    breaker.automatic(2e9)
    breaker.automatic(2e9)
    assert (breaker.state, breaker.view(2e9).calls) == (State.CLOSED, 0)


def test_what_knows_better_trips_it_for_as_long_as_it_says() -> None:
    breaker = Breaker()
    breaker.trip(5.0, "golden probe: row 3 scored 0.9, 0.1 was expected", 30.0)
    assert breaker.allow(34.9) is None
    assert breaker.allow(35.0) is not None
    assert [word for _, word, _ in breaker.history] == ["open", "half_open"]


def test_memory_is_bounded() -> None:
    breaker = Breaker(config=BreakerConfig(window=2, least=1, probes=1, open_seconds=1.0))
    for at in range(1_000):
        breaker.record(breaker.allow(float(at)), FAILURE, 0.0, float(at))
    assert len(breaker.history) == 64
    assert len(breaker._probing) <= 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"least": 0},
        {"least": 9, "window": 8},
        {"probes": 0},
        {"failure_rate": 0.0},
        {"failure_rate": float("nan")},
        {"slow_rate": 1.5},
        {"open_seconds": 0.0},
        {"probe_seconds": -1.0},
    ],
)
def test_a_configuration_that_cannot_work_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        BreakerConfig(**wrong)


class Machine(RuleBasedStateMachine):
    """Any breaker under any events does as its model."""

    @initialize(
        window=st.integers(1, 8),
        least=st.integers(1, 8),
        probes=st.integers(1, 4),
        rates=st.tuples(st.sampled_from([0.2, 0.5, 1.0]), st.sampled_from([0.3, 0.5, 1.0])),
        waits=st.tuples(st.floats(0.1, 3), st.floats(0.1, 3)),
    )
    def begin(self, window, least, probes, rates, waits) -> None:
        config = BreakerConfig(
            window=window,
            least=min(least, window),
            probes=probes,
            failure_rate=rates[0],
            slow_rate=rates[1],
            slow_seconds=1.0,
            open_seconds=waits[0],
            probe_seconds=waits[1],
        )
        self.pair = Pair(Breaker(config=config), Model(config=config))

    @rule(times=st.integers(1, 5))
    def allow(self, times) -> None:
        for _ in range(times):
            self.pair.do("allow")

    @precondition(lambda self: self.pair.out)
    @rule(data=st.data(), what=st.sampled_from(["success", "failure", "ignored"]), seconds=st.floats(0, 2))
    def record(self, data, what, seconds) -> None:
        self.pair.do(what, data.draw(st.integers(0, len(self.pair.out) - 1)), seconds)

    @rule(seconds=st.floats(0, 4))
    def tick(self, seconds) -> None:
        self.pair.do("tick", 0, seconds)

    @rule(what=st.sampled_from(["trip", "force_open", "force_closed", "automatic"]))
    def operate(self, what) -> None:
        self.pair.do(what)


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestMachine = Machine.TestCase
