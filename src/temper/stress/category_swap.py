"""Valid codes that mean something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import Feature, features, level, only, table
from temper.stress._strike import follow, strikes


@dataclass(frozen=True, slots=True, kw_only=True)
class CategorySwap:
    """Codes are read with the wrong code book: every code of a category becomes another valid one.

    Severity 1-5 hits 1, 5, 10, 25, 50 % of the values of each category, yes/no column and one-hot group; the wrong code
    book is drawn once per seed and column and leaves no code in place. Missing and unlisted codes stay.
    Misleads where codes are nearly synonyms: swapping those costs nothing, and one draw may pick them.
    Source: Schelter, Rukat & Biessmann, "JENGA: a framework to study the impact of data errors", 2021 (swapped values).

    >>> from temper.core.schema import Column
    >>> schema = Schema(columns=(Column(name="colour", type="category", categories=("red", "green")),))
    >>> stressor = CategorySwap(schema=schema, shares=(1, 1, 1, 1, 1))
    >>> stressor.apply(np.array([[0.0], [1.0]]), 1, Draws(0, "category_swap")).ravel()
    array([1., 0.])
    """

    shares: tuple[float, ...] = (0.01, 0.05, 0.1, 0.25, 0.5)
    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d) with confused codes; `Unsupported` where no column has codes."""
        out, share = table(x), level(self.shares, severity)
        found = features(self.schema, out, self.columns)
        coded = only(found, [feature for feature in found if feature.coded], "category column")
        for feature, rows in strikes(rng, len(out), coded, share):
            _swap(out, rows, feature, rng)
        return follow(self.schema, out, x)


def _swap(out: np.ndarray[Any, Any], rows: np.ndarray[Any, Any], feature: Feature, rng: Draws) -> None:
    """Replace the codes of the hit rows in place, by one cycle through all of them (so that none stays)."""
    size = len(feature.at) if feature.hot else max(len(feature.column.categories), 2)
    cycle = rng.child(feature.name).generator().permutation(size)
    book = np.empty(size, dtype=np.int64)
    book[cycle] = np.roll(cycle, 1)
    if feature.hot:
        part = out[np.ix_(rows, feature.where)]
        out[np.ix_(rows, feature.where)] = part[:, book]
        return
    code = out[rows, feature.at[0]]
    valid = (code >= 0) & (code < size) & (code == np.floor(code))
    out[rows[valid], feature.at[0]] = book[code[valid].astype(np.int64)]


PLUGIN = CategorySwap
