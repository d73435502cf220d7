"""The sun in the lens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._picture import painted


@dataclass(frozen=True, slots=True, kw_only=True)
class Glare:
    """A bright spot at a random place that washes out what is behind it.

    Severity 1-5 (brightness, radius as a share of the side): (0.4, 0.2), (0.6, 0.3), (0.8, 0.4), (0.9, 0.5), (1, 0.65).
    Misleads about flares: the rings that a lens adds are not drawn.
    Source: Talvala et al., "Veiling glare in high dynamic range imaging", 2007 (light that spreads in a lens); the
    severities are Temper's own.

    >>> x = Glare().apply(np.zeros((1, 3, 32, 32)), 5, Draws(0, "glare"))
    >>> bool(x.max() > 0.9)
    True
    """

    levels: tuple[tuple[float, float], ...] = ((0.4, 0.2), (0.6, 0.3), (0.8, 0.4), (0.9, 0.5), (1.0, 0.65))
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the pictures against the light."""

        def paint(unit: Array, rows: Array, setting: tuple[float, float]) -> Array:
            strength, radius = setting
            high, wide = unit.shape[2:]
            sun = rng.uniform(rows, 0, (2, 1, 1), 0.15, 0.85)
            row, column = np.mgrid[:high, :wide]
            away = np.hypot(row - sun[:, 0] * (high - 1), column - sun[:, 1] * (wide - 1)) / (radius * min(high, wide))
            light = (strength * np.exp(-(away**2)))[:, None].astype(np.float32)
            return unit + (1 - unit) * light

        return painted(x, self.schema, severity, self.levels, self.levels, paint)


PLUGIN = Glare
