"""Where in a window the change is: in rows of one category, or everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from temper.core.schema import Schema
from temper.core.watch import Alarm
from temper.monitoring.faults import FEWEST, apart
from temper.monitoring.reference import Window

Array = np.ndarray[Any, Any]
_FAR = 0.3


def where(alarms: Iterable[Alarm], window: Window, schema: Schema) -> list[str]:
    """The category in whose rows alone the column that moved most has moved; nothing where it is not one alone.

    Far means .3 of Kolmogorov and Smirnov's distance inside and less than a third of that outside, in samples of fifty
    rows or more: what is told here is told of few rows.
    """
    names = [a.column for a in alarms if a.column in schema.names and not schema.categorical[schema.index(a.column)]]
    if not names:
        return []
    at = schema.index(names[0])
    before, now = (one.rows.astype(float) for one in (window.reference.sample, window.sample))
    best, says = _FAR, ""
    for by in np.flatnonzero(schema.categorical).tolist():
        for code, name in enumerate(schema.columns[by].categories):
            inside, outside = (_split(before, now, at, by, code, there) for there in (True, False))
            if inside > best and outside < inside / 3.0:
                best, says = inside, f"{names[0]} moved where {schema.columns[by].name} is {name}, and hardly elsewhere"
    return [says] if says else []


def _split(before: Array, now: Array, at: int, by: int, code: int, inside: bool) -> float:
    """How far a column moved in rows with this code, or in all others; NaN where there are too few."""
    parts = [rows[(rows[:, by] == code) == inside, at] for rows in (before, now)]
    return apart(*parts) if min(map(len, parts)) >= FEWEST else float("nan")
