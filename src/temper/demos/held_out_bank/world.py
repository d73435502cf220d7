"""The world: customers live, rings do their deeds, the bank's accounts say what is known of each order."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.errors import TemperError
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.demos.bank.world import NEVER, Payments, Told
from temper.demos.held_out_bank.accounts import Accounts
from temper.demos.held_out_bank.columns import schema
from temper.demos.held_out_bank.deeds import Deeds
from temper.demos.held_out_bank.orders import Orders, joined
from temper.demos.held_out_bank.payees import Payees
from temper.demos.held_out_bank.people import RATE, populate
from temper.demos.held_out_bank.rings import TRIES, Rings
from temper.demos.held_out_bank.trade import CUT, MULES, Trade

Array = np.ndarray[Any, Any]

LEAST = 50
_PAYMENTS_OF_A_DEED = 2.0  # as first strategies go, measured


class HeldOutWorld:
    """SIMULATED credit transfers, about `per_day` of them, of which rings order a share `fraud` before they learn.

    Days are made in turn; what is told of a day's payments moves money and changes what rings do from the next day on.
    Nothing in a row comes from a later order. No state grows with the days.

    >>> world = HeldOutWorld(seed=1, per_day=200)
    >>> past = world.history(2)
    >>> len(past), past[0].rows.shape[1]
    (2, 16)
    """

    def __init__(self, *, seed: int = 0, per_day: int = 2_000, adaptive: bool = True, fraud: float = 0.01) -> None:
        if per_day < LEAST or not 0.0 < fraud <= 0.5:
            raise TemperError(
                f"a world was asked for with per_day={per_day} and fraud={fraud}",
                fix=f"take at least {LEAST} payments a day, and a share of fraud above 0 and up to a half",
            )
        self.schema: Schema = schema()
        draws = Draws(seed, "demos.held_out_bank")
        self._life, self._crime, self._told = (draws.child(name) for name in ("life", "crime", "told"))
        born = draws.child("born").generator()
        count = max(round(per_day * fraud / (TRIES * _PAYMENTS_OF_A_DEED)), 2)
        self._people = populate(round(per_day * (1.0 - fraud) / RATE), born)
        self._payees = Payees(len(self._people), count * MULES, born)
        self._accounts = Accounts.opened(self._people, born)
        self._rings = Rings(count, adaptive, draws.child("rings").generator())
        self._trade = Trade(count)
        self._today = 0
        self._next = 0
        self._open: tuple[Orders, Deeds] | None = None

    def history(self, days: int) -> list[Payments]:
        """The past, before any guard, in which nobody was told anything."""
        if self._today:
            raise TemperError("the past of this world has been asked for, or its days have begun", fix="make a new one")
        return [self._lived(None) for _ in range(days)]

    def day(self, number: int, told: Array | None) -> Payments:
        """The payments of the day `number`, after `told` (Told) of every payment of the day before."""
        if number != self._next:
            raise TemperError(f"day {number} was asked for, day {self._next} is next", fix="ask for days in turn")
        expected = len(self._open[0].who) if self._open else 0
        if told is not None and len(told) != expected:
            raise TemperError(f"{len(told)} answers came for the {expected} payments of the day before")
        self._next = number + 1
        return self._lived(told)

    def _lived(self, told: Array | None) -> Payments:
        """One more day."""
        self._settle(told)
        people, accounts, payees, today = self._people, self._accounts, self._payees, self._today
        life, crime = self._life.generator(today), self._crime.generator(today)
        payees.wake(today, life)
        accounts.balance = people.paid(accounts.balance, today)
        own = people.live(payees, today, life)
        deeds, theirs = self._trade.deeds(self._rings, people, accounts, payees, today, crime)
        orders = joined([own, theirs])
        orders = orders.take(np.flatnonzero(accounts.payable(orders)))
        self._open, self._today = (orders, deeds), today + 1
        return _payments(accounts.rows(orders, people, payees, today), orders, deeds)

    def _settle(self, told: Array | None) -> None:
        """Yesterday is booked as it was told; without a word all of it passed, and nobody has learnt anything."""
        if self._open is None:
            return
        orders, deeds = self._open
        moved = np.ones(len(orders.who), dtype=bool) if told is None else np.asarray(told) != Told.DECLINED
        rng = self._told.generator(self._today)
        self._accounts.settle(orders, moved, self._today - 1)
        self._payees.settle(orders.take(np.flatnonzero(moved)), rng)
        if told is not None:
            theirs = (orders.deed >= 0) & (np.asarray(told) == Told.PASSED)
            gained = np.bincount(orders.deed[theirs], orders.amount[theirs], len(deeds.ring))
            self._rings.learn(deeds, (1.0 - CUT) * gained, self._today, rng)


def _payments(rows: Array, orders: Orders, deeds: Deeds) -> Payments:
    fraud = orders.deed >= 0
    actor, reported = np.full(len(fraud), -1), np.full(len(fraud), float(NEVER))
    actor[fraud] = deeds.actor[orders.deed[fraud]]
    reported[fraud] = np.minimum(deeds.reported[orders.deed[fraud]], NEVER)
    return Payments(rows=rows, fraud=fraud, amount=orders.amount, account=orders.who, actor=actor, reported=reported)
