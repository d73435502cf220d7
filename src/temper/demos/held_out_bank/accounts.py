"""What the bank knows of each payer when an order comes: the columns, from the past alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.demos.held_out_bank.columns import LOWEST, OLDEST
from temper.demos.held_out_bank.orders import Orders, earlier, spent_before
from temper.demos.held_out_bank.payees import Payees
from temper.demos.held_out_bank.people import People

Array = np.ndarray[Any, Any]

_LEARNS = 0.06  # weight of a new amount in what is usual
_DAY = 24.0
_EMPTY = LOWEST  # the least that an account is shown to hold


@dataclass(slots=True, kw_only=True, eq=False)
class Accounts:
    """Balance, logarithm of the usual amount, hour of the last order and pace; arrays (n,)."""

    balance: Array
    log_usual: Array
    last: Array
    pace: Array

    @staticmethod
    def opened(people: People, rng: np.random.Generator) -> Accounts:
        """Accounts as they stand before the first day."""
        size = len(people)
        return Accounts(
            balance=people.income * rng.lognormal(0.2, 0.6, size),
            log_usual=np.log(people.typical[:, -2]),
            last=-rng.exponential(30.0, size),
            pace=rng.exponential(0.8, size),
        )

    @property
    def usual(self) -> Array:
        """The amount each payer is used to."""
        return np.round(np.exp(self.log_usual), 2)

    def payable(self, orders: Orders) -> Array:
        """Which orders the account can bear, those before them included."""
        return orders.amount + spent_before(orders.who, orders.amount) <= self.balance[orders.who]

    def rows(self, orders: Orders, people: People, payees: Payees, today: int) -> Array:
        """The matrix of the schema; nothing in a row comes from a later order."""
        who, hour = orders.who, orders.hour
        count, before = earlier(who)
        last = np.where(before >= 0, hour[before], self.last[who] - _DAY * today)
        balance = np.maximum(np.round(self.balance[who] - spent_before(who, orders.amount), 2), orders.amount)
        usual = np.maximum(self.usual[who], LOWEST)
        inflow = payees.inflow[orders.payee] + earlier(orders.payee)[0]
        columns = (
            *(orders.amount, hour, orders.rail, orders.channel, orders.session),
            np.clip(orders.device_age, 0.0, OLDEST),
            *(usual, balance, orders.amount / usual, orders.amount / balance),
            np.clip(hour - last, 0.0, _DAY * OLDEST),
            self.pace[who] * np.exp(-hour / _DAY) + count,
            people.since_payday(today)[who],
            payees.paid_before(orders),
            np.clip(today - payees.opened[orders.payee], 0.0, OLDEST),
            inflow,
        )
        return np.column_stack(columns).astype(np.float64)

    def settle(self, orders: Orders, moved: Array, today: int) -> None:
        """What was ordered is known of the payer; money moved where the order was not declined."""
        np.subtract.at(self.balance, orders.who[moved], orders.amount[moved])
        self.balance = np.maximum(self.balance, _EMPTY)
        usual = self.log_usual[orders.who]
        np.add.at(self.log_usual, orders.who, _LEARNS * (np.log(orders.amount) - usual))
        self.last[orders.who] = _DAY * today + orders.hour
        self.pace = self.pace * np.exp(-1.0) + np.bincount(orders.who, minlength=len(self.pace))
