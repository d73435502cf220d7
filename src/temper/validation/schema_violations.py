"""Rows that are not what the schema says rows are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Measurement, Status
from temper.core.schema import Schema
from temper.kernels.rate import measure_rate
from temper.validation._measured import missing, not_applicable

NAME = "schema_violations"
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaViolations:
    """The share of rows that break the schema: outside a range, no whole number, an unknown code, a gap where none is
    allowed, a one-hot group without one yes, a relation that does not hold; of held-out rows, and of training rows
    (slice "training").

    Misleads where the schema was guessed from these very rows: ranges as seen are never left.
    Source: Schelter et al., "Automating large-scale data quality verification", 2018.

    >>> SchemaViolations()
    SchemaViolations()
    """

    whole_train: ClassVar[bool] = True

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`rows` of each table, with the three ways in which most rows break the schema."""
        if not scene.schema.columns or np.ndim(scene.x) != 2:
            return not_applicable(NAME, "a schema of columns is for tables")
        if not len(scene.x):
            return (missing(NAME, "rows", Status.INCONCLUSIVE, "there are no held-out rows", better=Better.LOWER),)
        tables = [("all", scene.x)]
        if scene.train is not None and len(scene.train):
            tables.append(("training", scene.train.x))
        return tuple(_rate(where, np.asarray(x, dtype=np.float64), scene.schema) for where, x in tables)


def _rate(where: str, x: Any, schema: Schema) -> Measurement:
    bad, ways = np.zeros(len(x), dtype=bool), []
    for words, mask in _broken(x, schema):
        if mask.any():
            ways.append((int(mask.sum()), words))
            bad |= mask
    ways.sort(key=lambda way: -way[0])
    told = tuple(f"{words}: {count:,} rows" for count, words in ways[:_SHOWN])
    more = (f"and {len(ways) - _SHOWN} more ways",) if len(ways) > _SHOWN else ()
    return measure_rate(
        NAME, "rows", int(bad.sum()), len(x), better=Better.LOWER, slice=where, caveats=(*told, *more)
    )  # fmt: skip


def _broken(x: Any, schema: Schema) -> Iterator[tuple[str, Any]]:
    """In words, and where, every rule of the schema."""
    for at, column in enumerate(schema.columns):
        value = x[:, at]
        gap = np.isnan(value)
        yield f"{column.name} is missing", gap & (not column.missing)
        yield f"{column.name} is below {schema.lows[at]:g}", value < schema.lows[at]
        yield f"{column.name} is above {schema.highs[at]:g}", value > schema.highs[at]
        yield f"{column.name} is no whole number", ~gap & column.discrete & (value != np.round(value))
    for group in schema.groups:
        name = schema.columns[group[0]].group
        yield f"not exactly one of {name}", (x[:, group] == 1).sum(axis=1) != 1
    yield from schema.unmet(x).items()


PLUGIN = SchemaViolations
