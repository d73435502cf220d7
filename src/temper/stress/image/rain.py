"""Rain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._blur import smeared
from temper.stress.image._picture import drawn, painted


@dataclass(frozen=True, slots=True, kw_only=True)
class Rain:
    """Bright slanting streaks over a picture that is a little darker and greyer.

    Severity 1-5 (share of the pixels where a drop begins, length as a share of the side, contrast left): (0.01, 0.1,
    0.95), (0.02, 0.15, 0.9), (0.03, 0.2, 0.85), (0.05, 0.25, 0.8), (0.08, 0.3, 0.7). Misleads about water on the lens,
    which bends the picture, and about wet roads.
    Source: Temper's own severities; the streaks follow Garg & Nayar, "Vision and rain", 2007.

    >>> x = Rain().apply(np.zeros((1, 1, 32, 32)), 5, Draws(0, "rain"))
    >>> bool(x.max() > 0.1)
    True
    """

    levels: tuple[tuple[float, float, float], ...] = (
        (0.01, 0.1, 0.95),
        (0.02, 0.15, 0.9),
        (0.03, 0.2, 0.85),
        (0.05, 0.25, 0.8),
        (0.08, 0.3, 0.7),
    )
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the pictures in the rain."""

        def paint(unit: Array, rows: Array, setting: tuple[float, float, float]) -> Array:
            share, length, left = setting
            drops = drawn(rng, rows, 0, (1, *unit.shape[2:]), lambda one, shape: one.random(shape) < share)
            steps = max(2, round(length * min(unit.shape[2:])))
            streaks = smeared(drops, np.full(steps, 0.35), rng.uniform(rows, 1, (), -110.0, -70.0))
            dull = (unit - 0.35) * np.float32(left) + 0.35 * np.float32(left)
            return dull + (1 - dull) * np.minimum(streaks, 0.6)

        return painted(x, self.schema, severity, self.levels, self.levels, paint)


PLUGIN = Rain
