"""A small scoring service, sound, and the same with one planted defect at a time: what a fuzzer has to find."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from temper.core.data import Array
from temper.core.schema import Column, Schema
from temper.core.seed import Draws

CHANNELS = ("chip", "online", "swipe", "cash")
_WEIGHTS = (0.4, -0.2, 0.9, 0.1)


def schema() -> Schema:
    """Every kind of column: bounded numbers, whole numbers, a category, a truth, one that may be missing."""
    return Schema(
        columns=(
            Column(name="amount", low=0.0, high=5_000.0),
            Column(name="turnover", low=0.0, high=1e25),
            Column(name="shift", low=-1.0, high=1.0),
            Column(name="payments", type="integer", low=0, high=3_000_000_000),
            Column(name="months", type="integer", low=0, high=6_000),
            Column(name="channel", type="category", categories=CHANNELS),
            Column(name="night", type="boolean"),
            Column(name="note", low=0.0, high=10.0, missing=True),
        )
    )


def rows(n: int = 40, seed: int = 0) -> Array:
    """Ordinary rows (n, 8); a fifth of the notes are missing."""
    rng = Draws(seed, "testing.planted").generator()
    note = np.where(rng.random(n) < 0.2, np.nan, rng.uniform(1, 9, n).round(2))
    amount, turnover = rng.uniform(5, 900, n).round(2), rng.uniform(1e3, 1e6, n).round()
    counts = [rng.integers(low, high, n) for low, high in ((1, 400), (1, 200), (0, 4), (0, 2))]
    return np.column_stack([amount, turnover, rng.uniform(-0.9, 0.9, n).round(3), *counts, note])


class Invalid(ValueError):
    """A request outside of the schema."""


class Scorer:
    """The sound service: text in, scores out; rows are checked, encoded and scored one by one."""

    names: tuple[str, ...] = schema().names

    def __init__(self) -> None:
        self.columns = schema().columns

    def __call__(self, x: Array) -> Array:
        """Probabilities (n, 2) of rows as numbers."""
        for row in np.asarray(x):
            self._checked(row)
        p = np.asarray(self._batch(np.asarray(x)), dtype=np.float64)
        return np.column_stack([1.0 - p, p])

    def answer(self, body: bytes) -> list[float]:
        """The scores of a request: `{"row": {...}}` or `{"rows": [{...}, ...]}`."""
        found = self._parsed(body)
        if not isinstance(found, dict) or not set(found) <= {"row", "rows"}:
            raise Invalid("expected row or rows")
        asked = found["rows"] if "rows" in found else [found.get("row")]
        if not isinstance(asked, list) or not asked:
            raise Invalid("expected at least one row")
        return [float(value) for value in self(np.array([self._decoded(row) for row in asked]))[:, 1]]

    def _parsed(self, body: bytes) -> Any:
        """JSON, without numbers that are none."""
        try:
            return json.loads(body, parse_constant=no_constant, parse_int=float)
        except (ValueError, RecursionError) as fault:
            raise Invalid(f"no JSON: {type(fault).__name__}") from None

    def _decoded(self, row: Any) -> list[float]:
        """One record as numbers in the schema's order."""
        if not isinstance(row, dict):
            raise Invalid("a row is an object")
        if unknown := set(row) - set(self.names):
            raise Invalid(f"{len(unknown)} unknown keys")
        return [self._cell(column, row) for column in self.columns]

    def _cell(self, column: Column, row: dict[str, Any]) -> float:
        """One value as a number."""
        value = row.get(column.name)
        if value is None:
            if not column.missing:
                raise Invalid(f"{column.name} is missing")
            return math.nan
        if column.type == "category":
            return self._code(column, value)
        if isinstance(value, bool) and column.type != "boolean":
            raise Invalid(f"{column.name} is a truth")
        if not isinstance(value, int | float):
            raise Invalid(f"{column.name} is no number")
        return float(value)

    def _code(self, column: Column, word: Any) -> float:
        """The number of a word."""
        if word not in column.categories:
            raise Invalid(f"{column.name} is an unknown word")
        return float(column.categories.index(word))

    def _checked(self, row: Array) -> None:
        """Refuse what lies outside of the schema."""
        for column, value in zip(self.columns, row.tolist(), strict=True):
            self._check(column, value)

    def _check(self, column: Column, value: float) -> None:
        """Refuse one value outside of its column."""
        if math.isnan(value):
            if not column.missing:
                raise Invalid(f"{column.name} is missing")
            return
        low, high = _ends(column)
        if not low <= value <= high or (column.discrete and value != round(value)):
            raise Invalid(f"{column.name} is outside of its range")

    def _batch(self, x: Array) -> Sequence[float]:
        """A probability for each row."""
        return [self._one(row) for row in x.tolist()]

    def _one(self, row: Sequence[float]) -> float:
        """The probability of one row."""
        amount, turnover, shift, payments, months, channel, night, note = row
        z = 0.004 * (amount - 450) + 0.2 * math.log10(1 + turnover) - 1.5 + 0.8 * shift
        z += 0.0005 * min(payments, 1e6) - 0.001 * months + _WEIGHTS[int(channel)] + 0.5 * night
        z += -0.3 if math.isnan(note) else 0.1 * note
        return 1.0 / (1.0 + math.exp(-max(min(z, 500.0), -500.0)))


def no_constant(word: str) -> float:
    """Refuse what JSON does not know: NaN and the infinities."""
    raise Invalid(f"{word} is no number")


def _ends(column: Column) -> tuple[float, float]:
    if column.type == "category":
        return 0.0, float(len(column.categories) - 1)
    return (0.0, 1.0) if column.type == "boolean" else (column.low, column.high)


# -- defects of the scoring -----------------------------------------------------------------------------------------


class NanScored(Scorer):
    """Comparisons with NaN are false, so it passes the bounds and is filled with nought."""

    def _check(self, column: Column, value: float) -> None:
        low, high = _ends(column)
        if value < low or value > high or (column.discrete and value % 1 > 0):
            raise Invalid(f"{column.name} is outside of its range")

    def _one(self, row: Sequence[float]) -> float:
        return super()._one([*np.nan_to_num(row[:7]).tolist(), row[7]])

    def _cell(self, column: Column, row: dict[str, Any]) -> float:
        return math.nan if row.get(column.name, 0) is None else super()._cell(column, row)


class CodeMinusOne(Scorer):
    """A word that is not found has the code -1, which a list reads from its end."""

    def _code(self, column: Column, word: Any) -> float:
        return float(column.categories.index(word)) if word in column.categories else -1.0

    def _check(self, column: Column, value: float) -> None:
        if column.type != "category" or value >= len(column.categories) or value != round(value):
            super()._check(column, value)


class OrderMixed(Scorer):
    """Rows are sorted to be scored, and not put back."""

    def _batch(self, x: Array) -> Sequence[float]:
        return super()._batch(x[np.argsort(x[:, 0], kind="stable")])


class CallersMixed(Scorer):
    """One buffer for all callers."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = np.zeros((0, len(self.columns)))

    def _batch(self, x: Array) -> Sequence[float]:
        self.buffer = x.copy()
        time.sleep(1e-4)  # somebody is looked up meanwhile
        return [self._one(row) for row in self.buffer.tolist()]


class RoundedCache(Scorer):
    """Answers are kept by values that were rounded first."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[float, ...], float] = {}

    def _batch(self, x: Array) -> Sequence[float]:
        if len(x) > 1:
            return super()._batch(x)
        key = tuple(float(f"{value:.1g}") for value in x[0].tolist())
        if len(self.kept) > 500:
            self.kept.clear()
        return [self.kept.setdefault(key, self._one(x[0].tolist()))]


class Overflows(Scorer):
    """Squares in 32 bits: the largest turnovers become infinite, and infinite by infinite is no number."""

    def _one(self, row: Sequence[float]) -> float:
        with np.errstate(all="ignore"):
            square = np.float32(row[1]) ** 2
            return super()._one(row) * float(square / (square + np.float32(1e-9)) if square > 0 else 1.0)


class NeverEnds(Scorer):
    """Counts the digits of a number by multiplying it until it is one, which nought never is."""

    def _one(self, row: Sequence[float]) -> float:
        amount, digits = row[0], 0
        while amount < 1.0:
            amount, digits = amount * 10.0, digits + 1
        return super()._one(row)


class AboveOne(Scorer):
    """A calibration that is not clipped."""

    def _one(self, row: Sequence[float]) -> float:
        return super()._one(row) * 1.0000001


class StateLeft(Scorer):
    """A missing note is filled with the last one that was seen."""

    last = 5.0

    def _one(self, row: Sequence[float]) -> float:
        if not math.isnan(row[7]):
            self.last = row[7]
        return super()._one([*row[:7], self.last])


class LogOfZero(Scorer):
    """The logarithm of an amount that may be nought."""

    def _one(self, row: Sequence[float]) -> float:
        return min(1.0, super()._one(row) * (1.0 + 1e-9 * math.log(row[0])))


class DividesByZero(Scorer):
    """An average over months that may be none."""

    def _one(self, row: Sequence[float]) -> float:
        return super()._one([*row[:3], row[3] + 1e-12 / int(row[4]), *row[4:]])


class BoundExcluded(Scorer):
    """The highest value is refused."""

    def _check(self, column: Column, value: float) -> None:
        if column.name == "shift" and value >= column.high:
            raise Invalid(f"{column.name} is outside of its range")
        super()._check(column, value)


class InfinityScored(Scorer):
    """Only the lower bound is checked, and what is infinite is cut off later."""

    def _check(self, column: Column, value: float) -> None:
        if not (column.name == "amount" and value >= column.low):
            super()._check(column, value)

    def _parsed(self, body: bytes) -> Any:
        try:
            return json.loads(body, parse_int=float)
        except (ValueError, RecursionError) as fault:
            raise Invalid(f"no JSON: {type(fault).__name__}") from None


class BatchCentred(Scorer):
    """Amounts are centred by the mean of the batch they came in."""

    def _batch(self, x: Array) -> Sequence[float]:
        x = x.copy()
        x[:, 0] = np.clip(x[:, 0] - 0.01 * (x[:, 0].mean() - x[:, 0]), 0, None) if len(x) > 1 else x[:, 0]
        return super()._batch(x)


class ChunkLost(Scorer):
    """Rows are scored in blocks of four, and the last block gets the scores of the one before it."""

    def _batch(self, x: Array) -> Sequence[float]:
        found = list(super()._batch(x))
        rest = len(x) % 4
        return [*found[:-rest], *found[:rest]] if rest and len(x) > 4 else found


class LastWordFails(Scorer):
    """The table of weights is one short."""

    def _one(self, row: Sequence[float]) -> float:
        return super()._one(row) + 0.0 * _WEIGHTS[:3][int(row[5])]


class Narrow(Scorer):
    """A count kept in 32 bits turns negative, and its root is no number."""

    def _one(self, row: Sequence[float]) -> float:
        with np.errstate(all="ignore"):
            root = float(np.sqrt(np.array(int(row[3]), dtype=np.int64).astype(np.int32)))
        return super()._one(row) * (1.0 + 0.0 * root)


class RowsKept(Scorer):
    """A default list that every call shares."""

    def _batch(self, x: Array, kept: list[Any] = []) -> Sequence[float]:  # noqa: B006
        if len(x) > 1:
            kept.extend(x.tolist()[:1])
        return [self._one(row) for row in kept[: len(x) > 1]] + list(super()._batch(x))[len(x) > 1 :]


class MinusZero(Scorer):
    """A table is read by a number as it is printed, and -0.0 is printed with its sign."""

    table: ClassVar[dict[str, float]] = {f"{step / 10 + 0.0:.1f}": step / 1e4 for step in range(-10, 11)}

    def _one(self, row: Sequence[float]) -> float:
        return super()._one([*row[:2], row[2] + 0.0 * self.table[f"{row[2]:.1f}"], *row[3:]])


class BatchFilled(Scorer):
    """A missing note is filled with the mean of the batch."""

    def _batch(self, x: Array) -> Sequence[float]:
        known = x[:, 7][~np.isnan(x[:, 7])]
        filled = x.copy()
        filled[:, 7] = np.where(np.isnan(x[:, 7]), known.mean() if len(known) else 5.0, x[:, 7])
        return super()._batch(filled)


class LoopsOverCount(Scorer):
    """One turn of a loop for each payment."""

    def _one(self, row: Sequence[float]) -> float:
        total = 0.0
        for _ in range(int(row[3])):
            total += 1e-12
        return super()._one(row)


class Recurses(Scorer):
    """One call in another for each month."""

    def _one(self, row: Sequence[float]) -> float:
        return super()._one([*row[:4], self._aged(int(row[4])), *row[5:]])

    def _aged(self, months: int) -> float:
        return 1.0 + self._aged(months - 1) if months > 0 else 0.0


class EveryHundredth(Scorer):
    """Now and then the answer of the request before, while something is refreshed."""

    calls, before = 0, 0.5

    def _batch(self, x: Array) -> Sequence[float]:
        self.calls += 1
        found = list(super()._batch(x))
        told = [self.before, *found[1:]] if self.calls % 100 == 0 else found
        self.before = found[0]
        return told


SCORING = (
    NanScored, CodeMinusOne, OrderMixed, CallersMixed, RoundedCache, Overflows, NeverEnds, AboveOne, StateLeft,
    LogOfZero, DividesByZero, BoundExcluded, InfinityScored, BatchCentred, ChunkLost, LastWordFails, Narrow, RowsKept,
    MinusZero, BatchFilled, LoopsOverCount, Recurses, EveryHundredth,
)  # fmt: skip
