"""Defects of the planted service that depend on what it was asked first: weak twins, and sound ones that do the same
work rightly.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence

from temper.core.data import Array
from temper.core.schema import Column
from temper.testing.planted import CHANNELS, Scorer


class KeyLacksColumns(Scorer):
    """Answers are kept by the columns that were thought to matter."""

    width = 5

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[float, ...], float] = {}

    def _one(self, row: Sequence[float]) -> float:
        return self.kept.setdefault(tuple(row[: self.width]), super()._one(row))


class KeyHoldsAll(KeyLacksColumns):
    """Sound: answers are kept by every column, a missing one by a word."""

    def _one(self, row: Sequence[float]) -> float:
        key = tuple(-1.0 if math.isnan(value) else value for value in row)
        return self.kept.setdefault(key, Scorer._one(self, row))


class CodesByAppearance(Scorer):
    """A word gets the next free code when it is first seen."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: dict[float, int] = {}

    def _one(self, row: Sequence[float]) -> float:
        code = self.codes.setdefault(row[5], len(self.codes))
        return super()._one([*row[:5], float(code), *row[6:]])


class ScaledByFirst(Scorer):
    """What is usual is what the first row held."""

    usual: float | None = None

    def _one(self, row: Sequence[float]) -> float:
        self.usual = row[2] if self.usual is None else self.usual
        return super()._one([*row[:2], 0.9 * row[2] + 0.1 * self.usual, *row[3:]])


class FilledMeanwhile(Scorer):
    """A table is filled when it is first needed, and others read it meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.table: dict[int, float] = {}

    def _one(self, row: Sequence[float]) -> float:
        if not self.table:
            self._fill()
        return super()._one(row) + 0.0 * self.table[int(row[5])]

    def _fill(self) -> None:
        for code in range(len(CHANNELS)):
            self.table[code] = 0.0
            time.sleep(2e-2)  # each is looked up somewhere; long enough that the second caller comes on a busy machine


class FilledOnce(FilledMeanwhile):
    """Sound: filled behind a lock."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def __reduce__(self) -> tuple[type[FilledOnce], tuple[()]]:
        return FilledOnce, ()

    def _one(self, row: Sequence[float]) -> float:
        with self.lock:
            if not self.table:
                self._fill()
        return super()._one(row)


class DefaultAtFirst(Scorer):
    """Until the model is there everybody gets the same score."""

    loaded = False

    def _batch(self, x: Array) -> Sequence[float]:
        if not self.loaded:
            time.sleep(5e-2)
            self.loaded = True
            return [0.5] * len(x)
        return super()._batch(x)


class OtherNotations(Scorer):
    """A number may be a text with a sign or a unit at its end."""

    def _cell(self, column: Column, row: dict[str, object]) -> float:
        value = row.get(column.name)
        if column.type == "number" and isinstance(value, str) and value[:-1].isdecimal():
            return float(value[:-1])
        return super()._cell(column, row)


WEAK = (KeyLacksColumns, CodesByAppearance, ScaledByFirst, FilledMeanwhile, DefaultAtFirst)
SOUND = (KeyHoldsAll, FilledOnce)
