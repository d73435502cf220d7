"""Fog."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._picture import painted
from temper.stress.image._plasma import plasma


@dataclass(frozen=True, slots=True, kw_only=True)
class Fog:
    """A picture behind a cloud of uneven thickness; the brightest point keeps its brightness.

    Severity 1-5 (thickness, smoothness): (0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75); (1.5, 2), (2, 2), (2.5,
    1.7), (2.5, 1.5), (3, 1.4) for pictures of more than 64 pixels a side. Misleads where depth counts: real fog hides
    what is far more than what is near.
    Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions", 2019.

    >>> x = Fog().apply(np.eye(32)[None, None], 5, Draws(0, "fog"))
    >>> bool(x.std() < 0.2)
    True
    """

    small: tuple[tuple[float, float], ...] = ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75))
    large: tuple[tuple[float, float], ...] = ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the pictures in fog."""

        def paint(unit: Array, rows: Array, cloud: tuple[float, float]) -> Array:
            thick, decay = np.float32(cloud[0]), cloud[1]
            brightest = unit.max(axis=(1, 2, 3), keepdims=True)
            seen = unit + thick * plasma(rng, rows, 0, unit.shape[2:], decay)
            return seen * brightest / (brightest + thick)

        return painted(x, self.schema, severity, self.small, self.large, paint)


PLUGIN = Fog
