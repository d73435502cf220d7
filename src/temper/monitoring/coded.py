"""Rows from a feed, coded like the rows of the assessment: what does not fit is told, and nothing stops."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import numpy as np

from temper.core.schema import Column, Schema

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]


def coded(frame: pd.DataFrame, schema: Schema) -> tuple[Array, tuple[str, ...], tuple[str, ...]]:
    """The matrix (n, d) of a frame, its troubles (columns that are gone or of another type), and notes of some values.

    What cannot be read is missing. A category nobody knew is coded as the one after the last. One wrong value is no
    trouble: else one row could raise an alarm every day.
    """
    x = np.full((len(frame), len(schema.columns)), np.nan)
    troubles: list[str] = []
    notes: list[str] = []
    for at, column in enumerate(schema.columns):
        if column.name not in frame.columns:
            troubles.append(_gone(column.name, [str(name) for name in frame.columns], schema))
            continue
        x[:, at], note = _values(frame[column.name], column)
        if note:
            (troubles if np.isnan(x[:, at]).all() else notes).append(note)
    return x, tuple(troubles), tuple(notes)


def _gone(name: str, there: list[str], schema: Schema) -> str:
    others = [one for one in there if one not in schema.names]
    near = difflib.get_close_matches(name.lower(), [one.lower() for one in others], n=1, cutoff=0.5)
    renamed = next((one for one in others if near and one.lower() == near[0]), "")
    return f"column {name!r} is gone" + (f"; is it {renamed!r} now?" if renamed else "")


def _values(series: pd.Series, column: Column) -> tuple[Array, str]:
    import pandas as pd

    if column.type == "category":
        return _codes(series, column), ""
    if column.type == "boolean" and not pd.api.types.is_numeric_dtype(series):
        words = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
        series = series.map(lambda value: words.get(str(value).strip().lower(), value), na_action="ignore")
    if pd.api.types.is_datetime64_any_dtype(series):
        return np.full(len(series), np.nan), f"column {column.name!r} holds times now, not numbers"
    values = pd.to_numeric(series, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    lost = np.isnan(values) & series.notna().to_numpy()
    if not lost.any():
        return values, ""
    first = str(series.to_numpy(dtype=object)[int(np.argmax(lost))])[:40]
    return values, f"{int(lost.sum()):,} values of {column.name!r} are no numbers, the first is {first!r}"


def _codes(series: pd.Series, column: Column) -> Array:
    import pandas as pd

    places = {name: float(at) for at, name in enumerate(column.categories)}
    codes, distinct = pd.factorize(series.to_numpy(dtype=object))
    new = float(len(column.categories))
    found = np.array([places.get(_spelled(value), new) for value in distinct] + [np.nan])
    return np.asarray(found[codes])


def _spelled(value: object) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)
