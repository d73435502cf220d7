"""A case's payload as a table: what the client sent beside what is usual, made harmless.

A payload is what a gateway hands on: {"rows": [{column: value}], "score": ..., "source": ..., "reasons": [...],
"reference": {column: {"low", "high", "typical", "values"}}, ...}. Every part may be missing or be something else, and
is then shown as it is, or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from temper.report._inert import inert

MISSING = "missing"
SHORT, LONG = 160, 20_000
MOST_ROWS, MOST_CELLS = 20, 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One value beside its reference. `rest` is the whole of a long text, `place` where the value lies on a scale whose
    usual range runs from 20 to 100, `where` the same in words.
    """

    column: str
    value: str
    rest: str = ""
    length: int = 0
    typical: str = "–"
    range: str = "–"
    unusual: bool = False
    place: float | None = None
    where: str = ""


def sheet(payload: Mapping[str, Any]) -> list[list[Cell]]:
    """The rows of a case, the unusual values of each first.

    >>> [[cell]] = sheet({"rows": [{"amount": 900.0}], "reference": {"amount": {"low": 1, "high": 300, "typical": 40}}})
    >>> cell.value, cell.typical, cell.range, cell.unusual, cell.where
    ('900', '40', '1 to 300', True, 'above the usual range')
    """
    reference = _mapping(payload.get("reference"))
    rows = [row for row in _list(payload.get("rows"))[:MOST_ROWS] if isinstance(row, Mapping)]
    return [
        sorted((cell(name, row[name], reference.get(name)) for name in list(row)[:MOST_CELLS]), key=_usual)
        for row in rows
    ]


def cell(name: Any, value: Any, reference: Any) -> Cell:
    """One value; without a usable reference nothing is called unusual, and neither is what is missing.

    >>> cell("country", "FR", {"values": ["NL", "DE"], "typical": "NL"}).unusual
    True
    """
    text, usual = shown(value), _mapping(reference)
    short, long = inert(text, SHORT), inert(text, LONG)
    low, high, values = number(usual.get("low")), number(usual.get("high")), _list(usual.get("values"))
    place, where = _place(number(value), low, high)
    strange = bool(values) and text != MISSING and value not in values
    return Cell(
        column=inert(name, SHORT),
        value=short,
        rest=long if long != short else "",
        length=len(text),
        typical=inert(shown(usual["typical"]), SHORT) if "typical" in usual else "–",
        range=_range(low, high, values),
        unusual=strange or (bool(where) and not where.startswith("inside")),
        place=place,
        where=where,
    )


def reasons(payload: Mapping[str, Any]) -> list[str]:
    """Why the case was not decided by the model, a sentence each."""
    return [inert(one, 500) for one in _list(payload.get("reasons"))[:MOST_ROWS]]


def score(payload: Mapping[str, Any]) -> str:
    """The highest score of the case's rows, or a dash."""
    found = payload.get("score")
    return "–" if found is None else inert(shown(found), 40)


def word(payload: Mapping[str, Any], name: str, limit: int = 80) -> str:
    """A part of the payload that is one word, "" where it is missing."""
    return inert(payload.get(name) or "", limit)


def shown(value: Any) -> str:
    """A value as a person reads it.

    >>> shown(1234567.0), shown(0.12345678), shown(None), shown(True), shown(float("nan"))
    ('1,234,567', '0.1235', 'missing', 'yes', 'missing')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _figure(value)
    return str(value)


def number(value: Any) -> float | None:
    """The value as a finite or infinite number; None for everything else, and for what is no number.

    >>> number(3), number(True), number("3"), number(float("nan"))
    (3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number of four hundred digits
        return math.inf if value > 0 else -math.inf
    return None if math.isnan(number) else number


def _figure(value: float) -> str:
    if not abs(value) < 1e15:
        return f"{value:g}" if isinstance(value, float) else str(value)[:LONG]
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:.4g}" if abs(value) < 1 else f"{value:,.2f}"


def _place(value: float | None, low: float | None, high: float | None) -> tuple[float | None, str]:
    """Where a value lies, from 4 to 116 with the usual range at 20 to 100, and in words.

    What is outside stands clear of the range, however little it misses it.
    """
    if value is None or low is None or high is None or not -math.inf < low <= high < math.inf:
        return None, ""
    if value < low:
        return max(12.0 - (low - value) / ((high - low) or 1.0), 4.0), "below the usual range"
    if value > high:
        return min(108.0 + (value - high) / ((high - low) or 1.0), 116.0), "above the usual range"
    return round(20 + 80 * (value - low) / (high - low), 1) if high > low else 60.0, "inside the usual range"


def _range(low: float | None, high: float | None, values: list[Any]) -> str:
    if values:
        return inert(", ".join(shown(value) for value in values[:8]) + (", …" if len(values) > 8 else ""), SHORT)
    return "–" if low is None or high is None else f"{shown(low)} to {shown(high)}"


def _usual(cell: Cell) -> bool:
    return not cell.unusual


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
