"""Honest payments: habits, bills, now and then a large purchase, a new payee or a new telephone."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.demos.held_out.arrivals import daily_life
from temper.demos.held_out.people import CONTACTS, People, strangers
from temper.demos.held_out.session import OWNER, act
from temper.demos.held_out.wish import Wishes

Array = np.ndarray[Any, Any]

_STRANGER = (0.16, 0.55)  # share of payments to a new payee: everyday, large
_LARGE = 0.05
_SPARE_DEVICE = 0.03
_SPREAD = 0.8


def ordinary(people: People, days: int, rng: np.random.Generator) -> Wishes:
    """The wished payments of every payer over `days`."""
    payer, hour = daily_life(people.rate, days, rng)
    count = len(payer)
    rank, login, steps, rhythm = act(OWNER, count, rng)
    large = rng.uniform(size=count) < _LARGE
    payee = _payees(people, payer, large, rng)
    spare = rng.uniform(size=count) < _SPARE_DEVICE
    return Wishes(
        hour=hour,
        payer=payer,
        payee=payee,
        payee_age=people.payee_age[payee] + hour / 24.0,
        device=np.where(spare, len(people) + payer, people.device[payer]),
        amount=_amounts(people.level[payer], rank, large, rng),
        share=np.full(count, np.nan),
        rail=rng.choice(3, count, p=(0.50, 0.44, 0.06)),
        since_login=login,
        session_steps=steps,
        rhythm=rhythm,
        fraud=np.zeros(count, dtype=np.int64),
    )


def _payees(people: People, payer: Array, large: Array, rng: np.random.Generator) -> Array:
    habit = people.contacts[payer, rng.integers(0, CONTACTS, len(payer))]
    new = rng.uniform(size=len(payer)) < np.where(large, _STRANGER[1], _STRANGER[0])
    return np.where(new, strangers(people, len(payer), rng), habit)


def _amounts(level: Array, rank: Array, large: Array, rng: np.random.Generator) -> Array:
    from scipy.special import ndtri

    amount: Array = np.exp(level + _SPREAD * ndtri(rank) + np.where(large, rng.normal(2.3, 0.7, len(level)), 0.0))
    # People like round sums: a third of the payments end in a full ten.
    return np.where(rng.uniform(size=len(level)) < 0.33, np.ceil(amount / 10.0) * 10.0, amount)
