"""Who pays and who is paid: payers with habits, money and devices; payees with an age."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

CONTACTS = 10
_SHARES = (0.18, 0.52, 0.20, 0.10)
_LEVEL = (3.0, 4.0, 3.9, 5.4)  # log euros of a usual payment, per segment
_INCOME = (950.0, 2_600.0, 1_900.0, 11_000.0)  # euros per month
_LIMIT = (1_500.0, 4_000.0, 3_000.0, 20_000.0)  # euros per day


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class People:
    """Arrays over payers: `segment`, `level` (log of a usual amount), `rate` (payments per day), `income` (euros per
    hour), `balance`, `limit` (euros per day), `device`, `trusting` in (0, 1), `contacts` (payers, 10).

    `payee_age`: days since each payee's account was opened, at the start.
    """

    segment: Array
    level: Array
    rate: Array
    income: Array
    balance: Array
    limit: Array
    device: Array
    trusting: Array
    contacts: Array
    payee_age: Array

    def __len__(self) -> int:
        return len(self.segment)


def populate(payers: int, rng: np.random.Generator) -> People:
    """Payers with correlated wealth and habits, and twice as many payees of heavy-tailed popularity."""
    segment = rng.choice(4, payers, p=_SHARES)
    wealth = rng.normal(size=payers)
    income = np.asarray(_INCOME)[segment] * np.exp(0.45 * wealth)
    ages = _payee_ages(2 * payers, rng)
    return People(
        segment=segment,
        level=np.asarray(_LEVEL)[segment] + 0.35 * wealth + 0.3 * rng.normal(size=payers),
        rate=rng.gamma(2.0, 0.15, payers) + 0.02,
        income=income / 720.0,
        balance=np.round(income * rng.lognormal(0.2, 0.8, payers), 2),
        limit=np.asarray(_LIMIT)[segment] * rng.choice((0.5, 1.0, 1.0, 2.0), payers),
        device=_devices(payers, rng),
        trusting=rng.beta(np.where(segment == 2, 3.0, 1.5), 4.0),
        contacts=_popular(len(ages), (payers, CONTACTS), rng),
        payee_age=ages,
    )


def strangers(people: People, count: int, rng: np.random.Generator) -> Array:
    """Payees outside the list of contacts, the popular ones more often."""
    return _popular(len(people.payee_age), (count,), rng)


def _popular(payees: int, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    # The cube of a uniform number is a smooth power law: few payees receive most payments.
    return (payees * rng.uniform(size=shape) ** 3).astype(np.int64)


def _payee_ages(payees: int, rng: np.random.Generator) -> Array:
    """Days: mostly years, and one account in eight younger than three months, as honest newcomers are."""
    settled = np.minimum(rng.lognormal(6.9, 0.8, payees), 7_000.0)
    return np.where(rng.uniform(size=payees) < 0.12, rng.uniform(0.0, 90.0, payees), settled)


def _devices(payers: int, rng: np.random.Generator) -> Array:
    """One device per payer; one in twelve uses the device of somebody at home."""
    own = np.arange(payers)
    return np.where(rng.uniform(size=payers) < 0.08, np.roll(own, 1), own)
