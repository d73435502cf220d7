"""The customers of the bank: segments with habits, and an ordinary day of payments. SIMULATED."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws

Array = np.ndarray[Any, Any]

MERCHANTS = ("grocery", "fuel", "restaurant", "fashion", "electronics", "travel", "digital", "transfer")
GROCERY, FUEL, RESTAURANT, FASHION, ELECTRONICS, TRAVEL, DIGITAL, TRANSFER = range(8)
CHANNELS = ("chip", "contactless", "web", "app", "instant")
CHIP, CONTACTLESS, WEB, APP, INSTANT = range(5)
SEGMENTS = ("young", "family", "affluent", "business")

_FREE, _COSTLY = Mutability.FREE, Mutability.COSTLY
SCHEMA = Schema(
    columns=(
        Column(name="amount", low=0.5, high=10_000, attacker=_FREE, scale=50.0),
        Column(name="hour", type="integer", low=0, high=23, attacker=_FREE, scale=6.0),
        Column(name="merchant", type="category", categories=MERCHANTS, attacker=_FREE),
        Column(name="channel", type="category", categories=CHANNELS, attacker=_COSTLY, cost=2.0),
        Column(name="device_age", low=0, high=2_000, attacker=_COSTLY, cost=8.0, scale=300.0),
        Column(name="distance_km", low=0, high=20_000, attacker=_COSTLY, cost=2.0, scale=100.0),
        Column(name="known_payee", type="boolean", attacker=_COSTLY, cost=3.0),
        Column(name="contact_changed", type="boolean", attacker=_COSTLY, cost=3.0),
        Column(name="n_today", type="integer", low=1, high=100_000, attacker=_COSTLY, cost=1.0),
        Column(name="declined_7d", low=0, high=1_000, attacker=_COSTLY, cost=1.0),
        Column(name="usual_amount", low=1, high=10_000),
        Column(name="account_limit", low=50, high=100_000),
        Column(name="tenure_months", low=0, high=600),
        Column(name="segment", type="category", categories=SEGMENTS),
        Column(name="amount_ratio", low=0, high=10_000, attacker=Mutability.DERIVED, formula="amount / usual_amount"),
        Column(name="limit_share", low=0, high=1, attacker=Mutability.DERIVED, formula="amount / account_limit"),
    )
)

_LEVEL = np.array([0.8, 0.9, 0.7, 1.4, 2.4, 3.0, 0.4, 2.0])  # typical amount at a merchant, in the customer's own
_ONLINE = np.array([0.15, 0.0, 0.1, 0.5, 0.6, 0.8, 1.0, 1.0])  # how much of it is bought online, of those who like to
_MIX = np.array(
    [
        [0.24, 0.06, 0.22, 0.14, 0.07, 0.03, 0.18, 0.06],
        [0.36, 0.13, 0.11, 0.12, 0.06, 0.03, 0.11, 0.08],
        [0.22, 0.09, 0.20, 0.14, 0.08, 0.10, 0.09, 0.08],
        [0.10, 0.16, 0.16, 0.05, 0.14, 0.13, 0.10, 0.16],
    ]
)
_SEGMENT = np.array([0.3, 0.42, 0.16, 0.12])
_SPENDS, _LIKES = np.array([24.0, 36.0, 70.0, 95.0]), np.array([0.75, 0.5, 0.55, 0.45])  # dollars; share online
_WEEK = np.array([0.97, 0.95, 0.98, 1.02, 1.12, 1.1, 0.86])  # payments by day of the week, Monday first
_ADOPTED, _TAKES = 0.3, 14.0  # share of what is paid online that moves to a new channel, and over how many days
PER_ACCOUNT = 0.4  # payments a day


@dataclass(slots=True, kw_only=True, eq=False)
class Batch:
    """Payments that are not yet rows: what was chosen of each (n,), and the `moment` in hours."""

    account: Array
    amount: Array
    moment: Array
    merchant: Array
    channel: Array
    device_age: Array
    distance: Array
    known: Array
    contact: Array

    def __len__(self) -> int:
        return len(self.account)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class People:
    """Who they are, arrays (accounts,): how often they pay, what they spend, when, and how online."""

    draws: Draws
    per_day: int
    segment: Array
    usual: Array
    limit: Array
    tenure: Array
    often: Array
    hour: Array
    online: Array
    far: Array

    @staticmethod
    def born(seed: int, per_day: int) -> People:
        """As many as make about `per_day` payments."""
        draws = Draws(seed, "demos.bank.people")
        rng, n = draws.generator(0), int(per_day / PER_ACCOUNT) + 50
        segment = rng.choice(len(SEGMENTS), n, p=_SEGMENT)
        usual = _SPENDS[segment] * rng.lognormal(0.0, 0.4, n)
        often = np.cumsum(rng.gamma(1.6, 1.0, n))
        return People(
            draws=draws,
            per_day=per_day,
            segment=segment,
            usual=usual,
            limit=np.round(usual * rng.uniform(18.0, 40.0, n), -1) + 50.0,
            tenure=np.round(rng.exponential(60.0, n), 1).clip(0.0, 600.0),
            often=often / often[-1],
            hour=rng.normal(14.0, 2.5, n),
            online=rng.beta(6.0 * _LIKES[segment], 6.0 * (1.0 - _LIKES[segment])),
            far=rng.lognormal(1.2, 0.5, n),
        )

    def __len__(self) -> int:
        return len(self.usual)

    def day(self, number: int, opens: int) -> Batch:
        """What they pay on a day, whatever else happens; a new channel is there from the day `opens` on."""
        rng = self.draws.generator(10_000 + number)
        n = int(rng.poisson(self.per_day * _WEEK[number % 7]))
        who = np.searchsorted(self.often, rng.random(n))
        merchant = (rng.random(n)[:, None] > np.cumsum(_MIX, axis=1)[self.segment[who], :-1]).sum(axis=1)
        late = 0.8 if number % 7 >= 5 else 0.0
        moment = (self.hour[who] + late + rng.normal(0.0, 3.5, n)) % 24.0
        amount = self.usual[who] * _LEVEL[merchant] * rng.lognormal(0.0, 0.55, n)
        travels = np.where(rng.random(n) < 0.03, 40.0, 1.0)
        new = rng.random(n) < 0.02
        return Batch(
            account=who,
            amount=amount,
            moment=moment,
            merchant=merchant,
            channel=self._channel(rng, who, merchant, number - opens),
            device_age=np.where(new, rng.uniform(0.0, 3.0, n), rng.exponential(300.0, n)).clip(0.0, 2_000.0),
            distance=(self.far[who] * travels * rng.lognormal(0.0, 0.9, n)).clip(0.0, 20_000.0),
            known=rng.random(n) < 0.78,
            contact=rng.random(n) < 0.02,
        )

    def _channel(self, rng: np.random.Generator, who: Array, merchant: Array, since: int) -> Array:
        """In person or online; some of what is online moves to the new channel over its first weeks."""
        n = len(who)
        online = rng.random(n) < _ONLINE[merchant] * np.minimum(1.0, 1.4 * self.online[who])
        here = np.where(rng.random(n) < 0.35, CHIP, CONTACTLESS)
        there = np.where(rng.random(n) < 0.5, WEB, APP)
        moved = rng.random(n) < _ADOPTED * np.clip((since + 1) / _TAKES, 0.0, 1.0)
        return np.where(online, np.where(moved, INSTANT, there), here)

    def rows(self, batch: Batch, declined: Array) -> Array:
        """The matrix of the schema; payments stand in the order of the day. `declined` (accounts,) is what was refused
        lately.
        """
        who = batch.account
        values = {
            "amount": batch.amount,
            "hour": np.floor(batch.moment),
            "merchant": batch.merchant,
            "channel": batch.channel,
            "device_age": np.round(batch.device_age, 1),
            "distance_km": np.round(batch.distance, 1),
            "known_payee": batch.known,
            "contact_changed": batch.contact,
            "n_today": ordinal(who),
            "declined_7d": np.round(declined[who], 2),
            "usual_amount": np.round(self.usual[who], 2),
            "account_limit": self.limit[who],
            "tenure_months": self.tenure[who],
            "segment": self.segment[who],
            "amount_ratio": batch.amount / np.round(self.usual[who], 2),
            "limit_share": batch.amount / self.limit[who],
        }
        return np.column_stack([values[name] for name in SCHEMA.names]).astype(np.float64)


def ordinal(who: Array) -> Array:
    """How many payments of its account a payment is today, itself counted.

    >>> ordinal(np.array([7, 3, 7, 7])).tolist()
    [1, 1, 2, 3]
    """
    order = np.argsort(who, kind="stable")
    sorted_ = who[order]
    first = np.r_[True, sorted_[1:] != sorted_[:-1]] if len(who) else np.zeros(0, dtype=bool)
    start = np.maximum.accumulate(np.where(first, np.arange(len(who)), 0)) if len(who) else np.zeros(0, dtype=int)
    found = np.empty(len(who), dtype=np.int64)
    found[order] = np.arange(len(who)) - start + 1
    return found
