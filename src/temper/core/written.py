"""A value of a column as people write it, and back."""

from __future__ import annotations

import math
import re

from temper.core.errors import SchemaError
from temper.core.schema import Column

MISSING = "missing"
_LONGEST = 40
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
"""Where a comma may stand: elsewhere it may be meant for a point."""


def written(column: Column, value: float) -> str:
    """The value as a form holds it: what is read back is the same to the bit.

    >>> written(Column(name="amount"), 231.0), written(Column(name="amount"), 0.1), written(Column(name="a"), math.nan)
    ('231', '0.1', '')
    """
    if math.isnan(value):
        return ""
    if column.type == "category" and value == int(value) and 0 <= value < len(column.categories):
        return column.categories[int(value)]
    if column.type == "boolean" and value in (0.0, 1.0):
        return "yes" if value else "no"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def value_of(column: Column, text: str) -> float:
    """The number behind what somebody wrote; nothing, or "missing", is a missing value. Whether it is admissible is for
    the Schema to say; what is no value of this type at all is refused, and not quoted beyond a few characters.

    >>> value_of(Column(name="amount"), "1,250.5"), value_of(Column(name="b", type="boolean"), "yes")
    (1250.5, 1.0)
    """
    text = text.strip()
    if text in ("", MISSING):
        return math.nan
    if column.type == "category" and text in column.categories:
        return float(column.categories.index(text))
    if column.type == "boolean" and text.lower() in ("yes", "no", "true", "false"):
        return float(text.lower() in ("yes", "true"))
    readable = len(text) <= _LONGEST and "_" not in text and ("," not in text or _THOUSANDS.fullmatch(text))
    try:
        value = float(text.replace(",", "")) if readable else math.nan
    except ValueError:
        value = math.nan
    if column.type == "category" or not math.isfinite(value):
        wanted = f"one of {', '.join(column.categories[:12])}" if column.type == "category" else "a number"
        raise SchemaError(f"{column.name} cannot be {text[:_LONGEST]!r}", fix=f"write {wanted}, or nothing for missing")
    return value
