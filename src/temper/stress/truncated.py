"""Numbers that do not fit their field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import level, numbers, table
from temper.stress._digits import decades, tens
from temper.stress._strike import follow, strikes


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncated:
    """A number is cut to the first characters of its field: 1234.5 in a field of three reads 123.

    Severity 1-5: 5, 10, 20, 40, 80 % of the values of each quantity, in fields of 8, 6, 4, 3, 2 characters. First the
    decimals go, then digits that matter; a minus sign takes one character, a number that is short enough stays.
    Misleads where fields are cut from the left, or refused: then see `overflow` and `missing`.
    Source: Breck et al., "Data validation for machine learning", 2019 (errors of serving code).

    >>> cut = Truncated(shares=(1, 1, 1, 1, 1), widths=(3, 3, 3, 3, 3))
    >>> cut.apply(np.array([[1234.5, 1.29, -87.6, 0.5]]), 1, Draws(0, "truncated"))
    array([[123. ,   1.2, -87. ,   0.5]])
    """

    shares: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4, 0.8)
    widths: tuple[int, ...] = (8, 6, 4, 3, 2)
    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d) with numbers cut off."""
        out, width = table(x), int(level(self.widths, severity))
        for feature, rows in strikes(
            rng, len(out), numbers(self.schema, out, self.columns), level(self.shares, severity)
        ):
            out[rows, feature.at[0]] = _cut(out[rows, feature.at[0]], width)
        return follow(self.schema, out, x)


def _cut(values: np.ndarray[Any, Any], width: int) -> np.ndarray[Any, Any]:
    size = np.abs(values)
    room = width - 1 - (values < 0) - np.maximum(decades(size), 0)  # characters left behind the whole number
    step = tens(np.where(room >= 1, 1 - room, np.maximum(-room, 0)))  # the point takes one of them
    whole = np.floor(size / step + 1e-9)
    short = np.where(room >= 0, whole * step, whole)
    return np.where(np.isfinite(values), np.copysign(short, values), values)


PLUGIN = Truncated
