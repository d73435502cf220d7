"""Quotas: never more than the limit; bounded memory; exact waits."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from temper.core.errors import ConfigError
from temper.core.quota import QuotaConfig
from temper.guard.serving.quota import Quota

EPOCH = 1_800_000_000.0


def quota(**config: float) -> Quota:
    return Quota(config=QuotaConfig(**config))


def most_in(times: list[float], costs: list[int], span: float) -> int:
    """The most that was spent within any window of this many seconds."""
    return max(
        (sum(c for t, c in zip(times, costs, strict=True) if start <= t <= start + span) for start in times), default=0
    )


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(st.tuples(st.floats(0, 2), st.integers(1, 4)), max_size=60),
    per_second=st.floats(0.2, 50),
    burst=st.integers(1, 8),
    start=st.sampled_from([0.0, EPOCH]),
)
def test_no_window_has_more_than_the_burst_and_the_rate(
    steps: list[tuple[float, int]], per_second: float, burst: int, start: float
) -> None:
    limit, now, times, costs = quota(per_second=per_second, burst=burst), start, [], []
    for pause, cost in steps:
        now += pause
        if not limit.take("a", now, cost):
            times.append(now)
            costs.append(cost)
    for span in (0.0, 0.5, 3.0, 20.0):
        assert most_in(times, costs, span) <= burst + per_second * span + 0.02


@settings(max_examples=150, deadline=None)
@given(pauses=st.lists(st.floats(0, 2), max_size=40), per_second=st.floats(0.2, 50), burst=st.integers(1, 8))
def test_who_waits_as_told_is_let_in_and_not_much_earlier(pauses: list[float], per_second: float, burst: int) -> None:
    limit, now = quota(per_second=per_second, burst=burst), EPOCH
    for pause in pauses:
        now += pause
        if wait := limit.take("a", now):
            if wait > 0.2 / per_second:
                assert limit.take("a", now + 0.9 * wait) > 0
            now += wait + 1e-6
            assert limit.take("a", now) == 0


def test_a_full_burst_is_let_in_at_any_time_of_the_clock() -> None:
    for start in (0.0, EPOCH, EPOCH + 0.123456):
        limit = quota(per_second=1_000, burst=500)
        assert sum(not limit.take("a", start) for _ in range(600)) == 500


def test_keys_do_not_share_and_what_is_refused_does_not_count() -> None:
    limit = quota(per_second=1, burst=2)
    assert [limit.take(key, 0.0) == 0 for key in "aaab"] == [True, True, False, True]
    assert limit.take("a", 1.0) == 0


def test_more_than_can_ever_be_had_waits_for_ever() -> None:
    assert quota(per_second=1, burst=2).take("a", 0.0, 3) == math.inf
    assert quota(per_day=2).take("a", 0.0, 3) == math.inf


def test_a_budget_by_the_day_ends_at_midnight() -> None:
    limit, noon = quota(per_day=3), 86_400.0 * 20_000 + 43_200
    assert [limit.take("a", noon + at) for at in range(4)] == [0, 0, 0, 43_197]
    assert limit.take("b", noon) == 0
    assert limit.take("a", noon + 43_200) == 0


def test_what_the_day_refuses_does_not_count_for_the_second() -> None:
    limit = quota(per_second=1, burst=5, per_day=1)
    assert limit.take("a", 0.0) == 0
    assert [limit.take("a", 1.0) > 0 for _ in range(9)] == [True] * 9
    assert limit._due["a"] == 1.0


def test_no_limit_is_no_limit() -> None:
    limit = quota()
    assert [limit.take("a", 0.0, 1_000) for _ in range(1_000)] == [0.0] * 1_000


def test_idle_clients_are_forgotten_and_busy_ones_are_not() -> None:
    limit = quota(per_second=1, burst=1, clients=2_000)
    for at in range(100_000):
        assert limit.take(f"client {at}", at * 0.01) == 0
        assert len(limit._due) <= 2_000
    assert limit.take("client 99999", 1_000.0) > 0


def test_with_every_place_taken_a_new_client_waits_and_an_old_limit_still_holds() -> None:
    limit = quota(per_second=0.001, burst=1, clients=100)
    assert all(limit.take(f"{at}", 0.0) == 0 for at in range(100))
    assert limit.take("new", 0.1) == 1.0
    assert limit.take("7", 0.1) > 900
    assert limit.take("new", 1_001.0) == 0


def test_one_clock_of_many_days_keeps_only_today() -> None:
    limit = quota(per_day=1, clients=10)
    for day in range(50):
        assert all(limit.take(f"{day}-{at}", day * 86_400.0) == 0 for at in range(10))
        assert len(limit._spent) <= 10
    assert limit.take("one more", 49 * 86_400.0 + 1) == 86_399.0


@pytest.mark.parametrize("wrong", [{"per_second": -1}, {"burst": 0}, {"per_day": -1}, {"per_second": math.nan}])
def test_a_quota_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        QuotaConfig(**wrong)
