"""What an agent wants to pay, before the ledger decides what it can be."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wishes:
    """Arrays over wished payments: `hour` since the start, `payer`, `payee`, `payee_age` (days), `device`, `amount`
    (euros; NaN where `share` of the balance is wanted instead), `rail`, session figures, and the truth in `fraud`.
    """

    hour: Array
    payer: Array
    payee: Array
    payee_age: Array
    device: Array
    amount: Array
    share: Array
    rail: Array
    since_login: Array
    session_steps: Array
    rhythm: Array
    fraud: Array

    def __len__(self) -> int:
        return len(self.hour)

    def take(self, rows: Array) -> Wishes:
        """The wishes at these positions."""
        return Wishes(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def in_order(*parts: Wishes) -> Wishes:
    """All wishes in order of time; ties keep the order of the parts."""
    joined = {f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Wishes)}
    return Wishes(**joined).take(np.argsort(joined["hour"], kind="stable"))
