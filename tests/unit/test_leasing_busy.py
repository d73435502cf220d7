"""Leases of a worker that is busy all the time: as few exchanges as it takes, and larger leases for who spends more."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from temper.core.quota import Grant, QuotaConfig, Trade
from temper.gateway.tables.leasing import Leasing
from temper.guard.serving.shares import Shares

CONFIG = QuotaConfig(per_second=100_000, burst=100_000)


class Busy:
    """Grants what is wanted; during each exchange clients spend as much again as the one before told."""

    def __init__(self, most: int = 50) -> None:
        self.leasing: Leasing | None = None
        self.asked, self.most = 0, most

    def exchange(
        self, config: QuotaConfig, number: int, trades: Mapping[str, Trade], now: float
    ) -> Mapping[str, Grant]:
        self.asked += 1
        assert self.asked <= self.most, "an exchange follows the other without end"
        assert self.leasing is not None
        for key in trades:
            self.leasing.take(key, 1)
        return {key: Grant(one.want) for key, one in trades.items()}

    def wanted(self) -> list[str]:
        return []


def _led(busy: Busy, clients: int) -> Leasing:
    leasing = Leasing.of(busy, lambda: 1)
    leasing.follow(CONFIG)
    busy.leasing = leasing
    for at in range(clients):
        leasing.take(f"client {at}", 1)
    return leasing


def test_what_is_spent_during_an_exchange_waits_for_the_next() -> None:
    busy = Busy()
    asyncio.run(_led(busy, 3).once())
    assert busy.asked == 1


def test_many_clients_are_told_in_as_many_exchanges_as_it_takes() -> None:
    busy = Busy()
    asyncio.run(_led(busy, 600).once())
    assert busy.asked == 3, "256 clients each"


def _spent(shares: Shares, now: float, many: int) -> int:
    got = sum(not shares.take("shop", now) for _ in range(many))
    for key, one in shares.trades(now).items():
        shares.put({key: Grant(one.want)}, now)
    return got


def test_who_spends_much_between_exchanges_holds_more_and_again_less_later() -> None:
    shares = Shares(config=CONFIG)
    got = [_spent(shares, at / 10, 900) for at in range(12)]
    assert got[0] == 0, "nothing is held at first"
    assert got[2:] == [900] * 10
    held = shares.leased
    for at in range(20):
        _spent(shares, 1.2 + at / 10, 1)
    assert shares.leased <= held
    for at in range(20):
        _spent(shares, 3.2 + at / 10, 4_000)
    assert 4_000 <= shares.leased <= CONFIG.burst / 2


def test_a_lease_that_came_is_not_asked_for_again() -> None:
    shares = Shares(config=CONFIG)
    _spent(shares, 0.0, 1)
    assert shares.leased == CONFIG.lease
    for _ in range(CONFIG.lease * 3 // 4):
        shares.take("shop", 0.1)
    assert shares.asking
    told = shares.trades(0.1)
    shares.take("shop", 0.1)  # while it is on its way
    assert shares.asking
    shares.put({"shop": Grant(told["shop"].want)}, 0.1)
    assert not shares.asking
