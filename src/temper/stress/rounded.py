"""Numbers with fewer digits than before."""

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
class Rounded:
    """Numbers are rounded to a few significant digits, as an export or a privacy rule does.

    Severity 1-5: 10, 20, 40, 60, 80 % of the values of each quantity, to 3, 2, 2, 1, 1 digits.
    Misleads for a model with thresholds on round numbers: rounding moves values exactly onto them.
    Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions", 2019 (severities).

    >>> rounded = Rounded(shares=(1, 1, 1, 1, 1))
    >>> rounded.apply(np.array([[123.4, -0.0567, 0.0]]), 2, Draws(0, "rounded"))
    array([[ 1.2e+02, -5.7e-02,  0.0e+00]])
    """

    shares: tuple[float, ...] = (0.1, 0.2, 0.4, 0.6, 0.8)
    digits: tuple[int, ...] = (3, 2, 2, 1, 1)
    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d) with rounded quantities."""
        out, digits = table(x), int(level(self.digits, severity))
        for feature, rows in strikes(
            rng, len(out), numbers(self.schema, out, self.columns), level(self.shares, severity)
        ):
            out[rows, feature.at[0]] = _round(out[rows, feature.at[0]], digits)
        return follow(self.schema, out, x)


def _round(values: np.ndarray[Any, Any], digits: int) -> np.ndarray[Any, Any]:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        shift = tens(digits - 1 - decades(np.abs(values)))
        near = np.round(values * shift) / shift
    return np.where(np.isfinite(near), near, values)


PLUGIN = Rounded
