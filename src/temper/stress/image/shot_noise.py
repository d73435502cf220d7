"""Too few photons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._picture import painted


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotNoise:
    """Poisson noise: each value is a count of photons, fewer at higher severities.

    Severity 1-5: full brightness is 500, 250, 100, 75, 50 photons; 60, 25, 12, 5, 3 for pictures of more than 64
    pixels a side. Misleads where values are not proportional to light, as after a strong tone curve.
    Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions", 2019.

    >>> x = ShotNoise().apply(np.full((1, 1, 32, 32), 0.5), 5, Draws(0, "shot"))
    >>> round(float(x.std()), 1)
    0.1
    """

    small: tuple[float, ...] = (500.0, 250.0, 100.0, 75.0, 50.0)
    large: tuple[float, ...] = (60.0, 25.0, 12.0, 5.0, 3.0)
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the pictures as few photons show them."""

        def paint(unit: Array, rows: Array, photons: float) -> Array:
            counts = (one.poisson(picture * photons) for one, picture in zip(rng.each(rows, 0), unit, strict=True))
            return np.stack(list(counts)).astype(np.float32) / np.float32(photons)

        return painted(x, self.schema, severity, self.small, self.large, paint)


PLUGIN = ShotNoise
