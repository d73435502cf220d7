"""What is ordered in a day, by customers and by those who hold their accounts, in the order in which it comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Orders:
    """Arrays (n,). `deed` numbers the deed of a ring that an order is part of, -1 where the customer ordered it."""

    who: Array
    payee: Array
    amount: Array
    hour: Array
    rail: Array
    channel: Array
    session: Array
    device_age: Array
    deed: Array

    def take(self, at: Array) -> Orders:
        """Some of them."""
        return Orders(**{field.name: getattr(self, field.name)[at] for field in fields(self)})


def joined(parts: Sequence[Orders]) -> Orders:
    """All of them by the hour."""
    together = {f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Orders)}
    return Orders(**together).take(np.argsort(together["hour"], kind="stable"))


def earlier(key: Array) -> Array:
    """How often each key came before, and where it came last (-1 for never); arrays (2, n).

    >>> earlier(np.array([7, 5, 7, 7])).tolist()
    [[0, 0, 1, 2], [-1, -1, 0, 2]]
    """
    order = np.argsort(key, kind="stable")
    same = np.r_[False, np.diff(key[order]) == 0]
    place = np.arange(len(key))
    count = place - np.maximum.accumulate(np.where(same, 0, place))
    before = np.where(same, np.roll(order, 1), -1)
    found = np.empty((2, len(key)), dtype=np.int64)
    found[:, order] = count, before
    return found


def spent_before(who: Array, amount: Array) -> Array:
    """What each payer ordered earlier in the day, up to this order."""
    order = np.argsort(who, kind="stable")
    total = np.r_[0.0, np.cumsum(amount[order])]
    first = np.r_[True, np.diff(who[order]) != 0] if len(who) else np.zeros(0, dtype=bool)
    start = np.maximum.accumulate(np.where(first, np.arange(len(who)), 0))
    spent = np.empty(len(who))
    spent[order] = total[:-1] - total[start]
    return np.maximum(spent, 0.0)
