"""What a world of payments is to a bank: a past to learn from, then day after day, and agents who are told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

import numpy as np

from temper.core.schema import Schema

Array = np.ndarray[Any, Any]
NEVER = 1_000_000
"""Days after which a fraud that nobody reports is reported."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Payments:
    """One day's payments, in the order in which they come. `rows` (n, columns) float64 in the Schema's order; `fraud`
    (n,) truth; `amount` (n,) in dollars (also a column); `account` (n,) int; `actor` (n,) int: the fraudster behind it,
    -1 for an honest customer; `reported` (n,) days after which the victim reports (fraud only; large where never).
    """

    rows: Array
    fraud: Array
    amount: Array
    account: Array
    actor: Array
    reported: Array

    def __len__(self) -> int:
        return len(self.amount)


class Told(IntEnum):
    """What whoever paid sees of it."""

    PASSED = 0
    DECLINED = 1
    DELAYED = 2


class World(Protocol):
    """Customers and fraudsters, day by day. The same seed and the same answers make the same payments.

    Made with the keywords `seed` (int), `per_day` (int, about how many payments a day) and `adaptive` (bool, True):
    whether fraudsters learn from what they are told. The schema has a column `amount`.
    """

    schema: Schema

    def history(self, days: int) -> list[Payments]:
        """The past, before any guard: to train on. Asked for once, before the first day."""
        ...

    def day(self, number: int, told: Array | None) -> Payments:
        """The payments of a day, from 0 on and in turn. `told` (n of the day before,) are `Told`: agents adapt to it.
        None on the first day.
        """
        ...
