"""Too much light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._picture import painted


@dataclass(frozen=True, slots=True, kw_only=True)
class Brightness:
    """A brighter picture: the same hue and saturation, more value.

    Severity 1-5: 5, 10, 15, 20, 30 % of the range; 10, 20, 30, 40, 50 % for pictures of more than 64 pixels a side.
    Misleads about darkness, which is another corruption.
    Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions", 2019.

    >>> Brightness().apply(np.full((1, 1, 1, 1), 0.5), 5, Draws(0, "bright")).round(2).item()
    0.8
    """

    small: tuple[float, ...] = (0.05, 0.1, 0.15, 0.2, 0.3)
    large: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A brighter copy of the pictures; nothing about it is random."""

        def paint(unit: Array, rows: Array, more: float) -> Array:
            value = unit.max(axis=1, keepdims=True)
            brighter = np.minimum(value + np.float32(more), 1.0)
            return np.where(value > 0, unit * (brighter / np.maximum(value, 1e-9)), brighter)

        return painted(x, self.schema, severity, self.small, self.large, paint)


PLUGIN = Brightness
