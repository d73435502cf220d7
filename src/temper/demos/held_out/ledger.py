"""The bank's books: replays wishes in order of time and records what each payment looked like when it was made."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import exp, floor, isnan, log

from temper.demos.held_out.columns import AMOUNT_LIMIT, LOWEST
from temper.demos.held_out.people import People
from temper.demos.held_out.wish import Wishes

RATES = (0.2, 0.5, 1.5)  # per cent of the amount, per rail
LEAST_FEE = 0.1
_DAY = 24.0
_MEMORY = 0.15  # weight of the newest payment in what is usual


@dataclass(slots=True)
class Ledger:
    """Balances, habits, devices and inflows as they stand; one entry per payer, payee or device."""

    balance: list[float]
    income: list[float]
    limit: list[float]
    usual: list[float]
    last: list[float]
    spent: list[tuple[int, float]]
    known: set[tuple[int, int]]
    users: dict[int, int] = field(default_factory=dict)
    inflow: dict[int, deque[tuple[float, float]]] = field(default_factory=dict)

    def pay(self, hour: float, payer: int, amount: float, share: float, rail: int) -> tuple[float, ...] | None:
        """(amount, fee, balance after, usual amount, limit left, hours since the last payment), None if refused."""
        gap = hour - self.last[payer]
        balance = self.balance[payer] + self.income[payer] * max(gap, 0.0)
        day, spent = self.spent[payer]
        left = self.limit[payer] - (spent if day == int(hour // _DAY) else 0.0)
        wished = share * balance if isnan(amount) else amount
        # 1.6 % is more than any fee, so the account never goes below zero.
        paid = floor(100.0 * min(wished, left, 0.984 * balance - LEAST_FEE, AMOUNT_LIMIT)) / 100.0
        if paid < LOWEST:
            return None
        fee = charge(paid, rail)
        self.balance[payer] = round(balance - paid - fee, 2)
        self.spent[payer] = (int(hour // _DAY), self.limit[payer] - left + paid)
        self.last[payer] = hour
        usual = self.usual[payer]
        self.usual[payer] = usual + _MEMORY * (log(paid) - usual)
        return paid, fee, self.balance[payer], round(max(exp(usual), LOWEST), 2), round(left, 2), gap

    def meet(self, payer: int, payee: int) -> bool:
        """Whether the payer has paid this payee before; from now on it has."""
        before = (payer, payee) in self.known
        self.known.add((payer, payee))
        return before

    def use(self, payer: int, device: int) -> bool:
        """Whether the device has served another payer; the latest user is remembered."""
        owner = self.users.get(device, payer)
        # A device that served two payers stays marked.
        self.users[device] = payer if owner == payer else -1
        return owner != payer

    def receive(self, hour: float, payee: int, amount: float) -> float:
        """Euros the payee received in the last 24 hours, this payment included."""
        book = self.inflow.setdefault(payee, deque())
        book.append((hour, amount))
        while book[0][0] < hour - _DAY:
            book.popleft()
        return round(sum(received for _, received in book), 2)


def charge(amount: float, rail: int) -> float:
    """The fee in euros: a rate by rail, rounded to cents, at least ten cents."""
    return max(LEAST_FEE, round(amount * RATES[rail]) / 100.0)


def open_books(people: People) -> Ledger:
    """The ledger at hour zero: everybody paid their contacts and was last seen some days ago, by their own pace."""
    payers = range(len(people))
    return Ledger(
        balance=people.balance.tolist(),
        income=people.income.tolist(),
        limit=people.limit.tolist(),
        usual=people.level.tolist(),
        last=(-24.0 / people.rate).clip(-720.0).tolist(),
        spent=[(-1, 0.0) for _ in payers],
        known={(payer, int(payee)) for payer in payers for payee in people.contacts[payer]},
    )


def replay(people: People, wishes: Wishes) -> dict[str, list[float]]:
    """Columns of the payments that went through, by name; `wish` is the position of each in `wishes`."""
    books = open_books(people)
    names = ("amount", "fee", "balance_after", "usual_amount", "limit_left", "gap_hours")
    rows: list[tuple[float, ...]] = []
    agents = (wishes.hour, wishes.payer, wishes.payee, wishes.device, wishes.amount, wishes.share, wishes.rail)
    for at, (hour, payer, payee, device, amount, share, rail) in enumerate(
        zip(*(column.tolist() for column in agents), strict=True)
    ):
        paid = books.pay(hour, payer, amount, share, rail)
        if paid is not None:
            known, reused = books.meet(payer, payee), books.use(payer, device)
            rows.append((at, *paid, known, reused, books.receive(hour, payee, paid[0])))
    columns = ("wish", *names, "payee_known", "device_reused", "payee_inflow")
    return {name: list(values) for name, values in zip(columns, zip(*rows, strict=True), strict=True)}
