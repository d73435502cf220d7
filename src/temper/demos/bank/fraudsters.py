"""Fraudsters who want money: what each tries next follows from what passed. SIMULATED."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.core.seed import Draws
from temper.demos.bank.people import APP, INSTANT, MERCHANTS, WEB, Batch, People
from temper.demos.bank.world import NEVER, Told

Array = np.ndarray[Any, Any]

TESTER, TAKEOVER, MULE, FRIENDLY = range(4)
KINDS = ("card testers", "account takeover", "mules", "friendly fraud")
_SHARE = np.array([0.3, 0.3, 0.25, 0.15])
PER_ATTEMPT = 0.0045  # fraudsters for each payment of the day that customers make, before they learn anything
_MANY = 2.6  # how many more there could be than there are when it begins
_TRIES = np.array([3.0, 2.5, 1.2, 0.5])  # attempts on a day, by kind
_AIM = np.log([140.0, 380.0, 850.0, 130.0])  # dollars they begin with, and the most they can turn into money
_CAP = np.log([900.0, 3_000.0, 5_000.0, 900.0])
_PRICE = np.array([5.0, 25.0, 30.0, 2.0])  # of a stolen card, a password, a mule's account, a parcel
_BUDGET, _REST = np.array([150.0, 400.0, 600.0, 60.0]), 12
_EXTRA = (9.0, 2.0)  # of a device that looks old, and of an address near the customer
_RISES, _FALLS, _WAITS, _LEARNS = 0.06, 0.2, 0.06, 0.5
_TURNED = np.array([0.4, 0.35, 0.3, 0.7, 1.0, 0.9, 0.85, 1.0])  # what of an amount becomes money, by merchant
_LATE = ((12, 0.85), (4, 0.95), (7, 0.85), (28, 1.0))  # days until the victim reports on average, and how many do
_CHOICES = {"band": 4, "merchant": len(MERCHANTS), "device": 2, "channel": 3, "near": 2, "known": 2}
_FIRST = {
    "band": [[1.5, 0, 0, 0.5], [1.5, 0, 0, 0.5], [0, 0.5, 0.5, 0.5], [-2, 0.5, 1, 1]],
    "merchant": [
        [-2, -2, -2, 0, 1.5, 0, 2, -1],
        [-2, -2, -2, 0, 2, 1, 1, 1],
        [-3, -3, -3, -2, -1, -2, -1, 3],
        [0, -2, 0, 1.5, 1.5, 0.5, 0.5, -3],
    ],
    "device": [[2, -1], [2, -1], [1.5, -1], [-4, 4]],
    "channel": [[1.5, 0, 0], [1, 0.5, 0], [0, 1.5, 0.5], [1, 1, 0]],
    "near": [[-1.5, 1.5], [-1.5, 1.5], [-0.5, 0.5], [4, -4]],
    "known": [[-1, 1], [-1.5, 1.5], [-3, 3], [1, 0]],
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tried:
    """What was attempted on a day: by whom, with which choices, and whether it is only a test of a card."""

    batch: Batch
    actor: Array
    picks: dict[str, Array]
    test: Array
    cost: Array


@dataclass(slots=True, kw_only=True, eq=False)
class Fraudsters:
    """All there could be; those who are `active` try. Each has a budget, leaves where it is spent, and comes where
    others earn. `money` is what each has made, `adaptive` whether they learn at all. In a `rush` all testers are there
    and try twice as much, since cards cost nothing.
    """

    draws: Draws
    kind: Array
    active: Array
    weights: dict[str, Array]
    aim: Array
    purse: Array
    rest: Array
    stash: Array
    money: Array
    adaptive: bool
    market: float = 0.0
    rush: bool = False
    _rows: Array = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @staticmethod
    def gathered(seed: int, per_day: int, adaptive: bool) -> Fraudsters:
        """Those of a world with so many payments a day."""
        draws = Draws(seed, "demos.bank.fraudsters")
        rng, many = draws.generator(0), max(10, round(per_day * PER_ATTEMPT * _MANY))
        kind = rng.choice(len(KINDS), many, p=_SHARE)
        kind[: len(KINDS)] = range(len(KINDS))
        active = np.arange(many) < max(4, round(many / _MANY))
        weights = {name: np.array(first, dtype=float)[kind] for name, first in _FIRST.items()}
        return Fraudsters(
            draws=draws,
            kind=kind,
            active=active,
            weights=weights,
            aim=_AIM[kind] + rng.normal(0.0, 0.3, many),
            purse=_BUDGET[kind].copy(),
            rest=np.zeros(many, dtype=np.int64),
            stash=np.zeros(many, dtype=np.int64),
            money=np.zeros(many),
            adaptive=adaptive,
        )

    def tries(self, number: int, people: People, opens: int) -> Tried:
        """What they attempt on a day: a tester's cards first, then with those that passed what he came for."""
        day = 10_000 + number
        one, nth, test = self._who(day)
        key = one * 64 + nth
        picks = {name: self._picked(name, one, key, day, number >= opens) for name in _CHOICES}
        u = self.draws.child("how").uniform(key, day, (6,))
        z = self.draws.child("amount").normal(key, day)
        who = self._accounts(one, test, u[:, 0], day, len(people))
        amount = np.where(test, 1.0 + 4.0 * u[:, 1], np.exp(self.aim[one] + 0.15 * z))
        amount = np.minimum(amount, 0.97 * people.limit[who])
        old, near = picks["device"] == 1, picks["near"] == 0
        batch = Batch(
            account=who,
            amount=amount,
            moment=np.minimum(picks["band"] * 6.0 + 6.0 * u[:, 2], 23.99),
            merchant=picks["merchant"],
            channel=np.array([WEB, APP, INSTANT])[picks["channel"]],
            device_age=np.where(old, 40.0 + 500.0 * u[:, 3], 3.0 * u[:, 3]),
            distance=np.where(near, people.far[who] * (0.3 + 2.0 * u[:, 4]), 50.0 + 4_000.0 * u[:, 4] ** 2),
            known=picks["known"] == 0,
            contact=(self.kind[one] == TAKEOVER) & (u[:, 5] < 0.5),
        )
        cost = _costs(self.kind[one], old, near, test & (not self.rush))
        return Tried(batch=batch, actor=one, picks=picks, test=test, cost=cost)

    def reported(self, tried: Tried, number: int) -> Array:
        """Days after which the victims report."""
        key = tried.actor * 64 + np.arange(len(tried.actor))
        u = self.draws.child("reported").uniform(key, 10_000 + number, (2,))
        mean, share = np.array(_LATE)[self.kind[tried.actor]].T
        days = 1 + np.floor(-np.log1p(-u[:, 0]) * mean).astype(np.int64)
        return np.where(u[:, 1] < np.where(tried.test, 0.3, share), days, NEVER)

    def learn(self, tried: Tried, told: Array) -> None:
        """From what each was told: towards what passed, away from what did not; whoever only loses goes, and others
        come where there is money.
        """
        passed, declined = told == Told.PASSED, told == Told.DECLINED
        takes = np.where(passed & ~tried.test, tried.batch.amount * _TURNED[tried.batch.merchant], 0.0)
        won = np.bincount(tried.actor, takes - tried.cost, len(self.kind))
        self.money += won
        self.stash = np.bincount(tried.actor, passed & tried.test, len(self.kind)).astype(np.int64)
        if not self.adaptive:
            return
        worth = np.where(passed, _TURNED[tried.batch.merchant], np.where(declined, -1.0, -0.4))
        for name, picked in tried.picks.items():
            np.add.at(self.weights[name], (tried.actor, picked), _LEARNS * worth)
            np.clip(self.weights[name], -5.0, 5.0, out=self.weights[name])
        real = ~tried.test
        step = np.where(passed, _RISES, np.where(declined, -_FALLS, -_WAITS))
        self.aim += np.bincount(tried.actor[real], step[real], len(self.kind))
        np.clip(self.aim, np.log(20.0), _CAP[self.kind], out=self.aim)
        self._come_and_go(won, int(real.sum()), takes, tried.cost)

    def _come_and_go(self, won: Array, many: int, takes: Array, cost: Array) -> None:
        self.purse = np.minimum(self.purse + won, 3.0 * _BUDGET[self.kind])
        broke = self.active & (self.purse < 0.0)
        self.active &= ~broke
        self.rest = np.where(broke, _REST, np.maximum(self.rest - 1, 0))
        self.market = 0.9 * self.market + 0.1 * float(takes.sum() - cost.sum()) / max(many, 1)
        self._rows = np.flatnonzero(~self.active & (self.rest == 0))

    def enter(self, number: int) -> None:
        """Those who wait outside come the sooner the more is earned inside."""
        if not self.adaptive or not len(self._rows):
            return
        chance = 0.04 * np.exp(np.clip(self.market / 100.0, -2.0, 1.5))
        come = self._rows[self.draws.child("come").uniform(self._rows, 10_000 + number) < chance]
        self.active[come] = True
        self.purse[come] = _BUDGET[self.kind[come]]

    def _who(self, day: int) -> tuple[Array, Array, Array]:
        """The actor of each attempt, which of his of that day it is, and whether it tests a card."""
        there = np.flatnonzero(self.active | (self.rush & (self.kind == TESTER)))
        u = self.draws.child("many").uniform(there, day)
        tester = self.kind[there] == TESTER
        often = _TRIES[self.kind[there]] * np.where(tester & self.rush, 4.0, 2.0)
        tries = np.floor(often * u + 0.5).astype(np.int64)
        spends = np.where(tester, np.minimum(self.stash[there], 3), 0)
        each = np.minimum(tries + spends, 60)
        one = np.repeat(there, each)
        nth = np.arange(len(one)) - np.repeat(np.cumsum(each) - each, each)
        test = np.repeat(tester, each) & (nth < np.repeat(tries, each))
        return one, nth, test

    def _accounts(self, one: Array, test: Array, u: Array, day: int, many: int) -> Array:
        """A card for each test; the same stolen account all day for what is taken; his own for who only claims."""
        stolen = (self.draws.child("stolen").uniform(one, day) * many).astype(np.int64)
        who = np.where(test | (self.kind[one] == MULE), (u * many).astype(np.int64), stolen)
        return np.where(self.kind[one] == FRIENDLY, (one * 7_919) % many, who)

    def _picked(self, name: str, one: Array, key: Array, day: int, open_: bool) -> Array:
        """A choice by its weights (the largest of them with Gumbel noise)."""
        u = self.draws.child(name).uniform(key, day, (_CHOICES[name],))
        liked = self.weights[name][one] - np.log(-np.log(u + 1e-12) + 1e-12)
        if name == "channel" and not open_:
            liked[:, 2] = -np.inf
        return np.asarray(np.argmax(liked, axis=1))


def _costs(kind: Array, old: Array, near: Array, test: Array) -> Array:
    """A card is paid for when it is tested, everything else when it is used."""
    bought = np.where((kind == TESTER) & ~test, 0.0, _PRICE[kind])
    disguised = np.where(old, _EXTRA[0], 0.0) + np.where(near, _EXTRA[1], 0.0)
    return bought + np.where(kind == FRIENDLY, 0.0, disguised)
