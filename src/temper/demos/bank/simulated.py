"""The world of the bank's quarter: its customers and the fraudsters among them. SIMULATED."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.demos.bank.fraudsters import Fraudsters, Tried
from temper.demos.bank.people import SCHEMA, Batch, People
from temper.demos.bank.world import NEVER, Payments, Told

Array = np.ndarray[Any, Any]
LEAVES = 0.04
"""Share of honest customers who go elsewhere once they were declined."""
_CHEAP = 7
_FADES = 0.82  # of the refused payments on an account, from day to day


@dataclass(slots=True, kw_only=True, eq=False)
class Simulated:
    """A `World`. A new channel, instant payments, is there from the day `opens` on. On the day `breach` a shop loses
    its customers' cards: for a week they cost nothing, and whoever tests cards is there.

    >>> world = Simulated(seed=0, per_day=300)
    >>> past, first = world.history(2), world.day(0, None)
    >>> len(past), 200 < len(first) < 400, first.rows.shape[1] == len(world.schema.columns)
    (2, True, True)
    """

    seed: int
    per_day: int
    adaptive: bool = True
    opens: int = 45
    breach: int = 27
    schema: Schema = SCHEMA
    people: People = field(init=False, repr=False)
    fraudsters: Fraudsters = field(init=False, repr=False)
    _declined: Array = field(init=False, repr=False)
    _left: Array = field(init=False, repr=False)
    _last: tuple[Payments, Tried, Array] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.people = People.born(self.seed, self.per_day)
        self.fraudsters = Fraudsters.gathered(self.seed, self.per_day, self.adaptive)
        self._declined = np.zeros(len(self.people))
        self._left = np.zeros(len(self.people), dtype=bool)

    def history(self, days: int) -> list[Payments]:
        """Days in which nobody is told anything, and nobody learns."""
        return [self._made(number) for number in range(-days, 0)]

    def day(self, number: int, told: Array | None) -> Payments:
        """The day after everybody has drawn conclusions."""
        if told is not None and self._last is not None:
            self._concluded(number, told, *self._last)
        self.fraudsters.enter(number)
        return self._made(number)

    def _concluded(self, number: int, told: Array, payments: Payments, tried: Tried, places: Array) -> None:
        self.fraudsters.learn(tried, told[places])
        refused = told == Told.DECLINED
        self._declined *= _FADES
        self._declined += np.bincount(payments.account[refused], minlength=len(self.people))
        if self.adaptive:
            hurt = np.unique(payments.account[refused & ~payments.fraud])
            leaves = Draws(self.seed, "demos.bank.leaves").uniform(hurt, 10_000 + number) < LEAVES
            self._left[hurt[leaves]] = True

    def _made(self, number: int) -> Payments:
        honest = self.people.day(number, self.opens)
        stay = np.flatnonzero(~self._left[honest.account])
        self.fraudsters.rush = self.breach <= number < self.breach + _CHEAP
        tried = self.fraudsters.tries(number, self.people, self.opens)
        batch = _joined(_cut(honest, stay), tried.batch)
        order = np.argsort(batch.moment, kind="stable")
        batch = _cut(batch, order)
        batch.amount = np.round(np.clip(batch.amount, 0.5, self.people.limit[batch.account]), 2)
        places = np.argsort(order, kind="stable")[len(stay) :]
        actor = np.full(len(batch), -1, dtype=np.int64)
        actor[places] = tried.actor
        reported = np.full(len(batch), NEVER, dtype=np.int64)
        reported[places] = self.fraudsters.reported(tried, number)
        payments = Payments(
            rows=self.people.rows(batch, self._declined),
            fraud=actor >= 0,
            amount=batch.amount,
            account=batch.account,
            actor=actor,
            reported=reported,
        )
        self._last = payments, tried, places
        return payments


def _cut(batch: Batch, at: Array) -> Batch:
    return Batch(**{one.name: getattr(batch, one.name)[at] for one in fields(Batch)})


def _joined(first: Batch, second: Batch) -> Batch:
    names = [one.name for one in fields(Batch)]
    return Batch(**{name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names})
