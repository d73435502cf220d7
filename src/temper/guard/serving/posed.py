"""Rows as they are laid on a bench: where each is from, what was changed by hand, and which rules that breaks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.errors import SchemaError, TemperError
from temper.core.probe import Row, Subject
from temper.core.schema import Change
from temper.core.system import Protected
from temper.core.target import ScoreKind
from temper.core.written import value_of

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posed:
    """A row on the bench: where it is from, the `base` that changes count from (None where it was made from nothing),
    the row as it is now, and the class of the base where that is known.
    """

    origin: str
    base: Array | None
    row: Array
    label: int | None = None

    def subject(self, columns: tuple[str, ...]) -> Subject:
        """It as a document keeps it."""
        base = () if self.base is None else numbers(self.base)
        return Subject(origin=self.origin, columns=columns, base=base, row=numbers(self.row), label=self.label)


@dataclass(frozen=True, kw_only=True, eq=False)
class Posing:
    """Rows of the `system` of a temper.yaml, and what people make of them: it takes no model."""

    system: Protected

    def row(self, sample: int) -> Posed:
        """The held-out row of this id; raises `TemperError` where there is none."""
        at = int(self.system.data.positions([sample])[0]) if abs(sample) < 2**62 else -1
        if at < 0:
            ids = self.system.data.ids
            raise TemperError(f"there is no held-out row {sample}", fix=f"they are numbered {ids.min()} to {ids.max()}")
        x, y = np.array(self.system.data.x[at], dtype=np.float64), self.system.data.y[at]
        label = None if self.system.target.kind is ScoreKind.VALUE else int(y)
        return Posed(origin=f"held-out row {sample}", base=x, row=x, label=label)

    def nothing(self) -> Posed:
        """A row made from the Schema alone: what lies nearest to nothing within the ranges."""
        schema = self.system.schema
        if schema.columns:
            row = np.clip(np.zeros(len(schema.columns)), schema.lows, schema.highs)
        else:
            row = np.full(self.system.data.x.shape[1:], np.clip(0.0, schema.low, schema.high))
        return Posed(origin="an empty row", base=None, row=row)

    def kept(self, subject: Subject) -> Posed:
        """What was probed once; raises `TemperError` where the columns are others by now, or the pictures."""
        shape = self.system.data.x.shape[1:]
        if subject.columns != self.system.schema.names or len(subject.row) != math.prod(shape):
            raise TemperError("what was probed has other columns than this system", fix="probe it anew")
        base = array(subject.base).reshape(shape) if subject.base else None
        return Posed(origin=subject.origin, base=base, row=array(subject.row).reshape(shape), label=subject.label)

    def edited(self, posed: Posed, settings: Mapping[str, str]) -> tuple[Posed, list[SchemaError]]:
        """With these values by column, derived columns that none was given for computed anew, and which could not
        be read. An unknown column raises `SchemaError`.
        """
        schema, row, wrong = self.system.schema, posed.row.copy(), []
        for name, text in settings.items():
            at = schema.index(name)
            try:
                row[at] = value_of(schema.columns[at], text)
            except SchemaError as error:
                wrong.append(error)
        if settings:
            row = self._following(row, posed.row if posed.base is None else posed.base, settings)
        return replace(posed, row=row), wrong

    def changes(self, posed: Posed) -> tuple[Change, ...]:
        """What was changed. A column out of an attacker's reach did not follow from anything: somebody has set it."""
        schema = self.system.schema
        found = () if posed.base is None or not schema.columns else schema.decode(posed.row, posed.base)
        return tuple(replace(one, derived=bool(schema.columns[schema.index(one.column)].formula)) for one in found)

    def undone(self, posed: Posed, changes: Iterable[Change]) -> dict[str, Array]:
        """By column, the row with that change alone taken back, and what derives from it."""
        found: dict[str, Array] = {}
        if (base := posed.base) is None:
            return found
        for name in (one.column for one in changes if not one.derived):
            at, back = self.system.schema.index(name), posed.row.copy()
            back[at] = base[at]
            found[name] = self._following(back, base, ())
        return found

    def broken(self, posed: Posed) -> tuple[str, ...]:
        """Which rules of the Schema this breaks. A row from nowhere is held against its nearest one within the ranges,
        since whatever it holds is what it has always been.
        """
        schema, row = self.system.schema, posed.row
        if posed.base is not None:
            return schema.faults(row, posed.base)
        low, high = (schema.lows, schema.highs) if schema.columns else (schema.low, schema.high)
        return (
            *schema.faults(row, np.clip(row, low, high)),
            *(f"{text} does not hold" for text in schema.unmet(row[None])),
        )

    def _following(self, row: Array, base: Array, given: Iterable[str]) -> Array:
        """The row with derived columns computed anew from the base, but for those that were `given`."""
        schema = self.system.schema
        kept = np.isin(schema.names, list(given))[None]
        return np.asarray(schema.derive(row[None], base[None], kept)[0])


def numbers(row: Array) -> Row:
    """A row as a document holds it.

    >>> numbers(np.array([1.0, np.nan]))
    (1.0, None)
    """
    return tuple(None if np.isnan(value) else float(value) for value in np.ravel(row))


def array(row: Row) -> Array:
    """The same back."""
    return np.array([np.nan if value is None else value for value in row], dtype=np.float64)
