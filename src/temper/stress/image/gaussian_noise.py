"""Electronic noise of a sensor in poor light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._picture import drawn, painted


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianNoise:
    """Gaussian noise on every value of a picture.

    Severity 1-5: a standard deviation of 4, 6, 8, 9, 10 % of the range; 8, 12, 18, 26, 38 % for pictures of more than
    64 pixels a side. Misleads where a camera removes noise before the model sees the picture.
    Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions", 2019.

    >>> x = GaussianNoise().apply(np.full((1, 1, 32, 32), 0.5), 5, Draws(0, "noise"))
    >>> round(float(x.std()), 1)
    0.1
    """

    small: tuple[float, ...] = (0.04, 0.06, 0.08, 0.09, 0.10)
    large: tuple[float, ...] = (0.08, 0.12, 0.18, 0.26, 0.38)
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A noisy copy of the pictures."""

        def paint(unit: Array, rows: Array, size: float) -> Array:
            noise = drawn(rng, rows, 0, unit.shape[1:], _bell)
            noise *= np.float32(size)
            noise += unit
            return noise

        return painted(x, self.schema, severity, self.small, self.large, paint)


def _bell(numbers: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return numbers.standard_normal(shape, dtype=np.float32)


PLUGIN = GaussianNoise
