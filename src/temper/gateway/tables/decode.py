"""What clients send, held against the Schema while it is parsed: types, bounds, vocabulary, and nothing besides."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from temper.core.schema import Column, Schema

Array = np.ndarray[Any, Any]
_SHOWN = 200
_Name = Annotated[str, msgspec.Meta(max_length=128)]
_QUOTED = re.compile(r"Invalid enum value .* - at ", re.DOTALL)


class Wrong(Exception):
    """A request that cannot be scored; the message says in one sentence why, without quoting a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Rows as the model reads them, the id under which the client wants them answered once, and the person they are
    about ("" for none).
    """

    rows: Array
    id: str = ""
    subject: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class Decoder:
    """Reads `{"id": ..., "row": {column: value}}`, or `"rows": [{...}, ...]` with at most `most` rows, and a `subject`.

    Every column is required, but for those that may be missing; unknown and repeated keys, values out of bounds and
    words outside the vocabulary are refused. A whole number may be written 3 or 3.0, a boolean true or 1.

    >>> schema = Schema(columns=(Column(name="amount", low=0.0), Column(name="channel", type="category",
    ...                                                                 categories=("chip", "online"))))
    >>> Decoder(schema=schema).decode(b'{"row": {"amount": 9.5, "channel": "online"}}').rows
    array([[9.5, 1. ]])
    """

    schema: Schema
    most: int = 1_000
    _json: Any = field(init=False, repr=False)
    _codes: tuple[tuple[int, dict[str, float]], ...] = field(init=False, repr=False)
    _full: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        row = struct_of(self.schema)
        body = msgspec.defstruct(
            "Body",
            [
                ("id", _Name, ""),
                ("subject", _Name, ""),
                ("row", row | None, None),
                ("rows", _several(row, self.most), msgspec.field(default_factory=list)),
            ],
            forbid_unknown_fields=True,
        )
        self._json = msgspec.json.Decoder(body)
        self._full = not any(column.missing for column in self.schema.columns)
        self._codes = tuple(
            (at, {word: float(code) for code, word in enumerate(column.categories)})
            for at, column in enumerate(self.schema.columns)
            if column.type == "category"
        )

    def decode(self, body: bytes) -> Asked:
        """The rows; `Wrong` says what is the matter."""
        try:
            found = self._json.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as wrong:
            raise Wrong(f"the request cannot be scored: {said(wrong)}") from None
        rows = found.rows if found.row is None else [found.row]
        if not rows or (found.row is not None and found.rows):
            raise Wrong("the request cannot be scored: it needs `row`, or `rows` with at least one row")
        values = [msgspec.structs.astuple(row) for row in rows]
        keys = sum(map(len, values)) if self._full else sum(value is not None for row in values for value in row)
        # Where there are as many colons as keys, none can stand twice.
        if body.count(b":") != keys + 1 + (found.id != "") + (found.subject != ""):
            once(body)
        return Asked(rows=self.matrix(values), id=found.id, subject=found.subject)

    def matrix(self, rows: Sequence[Sequence[Any]]) -> Array:
        """Values in the Schema's order as numbers."""
        if self._codes:
            rows = [list(row) for row in rows]
            for row in rows:
                for at, codes in self._codes:
                    row[at] = codes.get(row[at])  # type: ignore[index]
        return np.array(rows, dtype=np.float64)


def unbounded(schema: Schema) -> Schema:
    """The same columns without bounds: everything a number can be is read."""
    return replace(schema, columns=tuple(replace(one, low=-np.inf, high=np.inf) for one in schema.columns))


def outside(rows: Array, schema: Schema) -> str:
    """The first column with a value out of its bounds, "" where there is none; a missing value is not out of them.

    >>> outside(np.array([[1.0], [np.nan], [7.0]]), Schema(columns=(Column(name="age", low=0.0, high=6.0),)))
    "column 'age'"
    """
    wrong = ((rows < schema.lows) | (rows > schema.highs)).any(axis=0)
    return f"column {schema.names[int(np.argmax(wrong))]!r}" if wrong.any() else ""


def struct_of(schema: Schema) -> Any:
    """The type of one row."""
    fields = [_field(at, column) for at, column in enumerate(schema.columns)]
    names = {f"c{at}": column.name for at, column in enumerate(schema.columns)}
    return msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, kw_only=True)


def _several(row: Any, most: int) -> Any:
    return Annotated[list[row], msgspec.Meta(max_length=most)]


def _field(at: int, column: Column) -> Any:
    kind: Any = _type(column)
    return (f"c{at}", kind | None, None) if column.missing else (f"c{at}", kind)


def _type(column: Column) -> Any:
    if column.type == "category":
        return Literal[column.categories]
    if column.type == "boolean":
        return bool | Annotated[float, msgspec.Meta(ge=0, le=1, multiple_of=1.0)]
    bounds: dict[str, Any] = {"ge": column.low} if np.isfinite(column.low) else {}
    bounds |= {"le": column.high} if np.isfinite(column.high) else {}
    bounds |= {"multiple_of": 1.0} if column.type == "integer" else {}
    return Annotated[float, msgspec.Meta(**bounds)] if bounds else float


def said(wrong: Exception) -> str:
    """What the parser says, without the word it did not know: that may be anything, and is told back to nobody.

    >>> said(ValueError("Invalid enum value '4111 1111' - at `$.row.channel`"))
    'a word outside the vocabulary - at `$.row.channel`'
    """
    return _QUOTED.sub("a word outside the vocabulary - at ", str(wrong))[:_SHOWN]


def once(body: bytes) -> None:
    """No key stands twice: parsers differ in which of the two they take."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in found]
        if len(set(names)) != len(names):
            raise Wrong("the request cannot be scored: a key stands twice")
        return dict(found)

    try:
        json.loads(body, object_pairs_hook=pairs)
    except (ValueError, RecursionError):  # where one parser reads what another does not
        raise Wrong("the request cannot be scored: not every parser reads it") from None
