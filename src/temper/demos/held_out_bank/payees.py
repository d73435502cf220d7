"""Who is paid: a graph that grows by preferential attachment, and the books that customers keep of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.demos.held_out_bank.orders import Orders, earlier

Array = np.ndarray[Any, Any]

BILLS = 3
SHOPS = 8
BOOK = BILLS + SHOPS + 5
"""Payees that a customer's book has room for: those of the bills, shops, and last persons."""

_NEAR = 0.35  # of the geometric slot in the book
_YOUNG = 0.12  # share of new payees taken from all at random, where others follow those who paid before
_RECENT = 8_192
_REPLACED = 0.004  # share of payees that close and are followed by new ones, a day
_WEEK = np.exp(-1.0 / 7.0)


class Payees:
    """Accounts that are paid; the last `mules` belong to rings. No array grows with the days."""

    def __init__(self, customers: int, mules: int, rng: np.random.Generator) -> None:
        self.ordinary = 3 * max(customers, 60)
        count = self.ordinary + mules
        young = rng.uniform(size=count) < 0.25
        self.opened = -np.floor(np.where(young, rng.exponential(40.0, count), rng.gamma(1.2, 700.0, count)))
        self.inflow = rng.gamma(0.5, 2.0, count)
        rank = rng.permutation(self.ordinary) + 1.0
        likely = rank**-1.1 / (rank**-1.1).sum()
        self._recent = rng.choice(self.ordinary, _RECENT, p=likely)
        self.book = self._recent[rng.integers(0, _RECENT, (customers, BOOK))]
        self.book[:, BILLS + SHOPS :] = rng.integers(0, self.ordinary, (customers, BOOK - BILLS - SHOPS))
        self.times = rng.geometric(0.08, (customers, BOOK)).astype(np.int64)

    def chosen(self, who: Array, stream: Array, new: Array, person: Array, rng: np.random.Generator) -> Array:
        """Whom these pay: bills their own payee, the rest somebody in the book, or with chance `new` somebody else.

        Somebody else is any `person` at random, or whoever a random payment of late went to: preferential attachment.
        Source: Barabasi & Albert, "Emergence of scaling in random networks", 1999.
        """
        size = len(who)
        turn = rng.geometric(_NEAR, size) - 1
        slot = BILLS + np.where(person, SHOPS + turn % (BOOK - BILLS - SHOPS), turn % SHOPS)
        known = self.book[who, np.where(stream < BILLS, stream, slot)]
        follows = self._recent[rng.integers(0, _RECENT, size)]
        other = np.where(person | (rng.uniform(size=size) < _YOUNG), rng.integers(0, self.ordinary, size), follows)
        return np.where((stream >= BILLS) & (rng.uniform(size=size) < new), other, known)

    def paid_before(self, orders: Orders) -> Array:
        """How often each payer had paid this payee, as the books and the day so far know it."""
        kept = np.where(self.book[orders.who] == orders.payee[:, None], self.times[orders.who], 0).max(axis=1)
        found: Array = kept + earlier(orders.who * len(self.opened) + orders.payee)[0]
        return found

    def wake(self, today: int, rng: np.random.Generator) -> None:
        """A day goes by: inflows fade, some accounts close and are followed by new ones."""
        self.inflow *= _WEEK
        closed = rng.integers(0, self.ordinary, rng.poisson(_REPLACED * self.ordinary))
        self.opened[closed], self.inflow[closed] = today, 0.0

    def settle(self, orders: Orders, rng: np.random.Generator) -> None:
        """Payments that went through are in the books, and are what later payers follow."""
        np.add.at(self.inflow, orders.payee, 1.0)
        hit = self.book[orders.who] == orders.payee[:, None]
        known = hit.any(axis=1)
        np.add.at(self.times, (orders.who[known], hit[known].argmax(axis=1)), 1)
        who = orders.who[~known]
        slot = BILLS + self.times[who, BILLS:].argmin(axis=1)
        self.book[who, slot], self.times[who, slot] = orders.payee[~known], 1
        followed = orders.payee[(orders.deed < 0) & (orders.payee < self.ordinary)]
        self._recent[rng.integers(0, _RECENT, len(followed))] = followed
