"""Something in front of the sign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._picture import painted


@dataclass(frozen=True, slots=True, kw_only=True)
class Occlusion:
    """A leaf, a branch or a pole hides a part of every picture: an ellipse of one dull colour at a random place.

    Severity 1-5: 5, 10, 16, 24, 33 % of the area, a part of which may lie outside the picture. Misleads where the
    hidden part does not matter, which chance decides: read the rate over many pictures.
    Source: DeVries & Taylor, "Improved regularization of convolutional neural networks with cutout", 2017 (hiding a
    part); shape and severities are Temper's own.

    >>> x = Occlusion().apply(np.ones((1, 3, 32, 32)), 3, Draws(0, "leaf"))
    >>> bool(0.05 < (x != 1).mean() < 0.25)
    True
    """

    levels: tuple[float, ...] = (0.05, 0.1, 0.16, 0.24, 0.33)
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the pictures, each partly hidden."""

        def paint(unit: Array, rows: Array, area: float) -> Array:
            high, wide = unit.shape[2:]
            place, turn, slim, shade = np.moveaxis(rng.uniform(rows, 0, (5, 1, 1)), 1, 0)[[0, 2, 3, 4]]
            across = rng.uniform(rows, 1, (1, 1))
            row, column = np.mgrid[:high, :wide]
            down, right = row - (0.1 + 0.8 * place) * high, column - (0.1 + 0.8 * across) * wide
            cos, sin, stretch = np.cos(np.pi * turn), np.sin(np.pi * turn), 0.4 + 0.6 * slim
            radius = np.sqrt(area * high * wide / np.pi)
            long, short = (cos * down + sin * right) * stretch, (cos * right - sin * down) / stretch
            hidden = (long**2 + short**2 <= radius**2)[:, None]
            return np.where(hidden, (0.15 + 0.4 * shade)[:, None], unit).astype(np.float32)

        return painted(x, self.schema, severity, self.levels, self.levels, paint)


PLUGIN = Occlusion
