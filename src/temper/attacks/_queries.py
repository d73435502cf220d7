"""Rows an outsider would make up: each column drawn on its own from a few rows he holds, kept inside the domain."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.schema import Mutability, Schema

Vector = np.ndarray[Any, Any]

_TRIES = 20


def open_schema(schema: Schema) -> Schema:
    """The same domain for somebody who fills in the whole form: every column but the derived ones may be set.

    What an attacker may change of an existing row does not bind one who submits rows of his own; ranges, categories,
    whole numbers, formulas and relations still do.
    """
    free = {
        c.name: {"attacker": Mutability.FREE, "direction": ""}
        for c in schema.columns
        if c.attacker is not Mutability.DERIVED
    }
    return schema.with_columns(free)


def invent(
    schema: Schema, known: Array, n: int, rng: np.random.Generator, wide: float = 0.0, mixed: float = 0.0
) -> Vector:
    """`n` admissible rows (n, d) from the product of the marginals of `known` (k, d).

    Numbers fall between neighbouring known values, categories and one-hot groups are copied from one known row each. A
    share `wide` of every column's values lies anywhere between distinct known ones, or is any category: few known rows
    hold few rare values. A share `mixed` of the rows keeps some columns of one known row, between none and all, and
    with them what hangs together there.
    Raises `Unsupported` when hardly any such row satisfies the relations.
    """
    domain = open_schema(schema)
    known = np.asarray(known, dtype=float)
    kept: list[Vector] = []
    for _ in range(_TRIES):
        short = n - sum(len(part) for part in kept)
        if short <= 0:
            break
        base = known[rng.integers(len(known), size=max(2 * short, 16))]
        drawn = _widened(domain, _product(domain, known, len(base), rng), known, wide, rng)
        made = domain.project(_mixed(domain, drawn, base, mixed, rng), base)
        kept.append(made[domain.admits(made, base) & _inside(domain, made)][:short])
    rows = np.concatenate(kept)
    if len(rows) < n:
        raise Unsupported(
            f"only {len(rows)} of {n} made-up rows satisfy the schema's relations",
            fix="check the relations, or write those that always hold as derived columns",
        )
    return rows


def _product(schema: Schema, known: Vector, n: int, rng: np.random.Generator) -> Vector:
    """Independent columns; a one-hot group counts as one column."""
    columns = [_column(known[:, at], n, rng, discrete=c.discrete) for at, c in enumerate(schema.columns)]
    made = np.stack(columns, axis=1)
    for group in schema.groups:
        made[:, group] = known[rng.integers(len(known), size=n)][:, group]
    return made


def _mixed(schema: Schema, made: Vector, base: Vector, mixed: float, rng: np.random.Generator) -> Vector:
    """The rows with some of their columns, from none to all, taken from one known row; a one-hot group goes whole."""
    if mixed == 0.0:
        return made
    kept = rng.random(made.shape) < rng.random((len(made), 1)) * (rng.random((len(made), 1)) < mixed)
    for group in schema.groups:
        kept[:, group] = kept[:, list(group)[:1]]
    return np.where(kept, base, made)


def _widened(schema: Schema, made: Vector, known: Vector, wide: float, rng: np.random.Generator) -> Vector:
    """The rows with a share of each column's values drawn evenly from its categories, or from its gaps."""
    grouped = {int(at) for group in schema.groups for at in group}
    for at, column in enumerate(schema.columns):
        if wide == 0.0 or at in grouped:
            continue
        chosen = np.flatnonzero(rng.random(len(made)) < wide)
        if column.categories:
            made[chosen, at] = rng.integers(0, len(column.categories), len(chosen))
        elif column.type in ("number", "integer"):
            drawn = _between(known[:, at], (column.low, column.high), len(chosen), rng)
            made[chosen, at] = drawn.round() if column.discrete else drawn
    return made


def _between(values: Vector, ends: tuple[float, float], n: int, rng: np.random.Generator) -> Vector:
    """Values in the gaps between distinct known ones and the ends of the range, every gap as often as another.

    A model has its steps where natural values lie: a column that is mostly nought, with a long tail, has nearly all
    of its range where it has none.
    """
    marks = np.unique(np.concatenate([values, ends]))
    marks = marks[np.isfinite(marks)]
    if not len(marks):
        return np.full(n, np.nan)
    return np.asarray(np.interp(rng.uniform(0.0, len(marks) - 1.0, n), np.arange(len(marks)), marks))


def _column(values: Vector, n: int, rng: np.random.Generator, *, discrete: bool) -> Vector:
    drawn = rng.integers(len(values), size=n)
    if discrete or np.isnan(values).all():
        return values[drawn]
    # Between neighbours: piecewise-linear inverse of the empirical distribution; missing stays as frequent as it is.
    ordered = np.sort(values[~np.isnan(values)])
    smooth = np.interp(rng.random(n) * (len(ordered) - 1), np.arange(len(ordered)), ordered)
    return np.where(np.isnan(values[drawn]), np.nan, smooth)


def _inside(schema: Schema, rows: Vector) -> Vector:
    """Inside the declared ranges: `admits` lets a made-up row be as far out as the known row it started from."""
    settable = np.array([c.attacker is not Mutability.DERIVED for c in schema.columns])
    outside = (rows < schema.lows) | (rows > schema.highs)
    return np.asarray(~(outside & settable).any(axis=1))
