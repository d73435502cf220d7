"""A camera that moves during the exposure."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._blur import half_bell, smeared
from temper.stress.image._picture import painted


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionBlur:
    """A picture smeared to one side, along a line within 45 degrees of the horizontal, fading with the distance.

    Severity 1-5 (length, fading, in pixels): (6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5); (10, 3), (15, 5), (15, 8),
    (15, 12), (20, 15) for pictures of more than 64 pixels a side. Misleads where the object moves and the background
    does not.
    Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions", 2019.

    >>> import numpy as np
    >>> x = MotionBlur().apply(np.eye(9)[None, None], 5, Draws(0, "motion"))
    >>> x.shape
    (1, 1, 9, 9)
    """

    small: tuple[tuple[int, float], ...] = ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5))
    large: tuple[tuple[int, float], ...] = ((10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0))
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A smeared copy of the pictures."""

        def paint(unit: Array, rows: Array, size: tuple[int, float]) -> Array:
            return smeared(unit, half_bell(*size), rng.uniform(rows, 0, (), -45.0, 45.0))

        return painted(x, self.schema, severity, self.small, self.large, paint)


PLUGIN = MotionBlur
