"""Limits that nodes share through a control store: kept whoever dies, whatever is told twice, whatever is down."""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.errors import StoreError
from temper.core.quota import DAY, Grant, QuotaConfig, Trade
from temper.gateway.tables.leasing import Leasing
from temper.guard.serving.shares import Shares
from temper.store.control import Control
from temper.store.control.quotas import SECONDS

NOON = 20_000 * DAY + 43_200.0


@pytest.fixture
def control(tmp_path):
    """A store on a disk that costs nothing, where there is one: these tests commit thousands of times."""
    memory = Path("/dev/shm")
    path = (memory if memory.is_dir() else tmp_path) / f"temper-shares-{tmp_path.name}.db"
    found = Control.open(str(path))
    yield found
    found.close()
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


class Node:
    """A node by hand: exchanges that fail before or after the store has heard of them, and a death."""

    def __init__(self, control, name, config, nodes=10**6):
        self.pool, self.config = control.quotas.pool(name), config
        self.shares = Shares(config=config, nodes=nodes)
        self.number, self.batch = 0, {}
        self.spent = self.told = self.alone = self.late = 0
        self.heard, self.last = math.inf, 0

    def take(self, now, cost=1, key="shop"):
        share = self.shares._held.get(key)
        held = share is not None and share.left >= cost and now < share.until
        if self.shares.take(key, now, cost):
            return 0
        self.spent += cost
        self.alone += 0 if held else cost
        return cost

    def heard_of(self, now):
        """The exchange. What was spent of a lease that ended before it was told of may have been given out again."""
        if self.number > self.last and now >= self.heard + SECONDS:
            self.late += sum(one.spent for one in self.batch.values())
        self.heard, self.last = now, self.number
        return self.pool.exchange(self.config, self.number, self.batch, now)

    def turn(self, now, fault=""):
        while self.batch or (trades := self.shares.trades(now)):
            if not self.batch:
                self.number, self.batch = self.number + 1, trades
            grants = {} if fault == "down" else self.heard_of(now)
            if fault:
                self.shares.lost = True
                return
            self.told = self.spent - sum(one.spent for one in self.shares._held.values())
            self.shares.put(grants, now)
            self.shares.lost, self.batch = False, {}


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["take"] * 12 + ["turn"] * 6 + ["look"] * 2 + ["down", "unheard", "die", "wait", "rest"]),
        st.integers(1, 4),
        st.floats(0, 0.5),
    ),
    min_size=20,
    max_size=150,
)


@settings(max_examples=60)
@given(steps=STEPS, per_day=st.integers(1, 60))
def test_a_daily_budget_is_exceeded_by_no_more_than_was_told_too_late_or_never(tmp_path_factory, steps, per_day):
    folder = Path("/dev/shm") if Path("/dev/shm").is_dir() else tmp_path_factory.mktemp("x")
    path = folder / f"temper-budget-{tmp_path_factory.getbasetemp().name}-{id(steps)}.db"
    control, config = Control.open(str(path)), QuotaConfig(per_day=per_day)
    try:
        now, nodes, dead = NOON, [Node(control, f"n{at}", config) for at in range(3)], []
        for at, what, cost, pause in steps:
            node, now = nodes[at], now + pause
            if what == "take":
                node.take(now, cost)
            elif what in ("turn", "down", "unheard"):
                node.turn(now, "" if what == "turn" else what)
            elif what == "look":
                node.shares.give_back(node.pool.wanted())
            elif what == "die":
                dead.append(node)
                nodes[at] = Node(control, f"n{at}-{len(dead)}", config)
            else:
                now += SECONDS if what == "wait" else 0.0
                node.shares.sweep(now)
        for node in nodes:
            node.turn(now)
        spent = sum(node.spent for node in nodes + dead)
        untold, alone = sum(node.spent - node.told for node in dead), sum(node.alone for node in nodes + dead)
        late = sum(node.late for node in nodes + dead)
        assert spent <= per_day + untold + late + alone
        # What died with its lease can be had again once that has ended, and no query of the living is lost.
        last, now = Node(control, "last", config), now + SECONDS
        for node in nodes:
            node.shares.sweep(now, closing=True)
            node.turn(now)
        for _ in range(4 * per_day):
            last.take(now)
            last.turn(now)
        assert sum(node.spent for node in [*nodes, *dead, last]) >= per_day
    finally:
        control.close()
        for file in folder.glob(f"{path.name}*"):
            file.unlink()


@pytest.mark.parametrize("seed", range(4))
def test_several_nodes_share_a_rate_and_one_that_is_killed_takes_nothing_along(control, seed):
    rng, config = np.random.default_rng(seed), QuotaConfig(per_second=100, burst=50)
    nodes, now, times = [Node(control, f"n{at}", config) for at in range(3)], NOON, []
    for step in range(6_000):
        now += rng.exponential(0.003)
        node = nodes[int(rng.integers(3))]
        if node.take(now):
            times.append(now - NOON)
        if step % 4 == 0:
            node.turn(now)
        if step == 3_000:
            nodes[0] = Node(control, "again", config)
    for span in (0.1, 1.0, 5.0):
        ends = np.searchsorted(times, np.array(times) + span, side="right")
        assert (ends - np.arange(len(times))).max() <= 50 + 100 * (span + 5.0)
    assert len(times) > 0.8 * 100 * times[-1]


def test_a_node_is_not_left_without_between_two_leases(control):
    node, refused = Node(control, "n", QuotaConfig(per_second=1_000, burst=1_000)), 0
    for at in range(2_000):
        refused += not node.take(NOON + at * 0.01)
        node.turn(NOON + at * 0.01)
    assert refused == 1  # the first: nothing had been leased yet


def test_nothing_is_leased_twice_while_the_answer_is_on_its_way():
    shares = Shares(config=QuotaConfig(per_day=1_000))
    for _ in range(5):
        assert shares.take("shop", NOON) == shares.patience
    assert shares.trades(NOON) == {"shop": Trade(want=50, need=1)}
    assert shares.coming("shop")
    assert shares.take("shop", NOON) > 0
    shares.put({"shop": Grant(0, 3.0)}, NOON)  # the limit is spent
    assert not shares.coming("shop")
    assert shares.take("shop", NOON + 1) == 2.0
    shares.trades(NOON + 1)
    assert shares.take("shop", NOON + 3) == shares.patience
    assert shares.trades(NOON + 3) == {"shop": Trade(want=50, need=1)}


def test_a_request_of_many_rows_gets_more_than_half_and_one_too_large_never_blocks_a_small_one(control):
    node = Node(control, "n", QuotaConfig(per_second=1, burst=100))
    assert node.shares.take("shop", NOON, 101) == math.inf
    assert not node.take(NOON, 80)
    node.turn(NOON)
    assert node.take(NOON, 80)
    assert not node.take(NOON, 30)
    node.turn(NOON)
    assert 5 < node.shares.take("shop", NOON, 30) <= 10.1
    assert node.take(NOON, 1) or (node.turn(NOON), node.take(NOON, 1))[1], "there are 20 left"


def test_a_lease_ends_at_midnight_and_is_no_credit_for_the_next_day(control):
    config = QuotaConfig(per_day=100)
    night = NOON + 43_200.0
    one, other = Node(control, "a", config), Node(control, "b", config)
    for node, many in ((one, 40), (other, 40)):
        for _ in range(3 * many):
            if node.spent < many:
                node.take(night - 1)
                node.turn(night - 1)
    for node in (one, other):
        node.shares.sweep(night + 0.1)
    spent = [0, 0]
    for _ in range(300):
        for at, node in enumerate((one, other)):
            spent[at] += node.take(night + 0.2)
            node.turn(night + 0.2)
    assert sum(spent) == 100


def test_what_is_told_twice_counts_once(control):
    config = QuotaConfig(per_day=100)
    node = Node(control, "a", config)
    node.take(NOON)
    node.turn(NOON)
    for _ in range(10):
        node.take(NOON)
    for _ in range(5):
        node.turn(NOON, "unheard")
    node.turn(NOON)
    node.shares.sweep(NOON + 1, closing=True)
    node.turn(NOON + 1)
    other, got = Node(control, "b", config), 0
    for _ in range(300):
        got += other.take(NOON + 2)
        other.turn(NOON + 2)
    assert node.spent >= 3
    assert got == 100 - node.spent


@pytest.mark.slow
def test_the_allowance_of_a_control_store(place):
    """The law both databases keep: what is leased is off the limit, and comes back when it is told of or has ended."""
    first, second = Control.open(place), Control.open(place)
    a, b, config = first.quotas.pool("a", "m/"), second.quotas.pool("b", "m/"), QuotaConfig(per_day=100)
    try:
        want = {"shop": Trade(want=80, need=1)}
        assert a.exchange(config, 1, want, NOON) == {"shop": Grant(50)}
        assert b.exchange(config, 1, want, NOON) == {"shop": Grant(25)}
        assert second.quotas.pool("b", "other/").exchange(config, 2, want, NOON) == {"shop": Grant(50)}
        # 20 spent and told, twice; 30 left.
        for _ in range(2):
            told = {"shop": Trade(spent=20, left=30, want=0)}
            assert a.exchange(config, 2, told, NOON + 1) == {"shop": Grant(0)}
        assert b.exchange(config, 3, {"shop": Trade(left=25, need=26, want=26)}, NOON + 2) == {"shop": Grant(0, 1.0)}
        # b is refused what a holds: a hears of it, until it has told again.
        assert (list(a.wanted()), list(b.wanted())) == (["shop"], [])
        assert list(second.quotas.pool("a", "other/").wanted()) == []
        assert a.exchange(config, 3, {"shop": Trade(left=30)}, NOON + 1) == {"shop": Grant(0)}
        assert list(a.wanted()) == []
        # a dies with 30: they can be had when its lease has ended.
        found = b.exchange(config, 4, {"shop": Trade(left=25, need=55, want=55)}, NOON + 1 + SECONDS)
        assert found == {"shop": Grant(55)}
        found = b.exchange(config, 5, {"shop": Trade(left=80, need=1, want=1)}, NOON + 2 + SECONDS)
        assert found["shop"].queries == 0
        assert found["shop"].wait == pytest.approx(NOON + 43_200 - NOON - 2 - SECONDS)
        assert b.exchange(config, 6, {"shop": Trade(left=0)}, NOON + 3 + SECONDS) == {"shop": Grant(0)}
        many = {f"c{at}": Trade(want=5, need=1) for at in range(256)}
        assert set(a.exchange(config, 4, many, NOON + 20).values()) == {Grant(5)}
        first.quotas.prune(NOON + 30 * DAY)
        assert a.exchange(config, 1, want, NOON + 30 * DAY) == {"shop": Grant(50)}
    finally:
        first.close()
        second.close()


class Slow:
    """An allowance that can hang, or be down."""

    def __init__(self, pool):
        self.pool, self.gate, self.down = pool, None, False

    def wanted(self):
        return self.pool.wanted()

    def exchange(self, *given):
        if self.gate is not None:
            self.gate.wait(10)
        if self.down:
            raise StoreError("the control store does not answer")
        return self.pool.exchange(*given)


def test_a_worker_waits_for_its_first_lease_and_never_again_while_it_holds_one(control):
    async def story():
        leasing = Leasing.of(control.quotas.pool("a"), lambda: 1)
        leasing.follow(QuotaConfig(per_second=10, burst=20))
        leasing.start()
        assert leasing.take("shop", 1) > 0
        assert await leasing.patiently("shop", 1) == 0
        first = [leasing.take("shop", 1) for _ in range(5)]
        while not leasing.shares.leased:
            await asyncio.sleep(0.01)
        await leasing.stop()
        return first, leasing.shares.leased

    first, left = asyncio.run(story())
    assert first[:4] == [0.0] * 4
    assert left == 0
    found = control.quotas.pool("b").exchange(
        QuotaConfig(per_second=10, burst=20), 1, {"shop": Trade(want=20, need=12)}, time.time()
    )
    assert found["shop"].queries >= 12, "what was not spent came back"


@pytest.mark.parametrize("limit", [QuotaConfig(per_second=1e-6, burst=2), QuotaConfig(per_day=2)], ids=["burst", "day"])
def test_the_last_query_that_a_neighbour_holds_is_had_when_the_client_asks_again_as_told(place, limit):
    """Two workers of one store: the first holds the last query for its own next request, the second is asked for it."""
    stores = Control.open(place), Control.open(place)

    async def story():
        one, other = (Leasing.of(store.quotas.pool(name), lambda: 2) for store, name in zip(stores, "ab", strict=True))
        for worker in (one, other):
            worker.follow(limit)
            worker.start()
        first = await one.patiently("shop", 1)
        while not one.shares.leased:  # it leases before it is out of them
            await asyncio.sleep(0.01)
        told = await other.patiently("shop", 1)
        await asyncio.sleep(told)
        again = await other.patiently("shop", 1)
        more = [await worker.patiently("shop", 1) for worker in (one, other)]
        for worker in (one, other):
            await worker.stop()
        return first, told, again, more

    first, told, again, more = asyncio.run(story())
    for store in stores:
        store.close()
    assert (first, again) == (0, 0)
    assert 0 < told <= 1.0
    assert min(more) > 0, "both are gone, and no third is given out"


def test_a_store_that_hangs_holds_nobody_up_and_one_part_of_the_limit_goes_on(control):
    from threading import Event

    slow = Slow(control.quotas.pool("a"))

    async def story():
        leasing = Leasing.of(slow, lambda: 2)
        leasing.follow(QuotaConfig(per_day=100))
        slow.gate = Event()
        leasing.start()
        began = asyncio.get_running_loop().time()
        await leasing.patiently("shop", 1)
        waited = asyncio.get_running_loop().time() - began
        got = [not await leasing.patiently(f"shop{at % 2}", 1) for at in range(200)]
        spent, alone = asyncio.get_running_loop().time() - began - waited, leasing.alone
        slow.gate.set()
        slow.gate = None
        while leasing.shares.lost:
            await asyncio.sleep(0.01)
        back = leasing.alone
        await leasing.stop()
        return waited, sum(got), spent, alone, back

    waited, got, spent, alone, back = asyncio.run(story())
    assert waited < 0.5
    assert got == 100, "two clients, half of 100 each"
    assert spent < 1.0
    assert (alone, back) == (0.5, 0.0)
    now = time.time()
    found = control.quotas.pool("b").exchange(QuotaConfig(per_day=100), 1, {"shop0": Trade(want=9, need=51)}, now)
    assert found["shop0"].queries == 0, "what was given out alone counts afterwards"


def test_what_is_held_is_spent_first_when_the_store_is_lost_and_for_five_seconds_only():
    shares = Shares(config=QuotaConfig(per_day=1_000), nodes=4)
    shares.take("shop", NOON)
    shares.trades(NOON)
    shares.put({"shop": Grant(10)}, NOON)
    shares.lost = True
    assert sum(not shares.take("shop", NOON + 1) for _ in range(1_000)) == 10 + 250
    shares.put({"shop": Grant(10)}, NOON + 2)
    assert shares.take("shop", NOON + 6.9) == 0
    assert shares.take("shop", NOON + 7) > 0


def test_memory_is_bounded_and_idle_clients_are_forgotten(control):
    node = Node(control, "n", QuotaConfig(per_second=1, burst=10, clients=50))
    for at in range(200):
        node.take(NOON, 1, f"{at}")
    assert len(node.shares._held) == 50
    node.turn(NOON)
    for later in (10, 100, 200):
        node.shares.sweep(NOON + later)
        node.turn(NOON + later)
    assert not node.shares._held
    assert not node.shares._stirred
