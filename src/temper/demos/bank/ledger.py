"""What a quarter came to: every payment with what became of it, in money, by week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from temper.core.layers import Attempts
from temper.core.stage import Level
from temper.demos.bank.bank import Said
from temper.demos.bank.plan import CHURN, CUSTOMER, HOUR, LAYERS, MARGIN, Plan
from temper.demos.bank.world import Payments

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Counts and dollars. What was attempted was stopped or is lost; `cost` is all that it costs the bank."""

    payments: int = 0
    frauds: int = 0
    passed: int = 0
    attempted: float = 0.0
    stopped: float = 0.0
    lost: float = 0.0
    false_declines: int = 0
    false_amount: float = 0.0
    customers: float = 0.0
    looks: int = 0
    hours: float = 0.0
    backlog: int = 0

    @property
    def cost(self) -> float:
        """Losses, the margin of what was declined wrongly, customers who left, and analysts."""
        return self.lost + MARGIN * self.false_amount + CUSTOMER * self.customers + HOUR * self.hours

    @property
    def rate(self) -> float:
        """Honest payments that were declined, of all honest ones."""
        return self.false_declines / max(self.payments - self.frauds, 1)

    def __add__(self, other: Sums) -> Sums:
        added = {one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(Sums)}
        return Sums(**{**added, "backlog": other.backlog})


@dataclass(slots=True, kw_only=True, eq=False)
class Day:
    """A day in the ledger. `stops` (n, layers) is what each layer would stop by itself; `stopped` (n,) what was."""

    payments: Payments
    stops: Array
    stopped: Array
    hours: float = 0.0
    looks: int = 0
    backlog: int = 0

    @staticmethod
    def of(payments: Payments, said: Said, says: Array, stopped: Array) -> Day:
        """`says` (n,) is what a look would say. What asks for one stops what the look would call fraud."""
        stops = (said.levels == Level.BLOCK) | ((said.levels == Level.REVIEW) & says[:, None])
        return Day(payments=payments, stops=stops, stopped=stopped)

    def late(self, places: Array, said: Said) -> None:
        """Nobody came to look at these: whatever asked for a look has stopped nothing."""
        self.stops[places] &= said.levels[places] == Level.BLOCK

    @property
    def sums(self) -> Sums:
        """The day in figures."""
        fraud, amount, stopped = self.payments.fraud, self.payments.amount, self.stopped
        wrong = stopped & ~fraud
        return Sums(
            payments=len(amount),
            frauds=int(fraud.sum()),
            passed=int((fraud & ~stopped).sum()),
            attempted=float(amount[fraud].sum()),
            stopped=float(amount[fraud & stopped].sum()),
            lost=float(amount[fraud & ~stopped].sum()),
            false_declines=int(wrong.sum()),
            false_amount=float(amount[wrong].sum()),
            customers=CHURN * float(wrong.sum()),
            looks=self.looks,
            hours=self.hours,
            backlog=self.backlog,
        )


@dataclass(slots=True, kw_only=True, eq=False)
class Ledger:
    """All days, in turn. With `lean` only their figures are kept."""

    plan: Plan
    lean: bool = False
    days: list[Day] = field(default_factory=list)
    sums: list[Sums] = field(default_factory=list)

    def settle(self, number: int) -> None:
        """Nothing of this day is open any more."""
        self.sums.append(self.days[number].sums)
        day = self.days[number]
        small = Payments(
            rows=np.zeros((0, 0)),
            fraud=day.payments.fraud,
            amount=day.payments.amount,
            account=np.zeros(0),
            actor=day.payments.actor,
            reported=np.zeros(0),
        )
        self.days[number] = Day(payments=small, stops=day.stops, stopped=day.stopped)

    def so_far(self, first: int, last: int) -> list[Sums]:
        """The days from `first` to before `last` as they stand: what waits counts as lost."""
        return [self.sums[at] if at < len(self.sums) else self.days[at].sums for at in range(first, last)]

    @property
    def total(self) -> Sums:
        """The whole quarter, or as much of it as there is."""
        return added(self.sums)

    @property
    def weeks(self) -> list[Sums]:
        """By week; the last may be short."""
        return [added(self.sums[at : at + 7]) for at in range(0, len(self.sums), 7)]

    def stopped_by(self) -> dict[str, list[float]]:
        """Dollars of fraud by week, by the first layer that stops them; under `lost` what none does."""
        at = [place for place, name in enumerate(LAYERS) if name in self.plan.controls]
        names = [*(LAYERS[place] for place in at), "lost"]
        found: dict[str, list[float]] = {name: [0.0] * len(self.weeks) for name in names}
        for number, day in enumerate(self.days[: len(self.sums)]):
            fraud = np.flatnonzero(day.payments.fraud)
            stops = np.column_stack([day.stops[fraud][:, at], np.ones(len(fraud), dtype=bool)])
            money = np.bincount(stops.argmax(axis=1), day.payments.amount[fraud], len(names))
            for name, value in zip(names, money.tolist(), strict=True):
                found[name][number // 7] += value
        return found

    def attempts(self) -> Attempts:
        """Every payment of the quarter with what each standing layer would do to it. Honest ones have an actor each:
        they decide for themselves.
        """
        at = [place for place, name in enumerate(LAYERS) if name in self.plan.controls]
        actor = np.concatenate([day.payments.actor for day in self.days])
        fraud = np.concatenate([day.payments.fraud for day in self.days])
        amount = np.concatenate([day.payments.amount for day in self.days])
        alone = int(actor.max(initial=0)) + 1 + np.arange(len(actor))
        return Attempts(
            layers=tuple(LAYERS[place] for place in at),
            stops=np.concatenate([day.stops[:, at] for day in self.days]),
            worth=np.where(fraud, amount, MARGIN * amount + CHURN * CUSTOMER),
            actor=np.where(fraud, actor, alone),
            honest=~fraud,
            adaptive=self.plan.adaptive,
            exclusive=True,
        )


def added(parts: Sequence[Sums]) -> Sums:
    """The sum of sums."""
    whole = Sums()
    for part in parts:
        whole = whole + part
    return whole
