"""A camera that drives towards what it sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._picture import painted
from temper.stress.image._resample import pressed, zoomed


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoomBlur:
    """The mean of a picture and of itself enlarged in small steps.

    Severity 1-5 (enlargement up to, step): 1.06, 1.11, 1.16, 1.21, 1.26 by 0.01; 1.11 and 1.16 by 0.01, 1.21 and 1.26
    by 0.02, 1.31 by 0.03 for pictures of more than 64 pixels a side. Misleads where the model looks away from the
    middle.
    Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions", 2019.

    >>> x = ZoomBlur().apply(np.eye(33)[None, None], 5, Draws(0, "zoom"))
    >>> bool(x.max() <= 1.0)
    True
    """

    small: tuple[tuple[float, float], ...] = ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01))
    large: tuple[tuple[float, float], ...] = ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03))
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the pictures as seen on the way; nothing about it is random."""

        def paint(unit: Array, rows: Array, zoom: tuple[float, float]) -> Array:
            factors = np.arange(1.0, *zoom)
            seen = sum(pressed(unit, *(zoomed(side, float(factor)) for side in unit.shape[2:])) for factor in factors)
            return (unit + seen) / (len(factors) + 1)

        return painted(x, self.schema, severity, self.small, self.large, paint)


PLUGIN = ZoomBlur
