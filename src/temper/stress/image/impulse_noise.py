"""Bit errors and dead pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._picture import drawn, painted


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpulseNoise:
    """Single values of a picture become full or none ("salt and pepper").

    Severity 1-5: 1, 2, 3, 5, 7 % of the values; 3, 6, 9, 17, 27 % for pictures of more than 64 pixels a side.
    Misleads where dead pixels stand still: here they are elsewhere in each picture.
    Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions", 2019.

    >>> x = ImpulseNoise().apply(np.full((1, 1, 100, 100), 0.5), 5, Draws(0, "impulse"))
    >>> round(float((x != 0.5).mean()), 2)
    0.27
    """

    small: tuple[float, ...] = (0.01, 0.02, 0.03, 0.05, 0.07)
    large: tuple[float, ...] = (0.03, 0.06, 0.09, 0.17, 0.27)
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the pictures with values lost to the ends of the range."""

        def paint(unit: Array, rows: Array, share: float) -> Array:
            chance = drawn(rng, rows, 0, unit.shape[1:], lambda numbers, shape: numbers.random(shape, dtype=np.float32))
            salted = np.where(chance < share / 2, np.float32(1.0), unit)
            return np.where(chance >= 1 - share / 2, np.float32(0.0), salted)

        return painted(x, self.schema, severity, self.small, self.large, paint)


PLUGIN = ImpulseNoise
