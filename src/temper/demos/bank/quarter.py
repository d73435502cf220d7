"""A quarter, day by day: a world pays, a bank decides, people look, victims report, and everybody learns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.incident import Incident
from temper.core.seed import Draws
from temper.core.stage import Level
from temper.demos.bank.bank import Bank, Lesson, Said
from temper.demos.bank.book import Post
from temper.demos.bank.desk import Desk, Worked
from temper.demos.bank.guard import Seen
from temper.demos.bank.ledger import Day, Ledger
from temper.demos.bank.plan import Plan
from temper.demos.bank.world import Payments, Told, World

Array = np.ndarray[Any, Any]
Makes = Callable[..., Bank]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quarter:
    """How it went: `ledger` in money, what was opened and what was learnt. `whole` is False where it was broken off."""

    plan: Plan
    ledger: Ledger
    incidents: tuple[Incident, ...]
    lessons: tuple[Lesson, ...]
    whole: bool = True


@dataclass(slots=True, kw_only=True, eq=False)
class Run:
    """One quarter of a world at a bank. `makes` opens the bank (a test gives a worse one)."""

    world: World
    plan: Plan
    makes: Makes = Bank
    listener: Callable[[int, Ledger, Bank], None] = lambda number, ledger, bank: None
    ledger: Ledger = field(init=False)
    bank: Bank = field(init=False)
    _post: Post = field(default_factory=Post, init=False)
    _desk: Desk = field(init=False)
    _said: dict[int, Said] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(plan=self.plan)
        most = max(1, round(self.plan.capacity * self.plan.per_day)) if "review" in self.plan.controls else 0
        self._desk = Desk(draws=Draws(self.plan.seed, "demos.bank.desk"), most=most)

    def run(self) -> Quarter:
        """All days; broken off by the keyboard it is as much as there is, and says so."""
        with tempfile.TemporaryDirectory() as folder:
            self.bank, whole = self.makes(schema=self.world.schema, plan=self.plan, folder=Path(folder)), True
            try:
                self._past()
                told = None
                for number in range(self.plan.days):
                    told = self._day(number, told)
                    self.listener(number, self.ledger, self.bank)
            except KeyboardInterrupt:
                whole = False
            finally:
                self.bank.close()
        self._closes()
        return Quarter(
            plan=self.plan,
            ledger=self.ledger,
            incidents=tuple(self.bank.incidents.all),
            lessons=tuple(self.bank.lessons),
            whole=whole,
        )

    def _past(self) -> None:
        """Everything went through, and what was reported by now is known."""
        past, known = self.world.history(self.plan.history), []
        for number, payments in enumerate(past, start=-len(past)):
            seen = _seen(payments)
            known.append((number, seen))
            self.bank.book.write(number, seen, np.ones(len(seen), dtype=bool))
            self._post.send(number, payments, np.arange(len(seen)), number)
        for number in range(-len(past), 0):
            self.bank.hear(number, *self._post.arrived(number))
        self.bank.open(known)

    def _day(self, number: int, told: Array | None) -> Array:
        payments = self.world.day(number, told)
        seen = _seen(payments)
        said = self.bank.decide(number, seen)
        blocked = (said.levels == Level.BLOCK).any(axis=1)
        asked = ~blocked & (said.levels == Level.REVIEW).any(axis=1)
        says = self._desk.says(number, payments)
        self.ledger.days.append(Day.of(payments, said, says, blocked.copy()))
        self._said[number] = said
        self.bank.book.write(number, seen, ~blocked & ~asked)
        self._post.send(number, payments, np.flatnonzero(~blocked & ~asked), number)
        self._looked(number, self._desk.work(number, asked, np.nan_to_num(said.scores) * seen.amount, says))
        self.bank.hear(number, *self._post.arrived(number))
        self.bank.night(number, seen, said)
        if number:
            self._settle(number - 1)
        return np.where(blocked, Told.DECLINED, np.where(asked, Told.DELAYED, Told.PASSED))

    def _looked(self, number: int, worked: Worked) -> None:
        """What people found goes into the ledger, the bank's book, and, of what went through, to the post."""
        today = self.ledger.days[number]
        today.hours, today.looks, today.backlog = worked.hours, len(worked.place), worked.waiting
        for day, place, fraud in zip(worked.day.tolist(), worked.place.tolist(), worked.fraud.tolist(), strict=True):
            self.ledger.days[day].stopped[place] = fraud
        self.bank.looked(worked.day, worked.place, worked.fraud)
        self._late(worked.late_day, worked.late_place)
        self._through(number, worked.day[~worked.fraud], worked.place[~worked.fraud])
        self._through(number, worked.late_day, worked.late_place)

    def _late(self, days: Array, places: Array) -> None:
        """Nobody looked in time: it goes through."""
        self.bank.book.late(days, places)
        for day in np.unique(days):
            self.ledger.days[day].late(places[days == day], self._said[int(day)])

    def _through(self, number: int, days: Array, places: Array) -> None:
        for day in np.unique(days):
            self._post.send(int(day), self.ledger.days[day].payments, places[days == day], number)

    def _settle(self, number: int) -> None:
        self._said.pop(number, None)
        self.ledger.settle(number)

    def _closes(self) -> None:
        """What still waits when the quarter ends goes through."""
        self._late(*self._desk.closes())
        for number in range(len(self.ledger.sums), len(self.ledger.days)):
            self._settle(number)


def _seen(payments: Payments) -> Seen:
    return Seen(rows=payments.rows, amount=payments.amount, account=payments.account)
