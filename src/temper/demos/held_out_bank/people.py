"""Customers as latent renewal processes: each stream of payments has a clock of its own, and money makes it run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.demos.held_out_bank.columns import APP, DESK, INSTANT, LOWEST, STANDARD, STANDING, WEB
from temper.demos.held_out_bank.orders import Orders
from temper.demos.held_out_bank.payees import BILLS, Payees

Array = np.ndarray[Any, Any]

RATE = 0.88  # payments of a customer and day, measured
MONTH = 30
DAILY, FRIENDS = BILLS, BILLS + 1
_SHAPE = np.array([400.0] * BILLS + [1.6, 0.8])  # of the gamma between two payments: 400 is nearly a calendar
_SPREAD = np.array([0.03] * BILLS + [0.8, 0.9])  # of the logarithm of amounts
_WEEK = np.array([0.95, 0.95, 1.0, 1.0, 1.15, 1.25, 0.7])
_FLUSH, _FLUSH_DAYS = 0.45, 5.0  # how much faster money is spent on payday, and how soon that is over
_HEATS, _HEAT, _COOLS = 0.05, 1.6, 0.6  # chance that a purchase starts several, how many, what is left a day later
_SITTING = 0.5  # of a day's payments, what is paid at one sitting
_NEW_DEVICE = 1 / 220
_SAVED = 8.0  # incomes above which money goes to savings


@dataclass(slots=True, kw_only=True, eq=False)
class People:
    """State of all customers; arrays (n,) or (n, streams). `due` is in the stream's own time, `heat` in payments."""

    due: Array
    mean: Array
    typical: Array
    heat: Array
    novelty: Array
    income: Array
    payday: Array
    calm: Array
    evening: Array
    instant: Array
    channel: Array
    device: Array

    def __len__(self) -> int:
        return len(self.heat)

    def since_payday(self, today: int) -> Array:
        """Days since the last salary."""
        return (today - self.payday) % MONTH

    def paid(self, balance: Array, today: int) -> Array:
        """The balances of this morning: salaries are in, and what is too much is saved."""
        found: Array = np.minimum(
            balance + np.where(self.since_payday(today) == 0, self.income, 0.0), _SAVED * self.income
        )
        return found

    def live(self, payees: Payees, today: int, rng: np.random.Generator) -> Orders:
        """What the customers order today, by themselves and by standing order; some of it they cannot pay."""
        renewed = rng.uniform(size=len(self)) < _NEW_DEVICE
        self.device = np.where(renewed, today, self.device)
        who, stream = self._due(today, rng)
        hot = np.repeat(np.arange(len(self)), rng.poisson((1.0 - _COOLS) * self.heat))
        self.heat *= _COOLS
        first = who[(stream == DAILY) & (rng.uniform(size=len(who)) < _HEATS)]
        np.add.at(self.heat, first, _HEAT)
        who, dear = np.r_[who, hot], np.r_[np.zeros(len(who)), np.ones(len(hot))] > 0
        stream = np.r_[stream, np.full(len(hot), DAILY)]
        amount = self.typical[who, stream] * np.exp(_SPREAD[stream] * rng.normal(size=len(who)))
        amount *= np.where(dear, rng.lognormal(1.7, 0.9, len(who)), 1.0)
        person = (stream == FRIENDS) | (dear & (rng.uniform(size=len(who)) < 0.75))
        payee = payees.chosen(who, stream, np.where(dear, 0.8, self.novelty[who]), person, rng)
        return self._ordered(who, payee, amount, stream < BILLS, dear, today, rng)

    def _due(self, today: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """(payer, stream) of every clock that runs out today; spending runs faster before weekends and after payday."""
        flush = 1.0 + _FLUSH * np.exp(-self.since_payday(today) / _FLUSH_DAYS)
        self.due[:, :BILLS] -= 1.0
        self.due[:, BILLS:] -= (_WEEK[today % 7] * flush)[:, None]
        rung = []
        while len(found := np.argwhere(self.due <= 0.0)):
            who, stream = found.T
            gap = rng.gamma(_SHAPE[stream]) / _SHAPE[stream]
            self.due[who, stream] += self.mean[who, stream] * gap
            rung.append(found)
        who, stream = np.concatenate(rung).T if rung else np.zeros((2, 0), dtype=np.int64)
        return who, stream

    def _ordered(
        self, who: Array, payee: Array, amount: Array, bill: Array, dear: Array, today: int, rng: np.random.Generator
    ) -> Orders:
        size = len(who)
        instant = rng.uniform(size=size) < np.where(dear, 0.6, self.instant[who])
        calm = self.calm[who] * np.where(dear, 1.6, 1.0)
        return Orders(
            who=who,
            payee=payee,
            amount=np.maximum(np.round(amount, 2), LOWEST),
            hour=np.where(bill, rng.uniform(1.0, 6.0, size), self.hours(who, rng)),
            rail=np.where(bill, STANDING, np.where(instant, INSTANT, STANDARD)),
            channel=np.where(rng.uniform(size=size) < 0.15, rng.integers(0, 3, size), self.channel[who]),
            session=np.where(bill, 0.0, np.round(calm * rng.lognormal(0.7, 0.7, size), 2)),
            device_age=today - self.device[who] + np.round(rng.uniform(size=size), 2),
            deed=np.full(size, -1),
        )

    def hours(self, who: Array, rng: np.random.Generator) -> Array:
        """When these customers pay: before noon or in the evening, sometimes at any hour, and much at one sitting."""
        sitting = self._sitting(np.arange(len(self)), rng)[who] + rng.exponential(0.4, len(who))
        return np.where(rng.uniform(size=len(who)) < _SITTING, sitting, self._sitting(who, rng)) % 24.0

    def _sitting(self, who: Array, rng: np.random.Generator) -> Array:
        evening = rng.uniform(size=len(who)) < self.evening[who]
        usual = np.where(evening, rng.normal(20.0, 1.7, len(who)), rng.normal(11.0, 2.3, len(who)))
        return np.where(rng.uniform(size=len(who)) < 0.05, rng.uniform(0.0, 24.0, len(who)), usual)


def populate(count: int, rng: np.random.Generator) -> People:
    """Customers in the middle of their lives: clocks half run down, devices in use for a while."""
    every = rng.gamma(2.5, 0.9, count) + 0.35  # days between two payments of daily life
    mean = np.column_stack([*(rng.normal(MONTH, 0.4, (BILLS, count))), every, rng.gamma(1.5, 9.0, count) + 2.0])
    level = rng.lognormal(3.7, 0.7, count)
    bills = level[:, None] * rng.lognormal(1.0, 0.8, (count, BILLS))
    typical = np.column_stack([bills, level, level * rng.lognormal(0.2, 0.5, count)])
    monthly = (MONTH / mean * typical * np.exp(_SPREAD**2 / 2)).sum(axis=1)
    return People(
        due=mean * rng.uniform(size=mean.shape),
        mean=mean,
        typical=typical,
        heat=np.zeros(count),
        novelty=rng.beta(1.5, 8.0, count),
        income=monthly * rng.lognormal(0.5, 0.25, count),
        payday=rng.choice([0, 14, 26, 27], count, p=[0.5, 0.15, 0.2, 0.15]),
        calm=rng.lognormal(0.0, 0.5, count),
        evening=rng.beta(2.0, 2.0, count),
        instant=rng.beta(0.8, 2.0, count),
        channel=rng.choice([APP, WEB, DESK], count, p=[0.6, 0.32, 0.08]),
        device=-np.floor(rng.exponential(220.0, count)),
    )
