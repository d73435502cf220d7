"""Too little contrast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._picture import painted


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Every colour of a picture drawn towards its mean.

    Severity 1-5: 75, 50, 40, 30, 15 % of the contrast is left; 40, 30, 20, 10, 5 % for pictures of more than 64 pixels
    a side. Misleads where a camera sets its exposure itself.
    Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions", 2019.

    >>> Contrast().apply(np.array([[[[0.0, 1.0]]]]), 5, Draws(0, "contrast")).round(3).tolist()
    [[[[0.425, 0.575]]]]
    """

    small: tuple[float, ...] = (0.75, 0.5, 0.4, 0.3, 0.15)
    large: tuple[float, ...] = (0.4, 0.3, 0.2, 0.1, 0.05)
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A flatter copy of the pictures; nothing about it is random."""

        def paint(unit: Array, rows: Array, left: float) -> Array:
            mean = unit.mean(axis=(2, 3), keepdims=True)
            return (unit - mean) * np.float32(left) + mean

        return painted(x, self.schema, severity, self.small, self.large, paint)


PLUGIN = Contrast
