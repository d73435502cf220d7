"""A picture enlarged from too few pixels."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._picture import painted
from temper.stress.image._resample import boxes, copies, pressed


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixelate:
    """A picture averaged into fewer pixels and enlarged again.

    Severity 1-5: 95, 90, 85, 75, 65 % of the side; 60, 50, 40, 30, 25 % for pictures of more than 64 pixels a side.
    Misleads where pictures are enlarged smoothly.
    Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions", 2019.

    >>> import numpy as np
    >>> len(set(Pixelate(small=(0.5,) * 5).apply(np.arange(4.0).reshape(1, 1, 1, 4) / 4, 5, Draws(0, "pixel")).ravel()))
    2
    """

    small: tuple[float, ...] = (0.95, 0.9, 0.85, 0.75, 0.65)
    large: tuple[float, ...] = (0.6, 0.5, 0.4, 0.3, 0.25)
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A coarser copy of the pictures; nothing about it is random."""

        def paint(unit: Array, rows: Array, share: float) -> Array:
            fewer = [max(int(side * share), 1) for side in unit.shape[2:]]
            sides = list(zip(fewer, unit.shape[2:], strict=True))
            coarse = pressed(unit, *(boxes(side, few) for few, side in sides))
            return pressed(coarse, *(copies(few, side) for few, side in sides))

        return painted(x, self.schema, severity, self.small, self.large, paint)


PLUGIN = Pixelate
