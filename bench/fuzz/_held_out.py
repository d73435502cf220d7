"""Defects of another service, written when the fuzzer was finished: nothing of it was changed for them."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.schema import Column, Schema
from temper.testing.planted import Scorer

PURPOSES = ("car", "house", "studies")
_RISK = {"car": 0.2, "house": -0.1, "studies": 0.4}


def schema() -> Schema:
    """A loan: what it is for, how much, what is earned, for how long."""
    return Schema(
        columns=(
            Column(name="income", low=0.0, high=1e9),
            Column(name="loan", low=1.0, high=1e9),
            Column(name="days", type="integer", low=1, high=4_000_000),
            Column(name="utilisation", low=0.0, high=1.0),
            Column(name="purpose", type="category", categories=PURPOSES),
            Column(name="employed", type="boolean"),
            Column(name="arrears", low=0.0, high=1e6, missing=True),
        )
    )


def rows(n: int = 40) -> Array:
    """Ordinary loans."""
    at = np.arange(n, dtype=float)
    columns = [20_000 + 977 * at, 5_000 + 1_313 * (at % 17), 30 + 45 * (at % 23), (at % 11) / 13 + 0.03, at % 3, at % 2,
               np.where(at % 5 == 0, np.nan, 40 * (at % 7))]  # fmt: skip
    return np.column_stack(columns)


class Loans(Scorer):
    """The sound service: read and checked as the other, scored by a function of its own."""

    names = schema().names

    def __init__(self) -> None:
        super().__init__()
        self.columns = schema().columns

    def _one(self, row: Sequence[float]) -> float:
        income, loan, days, utilisation, purpose, employed, arrears = row
        burden = math.log1p(loan) - math.log1p(income)
        z = 0.6 * burden + 1.5 * utilisation + _RISK[PURPOSES[int(purpose)]] - 0.4 * employed + 0.02 * math.log1p(days)
        z += 0.0 if math.isnan(arrears) else 0.1 * math.log1p(arrears)
        return 1.0 / (1.0 + math.exp(-z))


class KeyTooShort(Loans):
    """Answers are remembered by the columns that a first version had."""

    def __init__(self) -> None:
        super().__init__()
        self.memory: dict[tuple[float, ...], float] = {}

    def _one(self, row: Sequence[float]) -> float:
        if len(self.memory) > 300:
            self.memory.clear()
        return self.memory.setdefault(tuple(row[:4]), super()._one(row))


class Percent(Loans):
    """A share may be written 50%."""

    def _cell(self, column: Column, row: dict[str, Any]) -> float:
        value = row.get(column.name)
        if column.name == "utilisation" and isinstance(value, str) and value.strip("0123456789") == "%":
            return float(value[:-1]) / 100
        return super()._cell(column, row)


class LastDay(Loans):
    """The day on which it ends may be after the last day there is."""

    def _one(self, row: Sequence[float]) -> float:
        ends = date(2026, 1, 1) + timedelta(days=int(row[2]))
        return super()._one(row) + 0.0 * ends.day


class Exponent(Loans):
    """A power that is larger than any number."""

    def _one(self, row: Sequence[float]) -> float:
        return super()._one(row) * (1.0 - 1e-9 / (1.0 + math.exp(row[1] / 1_000.0 / 500.0)))


class OrderOfKeys(Loans):
    """Values are taken in the order in which they were written."""

    def _decoded(self, row: Any) -> list[float]:
        super()._decoded(row)
        kept = list(row)
        numbers = [name for name in kept if name in ("income", "loan")]
        swapped = dict(row)
        if len(numbers) == 2 and numbers != ["income", "loan"]:
            swapped["income"], swapped["loan"] = row["loan"], row["income"]
        return super()._decoded(swapped)


class AnyDigits(Loans):
    """Whole numbers may be texts, in any script that has digits."""

    def _cell(self, column: Column, row: dict[str, Any]) -> float:
        value = row.get(column.name)
        if column.type == "integer" and isinstance(value, str) and value.isdecimal():
            return float(int(value[:9]))
        return super()._cell(column, row)


class LastBin(Loans):
    """The highest value lies behind the last bin."""

    weights = (0.0, 0.1, 0.2, 0.3)

    def _one(self, row: Sequence[float]) -> float:
        return super()._one(row) * (1.0 - 1e-6 * self.weights[int(row[3] * 4)])


class FastPath(Loans):
    """Large batches are scored in 16 bits."""

    def _batch(self, x: Array) -> Sequence[float]:
        found = super()._batch(x)
        return np.asarray(found, dtype=np.float16).tolist() if len(x) >= 32 else found


class NothingByNothing(Loans):
    """Who earns nothing and owes nothing has a share of nothing in nothing."""

    def _one(self, row: Sequence[float]) -> float:
        with np.errstate(all="ignore"):
            share = float(np.float64(0.0 if math.isnan(row[6]) else row[6]) / np.float64(row[0]))
        return super()._one(row) + 0.0 * share


class Bisects(Loans):
    """A rate is found by halving until the ends are closer than large numbers ever are."""

    def _one(self, row: Sequence[float]) -> float:
        low, high = 0.0, row[1]
        while high - low > 1e-8:
            middle = (low + high) / 2
            low, high = (middle, high) if middle < row[1] / 1.01 else (low, middle)
        return super()._one(row)


class HalfFilled(Loans):
    """A table is filled when it is first needed, and read by others meanwhile."""

    table: dict[str, float] | None = None

    def _one(self, row: Sequence[float]) -> float:
        if self.table is None:
            self.table = {}
            for purpose in PURPOSES:
                time.sleep(0.001)
                self.table[purpose] = _RISK[purpose]
        return super()._one(row) + 0.0 * self.table[PURPOSES[int(row[4])]]


INSIDE = (KeyTooShort, LastDay, Exponent, LastBin, FastPath, NothingByNothing, Bisects, HalfFilled)
SERVED = (*INSIDE, Percent, OrderOfKeys, AnyDigits)
