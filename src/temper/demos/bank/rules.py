"""Rules that people have written down: what no model has to learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.demos.bank.guard import Seen

Array = np.ndarray[Any, Any]
_LARGE, _TIMES, _KNOWN, _STOPPED = 0.9997, 12.0, 4, 3


@dataclass(slots=True, kw_only=True, eq=False)
class Rules:
    """An amount above nearly all of the past; one a dozen times what its account has paid on average; an account of
    which a fraud was reported in the last three days.
    """

    large: float = np.inf
    _paid: Array = field(default_factory=lambda: np.zeros((2, 0)), init=False)
    _reported: dict[int, int] = field(default_factory=dict, init=False)

    def learn(self, past: Sequence[Seen]) -> None:
        """From the payments before the first day."""
        self.large = float(np.quantile(np.concatenate([seen.amount for seen in past]), _LARGE))
        for seen in past:
            self.count(seen)

    def object(self, number: int, seen: Seen) -> Array:
        """Which payments (n,) a rule is against."""
        self._room(seen)
        many, total = self._paid[:, seen.account]
        unusual = (many >= _KNOWN) & (seen.amount * np.maximum(many, 1.0) > _TIMES * total)
        stopped = [one for one, day in self._reported.items() if number - day <= _STOPPED]
        found: Array = (seen.amount > self.large) | unusual | np.isin(seen.account, stopped)
        return found

    def reported(self, number: int, accounts: Array) -> None:
        """Frauds on these accounts were reported on this day."""
        self._reported |= dict.fromkeys(accounts.tolist(), number)

    def count(self, seen: Seen) -> None:
        """A day is over."""
        self._room(seen)
        width = self._paid.shape[1]
        self._paid[0] += np.bincount(seen.account, minlength=width)
        self._paid[1] += np.bincount(seen.account, seen.amount, width)

    def _room(self, seen: Seen) -> None:
        wanted = int(seen.account.max(initial=-1)) + 1
        if (width := self._paid.shape[1]) < wanted:
            self._paid = np.pad(self._paid, ((0, 0), (0, 2 * wanted - width)))
