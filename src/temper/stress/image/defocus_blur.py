"""A lens out of focus."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._blur import disk, filtered
from temper.stress.image._picture import painted


@dataclass(frozen=True, slots=True, kw_only=True)
class DefocusBlur:
    """Every point of a picture becomes a small disk.

    Severity 1-5 (radius in pixels, smoothing of its edge): (0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1);
    (3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5) for pictures of more than 64 pixels a side.
    Misleads where only a part of the scene is out of focus.
    Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions", 2019.

    >>> import numpy as np
    >>> x = DefocusBlur().apply(np.eye(9)[None, None], 5, Draws(0, "defocus"))
    >>> round(float(x.max()), 2)
    0.56
    """

    small: tuple[tuple[float, float], ...] = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))
    large: tuple[tuple[float, float], ...] = ((3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5))
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A blurred copy of the pictures; nothing about it is random."""

        def paint(unit: Array, rows: Array, size: tuple[float, float]) -> Array:
            return filtered(unit, disk(*size))

        return painted(x, self.schema, severity, self.small, self.large, paint)


PLUGIN = DefocusBlur
