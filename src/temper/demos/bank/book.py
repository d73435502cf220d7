"""What the bank knows of its payments, and the post that brings what victims report: late, and not everything."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.demos.bank.guard import Seen
from temper.demos.bank.world import Payments

Array = np.ndarray[Any, Any]
UNKNOWN = -1
MATURE, MEMORY = 7, 45
"""Days after which a payment that nobody complains of is taken for honest, and that the bank learns from."""


@dataclass(slots=True, kw_only=True, eq=False)
class Page:
    """A day in the book: rows in four bytes a value, what is taken for a label (n,), and whether it went through."""

    rows: Array
    amount: Array
    account: Array
    label: Array
    passed: Array


@dataclass(slots=True, kw_only=True, eq=False)
class Book:
    """The bank's own record by day. A declined payment has no label unless somebody looked at it."""

    pages: dict[int, Page] = field(default_factory=dict)

    def write(self, number: int, seen: Seen, passed: Array) -> None:
        """A day as it was decided; days that nobody learns from any more are closed."""
        label = np.full(len(seen), UNKNOWN, dtype=np.int8)
        rows = seen.rows.astype(np.float32)
        page = Page(rows=rows, amount=seen.amount, account=seen.account, label=label, passed=passed.copy())
        self.pages[number] = page
        self.pages.pop(number - MEMORY - 2 * MATURE, None)

    def note(self, days: Array, places: Array, fraud: Any, passed: Any = None) -> None:
        """What somebody found out about payments, and whether they went through where that was open."""
        fraud = np.broadcast_to(fraud, days.shape)
        for day in np.unique(days):
            if (page := self.pages.get(int(day))) is None:
                continue
            mine = days == day
            page.label[places[mine]] = fraud[mine]
            if passed is not None:
                page.passed[places[mine]] = np.broadcast_to(passed, days.shape)[mine]

    def accounts(self, days: Array, places: Array) -> Array:
        """Whose these payments were, as far as the book goes back."""
        pairs = zip(days.tolist(), places.tolist(), strict=True)
        found = [self.pages[day].account[place] for day, place in pairs if day in self.pages]
        return np.array(found, dtype=np.int64)

    def late(self, days: Array, places: Array) -> None:
        """Payments that went through since nobody came to look at them."""
        for day in np.unique(days):
            if (page := self.pages.get(int(day))) is not None:
                page.passed[places[days == day]] = True

    def lesson(self, first: int, last: int) -> tuple[Array, Array, Array]:
        """Rows, labels and amounts of the days from `first` to before `last`: those that somebody spoke of, and those
        that went through and that nobody spoke of.
        """
        pages = [self.pages[day] for day in range(first, last) if day in self.pages]
        known = [np.flatnonzero((page.label != UNKNOWN) | page.passed) for page in pages]
        x = np.concatenate([page.rows[at] for page, at in zip(pages, known, strict=True)])
        y = np.concatenate([page.label[at] == 1 for page, at in zip(pages, known, strict=True)])
        amount = np.concatenate([page.amount[at] for page, at in zip(pages, known, strict=True)])
        return x, y.astype(np.int64), amount

    def recent(self, last: int, days: int) -> tuple[Array, Array]:
        """Rows of all payments of so many days before `last`, and the day of each, whatever became of them."""
        numbers = [day for day in range(last - days, last) if day in self.pages]
        rows = np.concatenate([self.pages[day].rows for day in numbers])
        return rows, np.repeat(numbers, [len(self.pages[day].rows) for day in numbers])


@dataclass(slots=True, kw_only=True, eq=False)
class Post:
    """Holds the truth, and gives out of it what victims report, on the day they do."""

    _due: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list), init=False)

    def send(self, number: int, payments: Payments, places: Array, now: int) -> None:
        """Payments of the day `number` that have gone through by `now`: what is fraud among them will be reported."""
        for place in places[payments.fraud[places]].tolist():
            self._due[max(number + int(payments.reported[place]), now + 1)].append((number, place))

    def arrived(self, number: int) -> tuple[Array, Array]:
        """Days and places of the payments that are reported on this day."""
        found = np.array(self._due.pop(number, []), dtype=np.int64).reshape(-1, 2)
        return found[:, 0], found[:, 1]
