"""Ice on the lens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._picture import painted, tinted
from temper.stress.image._plasma import plasma


@dataclass(frozen=True, slots=True, kw_only=True)
class Frost:
    """A picture behind crystals of ice.

    Severity 1-5 (share of the picture, share of the ice): (1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45);
    (1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75) for pictures of more than 64 pixels a side. Misleads
    where figures are compared with published ones: those lay photographs of frost over the picture, here the ice is
    drawn, as bright ridges of a plasma map.
    Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions", 2019.

    >>> x = Frost().apply(np.full((1, 3, 32, 32), 0.2), 5, Draws(0, "frost"))
    >>> bool(x.mean() > 0.3)
    True
    """

    small: tuple[tuple[float, float], ...] = ((1.0, 0.2), (1.0, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))
    large: tuple[tuple[float, float], ...] = ((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the pictures behind ice."""

        def paint(unit: Array, rows: Array, shares: tuple[float, float]) -> Array:
            kept, iced = (np.float32(share) for share in shares)
            ridge = 1 - np.abs(2 * plasma(rng, rows, 0, unit.shape[2:], 1.5) - 1)
            grain = plasma(rng, rows, 1, unit.shape[2:], 1.1)
            ice = (0.9 * ridge**2 + 0.45 * grain).astype(np.float32)
            return kept * unit + iced * tinted(ice, (0.85, 0.94, 1.0), unit.shape[1])

        return painted(x, self.schema, severity, self.small, self.large, paint)


PLUGIN = Frost
