"""The changed copies of rows that a declared relation speaks of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.errors import ContractError
from temper.core.metamorphic import Metamorphic
from temper.core.schema import Column, Schema
from temper.core.seed import Draws

Rows = np.ndarray[Any, Any]
_STEPS = (0.25, 1.0, 4.0)  # in the column's scale
_OTHERS = 3  # other rows whose values a row is given


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Followed:
    """Copies of all rows, each (n, d); `changed` (copies, n) says which rows differ from what they were."""

    x: tuple[Rows, ...]
    changed: Rows


def follow_up(one: Metamorphic, x: Rows, schema: Schema, rng: Draws) -> Followed:
    """The copies to be asked about for a relation over columns; derived columns follow."""
    if x.ndim != 2 or not schema.columns:
        raise ContractError("a relation over columns needs a table with a schema")
    at = [i for i, column in enumerate(schema.columns) if {column.name, column.group} & set(one.columns)]
    if one.kind in ("rises", "falls"):
        copies = [_raised(x, at[0], schema.columns[at[0]], step) for step in _STEPS]
    elif one.values:
        copies = [_traded(x, at[0], schema.columns[at[0]], one.values)]
    else:
        copies = [_borrowed(x, at, rng, turn) for turn in range(_OTHERS)]
    derived = tuple(schema.derive(copy, x, _set(copy, x)) for copy in copies)
    changed = [_set(copy, x).any(axis=1) for copy in derived]
    return Followed(x=derived, changed=np.array(changed))


def _set(copy: Rows, x: Rows) -> Rows:
    moved: Rows = ~((copy == x) | (np.isnan(copy) & np.isnan(x)))
    return moved


def _raised(x: Rows, at: int, column: Column, step: float) -> Rows:
    """The column one step higher, as far as its range goes; whole numbers by one at least."""
    rise = max(1.0, np.round(step * column.scale)) if column.discrete else step * column.scale
    high = 1.0 if column.type == "boolean" else column.high
    out = x.copy()
    out[:, at] = np.where(x[:, at] > high, x[:, at], np.minimum(x[:, at] + rise, high))
    return out


def _traded(x: Rows, at: int, column: Column, values: tuple[str, ...]) -> Rows:
    """Two categories in each other's place; rows with a third one stay."""
    one, other = (float(column.categories.index(value)) for value in values)
    out = x.copy()
    out[:, at] = np.where(x[:, at] == one, other, np.where(x[:, at] == other, one, x[:, at]))
    return out


def _borrowed(x: Rows, at: list[int], rng: Draws, turn: int) -> Rows:
    """The columns as another row, drawn at random, has them together."""
    out, lender = x.copy(), np.asarray(rng.integers(np.arange(len(x)), turn, max(len(x), 1)))
    out[:, at] = x[lender][:, at]
    return out
