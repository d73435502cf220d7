"""Which columns a stressor may touch, as the features a person would name: one column, or one one-hot group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from temper.core.data import Array
from temper.core.errors import TemperError, Unsupported
from temper.core.schema import Column, Schema
from temper.core.seed import Draws

SEVERITIES = (1, 2, 3, 4, 5)
Level = TypeVar("Level")


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """Columns that change together: `at` are their positions, `hot` says that they are one one-hot group.

    `texts` are what stands behind its codes: the names of its categories, or of the columns of its group.
    """

    name: str
    at: tuple[int, ...]
    column: Column
    hot: bool = False
    texts: tuple[str, ...] = ()

    @property
    def where(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The positions as an index."""
        return np.array(self.at, dtype=np.int64)

    @property
    def numeric(self) -> bool:
        """Whether it is a quantity rather than a code."""
        return not self.hot and self.column.type in ("number", "integer")

    @property
    def empty(self) -> float:
        """What stands in its columns where the value is missing."""
        return 0.0 if self.hot else np.nan

    @property
    def coded(self) -> bool:
        """Whether it has at least two codes to be confused."""
        return self.hot or self.column.type == "boolean" or len(self.column.categories) > 1


def table(x: Array) -> np.ndarray[Any, Any]:
    """A floating-point copy of a matrix (n, d), so that a stressor never writes to its input."""
    out = np.array(x)
    if out.ndim != 2:
        raise Unsupported(f"this stressor works on the columns of a table, and the input is shaped {out.shape}")
    return out if np.issubdtype(out.dtype, np.floating) else out.astype(np.float64)


def level(levels: Sequence[Level], severity: int) -> Level:
    """The level of a severity 1..5; anything else is refused."""
    if severity not in SEVERITIES or len(levels) != len(SEVERITIES):
        raise TemperError(
            f"severity {severity!r} with {len(levels)} levels; severities are 1 to 5", fix="give five levels"
        )
    return levels[severity - 1]


def features(schema: Schema | None, x: Array, names: Sequence[str] = ()) -> tuple[Feature, ...]:
    """The features of a matrix (n, d), or those that `names` (columns or one-hot groups) picks.

    Without a schema every column is a number named by its position; its scale is the standard deviation in `x`.
    """
    columns = schema.columns if schema is not None and schema.columns else _unnamed(x)
    if len(columns) != x.shape[1]:
        raise TemperError(f"the schema has {len(columns)} columns and the input has {x.shape[1]}")
    groups = dict.fromkeys(column.group or column.name for column in columns)
    found = []
    for name in groups:
        at = tuple(i for i, column in enumerate(columns) if (column.group or column.name) == name)
        hot, first = bool(columns[at[0]].group), columns[at[0]]
        texts = tuple(columns[i].name for i in at) if hot else first.categories
        found.append(Feature(name=name, at=at, column=first, hot=hot, texts=texts))
    return tuple(_picked(found, columns, names)) if names else tuple(found)


def only(found: Sequence[Feature], keep: Sequence[Feature], what: str) -> tuple[Feature, ...]:
    """The features a stressor applies to; `Unsupported` where there are none."""
    if not keep:
        which = f"{', '.join(feature.name for feature in found)} is not" if len(found) == 1 else "there is no"
        raise Unsupported(f"{which} {what}")
    return tuple(keep)


def numbers(schema: Schema | None, x: Array, names: Sequence[str] = ()) -> tuple[Feature, ...]:
    """The features that are quantities; `Unsupported` where there are none."""
    found = features(schema, x, names)
    return only(found, [feature for feature in found if feature.numeric], "numeric column")


def half(found: tuple[Feature, ...], rng: Draws) -> list[Feature]:
    """Half of the features, drawn once per seed."""
    order = rng.generator().permutation(len(found))
    return [found[at] for at in sorted(order[: math.ceil(len(found) / 2)])]


def faulty(rng: Draws, rows: int, share: float, count: int) -> np.ndarray[Any, Any]:
    """Per row the number of its one faulty feature in [0, count), or -1; nested over rising shares."""
    at = np.arange(rows)
    which = np.asarray(rng.integers(at, 1, count))
    return np.where(np.asarray(rng.uniform(at, 0)) < share, which, -1)


def _picked(found: Sequence[Feature], columns: Sequence[Column], names: Sequence[str]) -> list[Feature]:
    known = {column.name: column.group or column.name for column in columns}
    wanted = {known.get(name, name) for name in names}
    unknown = sorted(wanted - {feature.name for feature in found})
    if unknown:
        raise TemperError(f"no column {unknown[0]!r} to put under stress", fix=f"there are: {', '.join(known)}")
    return [feature for feature in found if feature.name in wanted]


def _unnamed(x: Array) -> tuple[Column, ...]:
    spread = [np.std(column[np.isfinite(column)]) if np.isfinite(column).any() else 1.0 for column in np.asarray(x).T]
    return tuple(Column(name=str(i), scale=float(scale) or 1.0) for i, scale in enumerate(spread))
