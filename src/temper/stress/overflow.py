"""Numbers in a type that is too small for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.errors import TemperError
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import level, numbers, table
from temper.stress._strike import follow, strikes

_WHOLE = {"int32": 2.0**32, "int16": 2.0**16, "int8": 2.0**8}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overflow:
    """Numbers pass through a type that is too small: integers wrap around (200 in int8 is -56), float16 loses digits.

    Severity 1-5: 5, 10, 20, 40, 80 % of the values of each quantity, through float16, int32, int16, int8, int8. Integer
    types cut decimals. What is too large for float16 becomes missing, as infinity does in JSON.
    Misleads where a database refuses such values: then nothing wraps, and rows are lost instead.
    Source: Breck et al., "Data validation for machine learning", 2019 (errors of serving code).

    >>> wrapped = Overflow(shares=(1, 1, 1, 1, 1))
    >>> wrapped.apply(np.array([[200.0, 1.5, -3.0]]), 5, Draws(0, "overflow"))
    array([[-56.,   1.,  -3.]])
    """

    shares: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4, 0.8)
    types: tuple[str, ...] = ("float16", "int32", "int16", "int8", "int8")
    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def __post_init__(self) -> None:
        for name in self.types:
            if name != "float16" and name not in _WHOLE:
                raise TemperError(f"type {name!r} is unknown", fix=f"use float16, {', '.join(_WHOLE)}")

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d) whose quantities have passed through a small type."""
        out, name = table(x), level(self.types, severity)
        for feature, rows in strikes(
            rng, len(out), numbers(self.schema, out, self.columns), level(self.shares, severity)
        ):
            out[rows, feature.at[0]] = _pressed(out[rows, feature.at[0]], name)
        return follow(self.schema, out, x)


def _pressed(values: np.ndarray[Any, Any], name: str) -> np.ndarray[Any, Any]:
    if name == "float16":
        with np.errstate(over="ignore"):
            short = values.astype(np.float16).astype(np.float64)
        return np.where(np.isfinite(short) | ~np.isfinite(values), short, np.nan)
    size = _WHOLE[name]
    with np.errstate(invalid="ignore"):
        wrapped: np.ndarray[Any, Any] = np.mod(np.trunc(values) + size / 2, size) - size / 2
    return wrapped


PLUGIN = Overflow
