"""Quotas: never more than the limit, on one node and on several, one of which dies; bounded memory; exact waits."""

from __future__ import annotations

import asyncio
import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from temper.core.errors import ConfigError, StoreError
from temper.guard.serving.quota import Grant, Quota, QuotaConfig, Shares, renew

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
    limit.give_back("a", 1, 1.0)
    assert limit.take("a", 1.0) == 0


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


def turn(shares: Shares, allowance: Quota, now: float) -> None:
    """What the driver of a node does all the time."""
    for key, queries in shares.unspent(now):
        allowance.give_back(key, queries, now)
    for key, want in shares.wanted():
        shares.put(key, allowance.lease(key, want, now), now)


@pytest.mark.parametrize("seed", range(12))
def test_several_nodes_share_a_daily_budget_and_one_killed_with_its_lease_never_lets_more_through(seed: int) -> None:
    rng = np.random.default_rng(seed)
    limit = quota(per_day=1_000, clients=500)
    nodes = [Shares(lease=60, seconds=2.0) for _ in range(4)]
    spent, lost, now = 0, 0, EPOCH
    for step in range(8_000):
        now += rng.exponential(0.01)
        at = int(rng.integers(len(nodes)))
        cost = int(rng.integers(1, 4))
        if not nodes[at].take("shop", now, cost):
            spent += cost
        if step % 3 == 0:
            turn(nodes[at], limit, now)
        if step % 1_000 == 999:  # killed, its lease with it, and started again
            lost += sum(share.left + share.after for share in nodes[at]._held.values()) + sum(nodes[at]._back.values())
            nodes[at] = Shares(lease=60, seconds=2.0)
    assert spent <= 1_000
    assert spent + lost >= 980  # and what nobody lost can be spent


@pytest.mark.parametrize("seed", range(6))
def test_several_nodes_share_a_rate(seed: int) -> None:
    rng = np.random.default_rng(seed)
    limit = quota(per_second=100, burst=50)
    nodes, now, times = [Shares(lease=20, seconds=0.5) for _ in range(3)], EPOCH, []
    for step in range(9_000):
        now += rng.exponential(0.003)
        node = nodes[int(rng.integers(3))]
        if not node.take("shop", now):
            times.append(now - EPOCH)
        if step % 4 == 0:
            turn(node, limit, now)
        if step == 5_000:
            nodes[0] = Shares(lease=20, seconds=0.5)
    for span in (0.1, 1.0, 5.0):
        ends = np.searchsorted(times, np.array(times) + span, side="right")
        assert (ends - np.arange(len(times))).max() <= 50 + 100 * (span + 2 * 0.5)
    assert len(times) > 0.85 * 100 * times[-1]


def test_a_node_is_not_left_without_between_two_leases() -> None:
    shares, limit, refused = Shares(lease=100, seconds=5.0), quota(per_second=1_000, burst=1_000), 0
    for at in range(20_000):
        now = at * 0.01
        refused += shares.take("shop", now) > 0
        turn(shares, limit, now)
    assert refused == 1  # the first: nothing had been leased yet


def test_nothing_is_leased_twice_while_the_answer_is_on_its_way() -> None:
    shares = Shares(lease=10)
    for _ in range(5):
        assert shares.take("shop", 0.0) == shares.patience
    assert shares.wanted() == [("shop", 10)]
    assert shares.take("shop", 0.0) > 0
    assert shares.wanted() == []
    shares.put("shop", Grant(0, 3.0), 0.0)  # the limit is spent
    assert shares.take("shop", 1.0) == 2.0
    assert shares.wanted() == []
    assert shares.take("shop", 3.0) == shares.patience
    assert shares.wanted() == [("shop", 10)]


def test_a_node_that_closes_gives_back_all_it_holds() -> None:
    shares, limit = Shares(lease=10), quota(per_day=40)
    shares.take("shop", 0.0)
    turn(shares, limit, 0.0)
    assert shares.take("shop", 0.0) == 0
    for key, queries in shares.unspent(0.1, closing=True):
        limit.give_back(key, queries, 0.1)
    assert limit._spent["shop"] == 1
    assert not shares._held


def test_a_lease_is_at_most_half_of_what_is_left() -> None:
    limit = quota(per_day=100, clients=1_000)
    assert [limit.lease("shop", 80, 0.0).queries for _ in range(9)] == [50, 25, 12, 6, 3, 2, 1, 1, 0]
    assert limit.lease("shop", 80, 0.0) == Grant(0, 86_400.0)


def test_what_is_not_asked_for_any_more_is_forgotten_and_places_are_limited() -> None:
    shares, limit = Shares(lease=10, seconds=1.0, clients=50), quota(per_second=1, burst=1_000)
    for at in range(200):
        shares.take(f"{at}", 0.0)
    turn(shares, limit, 0.0)
    assert len(shares._held) == 50
    turn(shares, limit, 1.0)
    turn(shares, limit, 2.0)
    assert not shares._held


class Store(Quota):
    """A control store that can be down."""

    down = False

    def lease(self, key: str, want: int, now: float) -> Grant:
        self.reached()
        return super().lease(key, want, now)

    def give_back(self, key: str, queries: int, now: float) -> None:
        self.reached()
        super().give_back(key, queries, now)

    def reached(self) -> None:
        if self.down:
            raise StoreError("the control store does not answer")


def through_an_outage(alone: Quota | None) -> tuple[list[float], Store, Shares]:
    """When a client asking 20 times a second was let in; the store is down from 10 s to 70 s."""
    store = Store(config=QuotaConfig(per_second=10, burst=10, per_day=1_000))
    shares, times = Shares(lease=10, seconds=1.0, alone=alone), []

    async def run() -> None:
        for step in range(2_000):
            now = step * 0.05
            store.down = 10 <= now < 70
            if not shares.take("shop", now):
                times.append(now)
            if step % 4 == 0:
                await renew(shares, store, lambda now=now: now)

    asyncio.run(run())
    return times, store, shares


def test_a_node_that_cannot_reach_the_store_goes_on_alone_within_its_part_and_comes_back() -> None:
    times, store, shares = through_an_outage(Quota(config=QuotaConfig(per_second=5, burst=5)))
    gaps = np.diff(times)
    assert gaps.max() < 1.0
    during = sum(12 <= at < 70 for at in times)
    assert 0.9 * 58 * 5 <= during <= 58 * 5 + 5
    assert sum(at >= 75 for at in times) > 0.9 * 25 * 10  # leases again
    assert store._spent["shop"] + 5 >= len([at for at in times if at < 10 or at >= 71])
    assert not shares._held["shop"].alone


def test_without_a_part_of_its_own_clients_wait_and_nothing_leased_is_lost() -> None:
    times, store, _ = through_an_outage(None)
    assert not any(12 <= at < 70 for at in times)
    assert len(times) <= store._spent["shop"] <= len(times) + 20  # what is still held
