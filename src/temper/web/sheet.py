"""A case's payload as a table: what the client sent beside what is usual, made harmless.

A payload is what a gateway hands on: {"rows": [{column: value}], "scores": [...], "source": ..., "reasons": [...],
"reference": {column: [5 %, middle, 95 %] or {word: share}}, ...}. Every part may be missing or be something else, and
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


RARE = 0.01
"""A word in fewer rows than this is unusual; a number is so outside the middle 90 %."""


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

    >>> [[cell]] = sheet({"rows": [{"amount": 900.0}], "reference": {"amount": [1, 40, 300]}})
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
    """One value; without a usable reference nothing is called unusual.

    >>> cell("country", "FR", {"NL": 0.9, "DE": 0.1}).range
    'in 0.0 % of rows'
    """
    text = shown(value)
    short, long = inert(text, SHORT), inert(text, LONG)
    rest = long if long != short else ""
    usual = _beside_words(text, reference) if isinstance(reference, Mapping) else _beside_numbers(value, reference)
    return Cell(column=inert(name, SHORT), value=short, rest=rest, length=len(text), **usual)


def _beside_words(text: str, reference: Mapping[Any, Any]) -> dict[str, Any]:
    shares = {str(word): share for word, found in reference.items() if (share := _number(found)) is not None}
    if not shares or text == MISSING:
        return {}
    usual, share = max(shares.items(), key=lambda item: item[1]), shares.get(text, 0.0)
    typical = inert(f"{usual[0]} ({usual[1]:.0%})".replace("%", " %"), SHORT)
    return {"typical": typical, "range": f"in {100 * share:.1f} % of rows", "unusual": share < RARE}


def _beside_numbers(value: Any, reference: Any) -> dict[str, Any]:
    found = [_number(one) for one in _list(reference)]
    if len(found) != 3 or None in found:
        return {}
    low, middle, high = (one or 0.0 for one in found)
    place, where = _place(_number(value), low, high)
    told = {"typical": shown(middle), "range": f"{shown(low)} to {shown(high)}", "place": place, "where": where}
    return told | {"unusual": bool(where) and not where.startswith("inside")}


def reasons(payload: Mapping[str, Any]) -> list[str]:
    """Why the case was not decided by the model, a sentence each."""
    return [inert(one, 500) for one in _list(payload.get("reasons"))[:MOST_ROWS]]


def scores(payload: Mapping[str, Any]) -> list[str]:
    """The score of each row."""
    return [inert(shown(one), 40) for one in _list(payload.get("scores"))[:MOST_ROWS]]


def score(payload: Mapping[str, Any]) -> str:
    """The score of the first row, and how many more there are; a dash without any."""
    found = scores(payload)
    return "–" if not found else found[0] if len(found) == 1 else f"{found[0]} (+{len(found) - 1})"


def word(payload: Mapping[str, Any], name: str, limit: int = 80) -> str:
    """A part of the payload that is one word, or a dash."""
    return inert(payload.get(name) or "–", limit)


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


def _figure(value: float) -> str:
    if not abs(value) < 1e15:
        return f"{value:g}" if isinstance(value, float) else str(value)[:LONG]
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:.4g}" if abs(value) < 1 else f"{value:,.2f}"


def _place(value: float | None, low: float, high: float) -> tuple[float | None, str]:
    """Where a value lies, from 4 to 116 with the usual range at 20 to 100, and in words.

    What is outside stands clear of the range, however little it misses it.
    """
    if value is None or not -math.inf < low <= high < math.inf:
        return None, ""
    if value < low:
        return max(12.0 - (low - value) / ((high - low) or 1.0), 4.0), "below the usual range"
    if value > high:
        return min(108.0 + (value - high) / ((high - low) or 1.0), 116.0), "above the usual range"
    return round(20 + 80 * (value - low) / (high - low), 1) if high > low else 60.0, "inside the usual range"


def _usual(cell: Cell) -> bool:
    return not cell.unusual


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number of four hundred digits
        return math.inf if value > 0 else -math.inf
    return None if math.isnan(number) else number


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
