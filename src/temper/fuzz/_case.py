"""A case: a row that is known to be answered, and the few fields of it that were changed."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

from temper.core.errors import TemperError

Value = float | str
"""A cell as the model reads it: a number (a category is its code, a missing value NaN), or a text."""
MESSAGE = "the message"
"""The field of a change that is made to the whole request and not to its row."""
_SHOWN = 24


class Fate(Enum):
    """What may become of an input: it must be ANSWERED, should be REFUSED, or may be EITHER."""

    ANSWER = "answer"
    REFUSE = "refuse"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Literal:
    """What is written for a value, as pieces that are each repeated: ten megabytes are three pieces.

    >>> Literal.of("[", 3).then("]", 3).text
    '[[[]]]'
    """

    pieces: tuple[tuple[str, int], ...]

    @staticmethod
    def of(text: str, times: int = 1) -> Literal:
        """The text, so many times."""
        return Literal(((text, times),))

    def then(self, text: str, times: int = 1) -> Literal:
        """This, and after it the text so many times."""
        return Literal((*self.pieces, (text, times)))

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(text * times for text, times in self.pieces)

    @property
    def short(self) -> str:
        """What a person is shown of it."""
        told = "".join(text if times == 1 else f"{text}(x{times:,})" for text, times in self.pieces)
        told = told.encode("ascii", "backslashreplace").decode()
        return told if len(told) <= 2 * _SHOWN else f"{told[:_SHOWN]}...{told[-_SHOWN:]}"


def quoted(text: str) -> Literal:
    """A JSON string in ASCII.

    >>> quoted("a\\ud800").text
    '"a\\\\ud800"'
    """
    return Literal.of(json.dumps(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A value worth trying: `label` says what it is, `family` what it has in common with others.

    `value` is what a model in this process is given (None: it only exists as text on a wire), `literal` what is written
    on a wire (None: the field is left out). `same`: where it is answered, the answer is the one of the row unchanged.
    """

    label: str
    family: str
    fate: Fate
    value: Value | None = None
    literal: Literal | None = None
    same: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field of a row and the edge it was set to; `places` are its positions in the row."""

    field: str
    places: tuple[int, ...]
    edge: Edge

    def __str__(self) -> str:
        written = f" ({self.edge.literal.short})" if self.edge.literal is not None else ""
        return f"{self.field}: {self.edge.label}{written}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`base` is a row that was answered, `changes` what was done to it and to the message it is sent in."""

    base: tuple[Value, ...]
    changes: tuple[Change, ...] = ()

    @property
    def row(self) -> tuple[Value, ...]:
        """The row as a model in this process is given it."""
        row = list(self.base)
        for change in self.changes:
            for place in change.places:
                if change.edge.value is not None:
                    row[place] = change.edge.value
        return tuple(row)

    @property
    def family(self) -> str:
        """What the changes are, for telling causes apart."""
        return " + ".join(sorted({change.edge.family for change in self.changes}))

    @property
    def frame(self) -> str:
        """How the message is sent, "" as usual."""
        return next((change.edge.label for change in self.changes if change.field == MESSAGE and not change.places), "")

    def __str__(self) -> str:
        return "; ".join(map(str, self.changes)) or "a row as it was recorded"


def plain(case: Case) -> dict[str, Any]:
    """The case as JSON can hold it, without loss."""
    changes = [
        {
            "field": change.field,
            "places": list(change.places),
            "label": change.edge.label,
            "family": change.edge.family,
            "fate": change.edge.fate.value,
            "value": _spelled(change.edge.value),
            "literal": None if change.edge.literal is None else [list(piece) for piece in change.edge.literal.pieces],
            "same": change.edge.same,
        }
        for change in case.changes
    ]
    return {"base": [_spelled(value) for value in case.base], "changes": changes}


def read(document: dict[str, Any]) -> Case:
    """The case that `plain` wrote; a `TemperError` where it is none."""
    try:
        changes = tuple(_changed(entry) for entry in document["changes"])
        base = tuple(_value(entry) for entry in document["base"])
        return Case(base=base, changes=changes)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError) as fault:
        raise TemperError(
            f"this is no fuzz case: {type(fault).__name__}: {fault}", fix="keep the file as written"
        ) from None


def _changed(entry: dict[str, Any]) -> Change:
    literal = None if entry["literal"] is None else Literal(tuple((text, times) for text, times in entry["literal"]))
    edge = Edge(
        label=entry["label"],
        family=entry["family"],
        fate=Fate(entry["fate"]),
        value=_value(entry["value"]),
        literal=literal,
        same=entry["same"],
    )
    return Change(field=entry["field"], places=tuple(entry["places"]), edge=edge)


def _spelled(value: Value | None) -> Any:
    """Numbers as hexadecimal text: every bit comes back, NaN and -0.0 too; texts stand in a list."""
    if value is None:
        return None
    return [value] if isinstance(value, str) else float(value).hex()


def _value(entry: Any) -> Value | None:
    if entry is None:
        return None
    if isinstance(entry, list):
        return str(entry[0])
    value = float.fromhex(entry)
    return math.nan if math.isnan(value) else value
