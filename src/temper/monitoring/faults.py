"""What a broken pipeline leaves in a window: found in the sample of its rows, beside that of the reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from temper.core.expression import Relation, parse_relation
from temper.core.schema import TOLERANCE, Column, Schema
from temper.monitoring.reference import Window

Array = np.ndarray[Any, Any]
FEWEST = 50
"""Rows of the sample with a value; with fewer of them nothing is said of a column."""
_FACTORS = (10.0, 100.0, 1_000.0, 0.1, 0.01, 0.001)
_PART, _MUCH, _ALL, _FEW = 0.05, 0.3, 0.95, 2.0 / 3.0  # of the rows
_NEAR, _FAR = 0.15, 0.3  # distances of the distribution functions of two samples, and rank correlations
_ROUNDED = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault in a column, in words; `settable` where an attacker could have done the same to rows of his own."""

    column: str
    says: str
    settable: bool = False


def faults(window: Window, schema: Schema) -> list[Fault]:
    """All of them. Values are held against the reference's, so what was always so is no fault."""
    width = len(schema.columns)
    before, now = (one.rows[:, :width].astype(float) for one in (window.reference.sample, window.sample))
    found = [rule(schema.columns[at], before[:, at], now[:, at]) for rule in (_spike, _factor) for at in range(width)]
    moved = np.array([apart(before[:, at], now[:, at]) for at in range(width)])
    pairs = (*_swapped(schema, before, now, moved), *_unrelated(schema, before, now, moved))
    return [*(one for one in found if one), *_laws(schema, before, now), *pairs]


def _spike(column: Column, before: Array, now: Array) -> Fault | None:
    """One value that many rows have and few had: a sentinel, a default, a feed that stands still."""
    before, now = _there(before), _there(now)
    if min(len(before), len(now)) < FEWEST:
        return None
    distinct, many = np.unique(now, return_counts=True)
    value, share = float(distinct[np.argmax(many)]), float(many.max() / len(now))
    usual = float(np.mean(before == value))
    allowed = column.low <= value <= column.high
    if column.type in ("category", "boolean"):
        stuck = share >= _ALL and usual <= _FEW
    else:
        # Few rows are enough of a value that nobody had and that no attacker may choose. One that customers had before
        # can become common with them, such as the least or the largest there is.
        new = usual == 0.0 and not (column.movable and allowed)
        whole = column.type == "integer" and before.min() <= value <= before.max()
        stuck = share - usual >= (_PART if new and not whole else _MUCH) and usual <= share / 5.0
    if not stuck:
        return None
    says = f"{column.name}: {share:.0%} of its values are {column.show(value)}, where {usual:.1%} were"
    return Fault(column=column.name, says=says, settable=column.movable and allowed and share < _ALL)


def _factor(column: Column, before: Array, now: Array) -> Fault | None:
    """Quantities in another unit: all of them, or a part that no row of the reference has."""
    before, now = _there(before), _there(now)
    if column.type in ("category", "boolean") or min(len(before), len(now)) < FEWEST or len(np.unique(before)) < 5:
        return None
    wild = now[(now > before.max()) | (now < before.min())]
    part, moved = len(wild) / len(now), apart(before, now)
    for factor in _FACTORS:
        size = f"{factor:,.0f} times too large" if factor > 1 else f"{1 / factor:,.0f} times too small"
        if moved >= _FAR and apart(before, now / factor) <= min(_NEAR, moved / 3.0):
            return Fault(column=column.name, says=f"{column.name}: its values are {size}")
        if part >= _PART and apart(before, wild / factor) <= _FAR:
            return Fault(column=column.name, says=f"{column.name}: {part:.0%} of its values are {size}")
    return None


def _laws(schema: Schema, before: Array, now: Array) -> Iterator[Fault]:
    """Formulas and relations that rows keep no longer; whatever an attacker sends keeps them."""
    derived = [(one.name, f"{_quoted(one.name)} = {one.formula}") for one in schema.columns if one.formula]
    for column, text in (*derived, *(("", text) for text in schema.relations)):
        if "was(" in text or len(now) < FEWEST:
            continue
        usual, share = (_broken(parse_relation(text), schema, rows) for rows in (before, now))
        if share - usual >= _PART:
            yield Fault(column=column, says=f"{text} is broken in {share:.0%} of the rows, where it was in {usual:.1%}")


def _broken(relation: Relation, schema: Schema, rows: Array) -> float:
    """The share of rows; one that cannot be computed breaks nothing."""
    values = dict(zip(schema.names, rows.T, strict=True))
    excess = np.broadcast_to(relation.excess(values, values), (len(rows),))
    # Rows of a sample are in single precision.
    size = 1.0 + np.abs(np.broadcast_to(relation.right.value(values, values), (len(rows),)))
    with np.errstate(invalid="ignore"):
        return float(np.mean(excess > _ROUNDED * size)) if len(rows) else 0.0


def _quoted(name: str) -> str:
    return name if name.isidentifier() else f"`{name}`"


def _swapped(schema: Schema, before: Array, now: Array, moved: Array) -> list[Fault]:
    """Two columns that both left their own distribution for the other's."""
    gone = [at for at in np.flatnonzero(moved >= _FAR) if schema.columns[at].type in ("number", "integer")]
    return [
        Fault(column=schema.names[a], says=f"{schema.names[a]} and {schema.names[b]} stand in each other's column")
        for a, b in combinations(gone, 2)
        if apart(before[:, b], now[:, a]) <= _NEAR and apart(before[:, a], now[:, b]) <= _NEAR
    ]


def _unrelated(schema: Schema, before: Array, now: Array, moved: Array) -> list[Fault]:
    """Columns that went together and do so no more, though one is distributed as before: late, or of other rows.

    Where columns beside the two have moved, customers may have changed, and what goes together changes with them.
    """
    gaps = np.isnan(before).any(axis=0) | np.isnan(now).any(axis=0)
    whole = np.flatnonzero(~gaps & ~schema.categorical)
    if min(len(before), len(now)) < 2 * FEWEST or len(whole) < 2:
        return []
    old, new = (_related(rows[:, whole]) for rows in (before, now))
    far = moved > _NEAR
    here = far[whole][:, None].astype(int) + far[whole][None, :]
    alone = (here == far.sum()) & (here < 2)
    lost = np.triu((np.abs(old) >= _FAR) & (np.abs(new) <= np.abs(old) / 3.0) & alone, 1)
    if not lost.any():
        return []
    one, other = (int(at) for at in np.argwhere(lost)[np.argmax(np.abs(old)[lost])])
    a, b = schema.names[whole[one]], schema.names[whole[other]]
    says = f"{a} and {b} belong together no more (rank correlation {new[one, other]:.2f}, it was {old[one, other]:.2f})"
    return [Fault(column=a, says=says)]


def _related(rows: Array) -> Array:
    """Spearman's correlations; nought for a constant column."""
    ranks = np.column_stack([_ranks(column) for column in rows.T])
    ranks -= ranks.mean(axis=0)
    size = np.sqrt((ranks**2).sum(axis=0))
    return np.asarray(ranks.T @ ranks / np.maximum(np.outer(size, size), TOLERANCE))


def _ranks(values: Array) -> Array:
    """From one on, ties sharing the middle of theirs."""
    _, place, many = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(many) - (many - 1) / 2.0)[place])


def _there(values: Array) -> Array:
    return np.asarray(values[~np.isnan(values)])


def apart(one: Array, other: Array) -> float:
    """The largest distance of two samples' distribution functions; NaN without values."""
    one, other = np.sort(_there(one)), np.sort(_there(other))
    if not len(one) or not len(other):
        return float("nan")
    at = np.concatenate([one, other])
    below = (np.searchsorted(side, at, side="right") / len(side) for side in (one, other))
    return float(np.abs(next(below) - next(below)).max())
