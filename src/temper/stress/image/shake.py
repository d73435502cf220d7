"""A camera that is shaken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._blur import smeared
from temper.stress.image._picture import painted


@dataclass(frozen=True, slots=True, kw_only=True)
class Shake:
    """A picture smeared evenly along a straight line of any direction, as by a bump in the road.

    Severity 1-5: 6, 10, 15, 21, 28 % of the side, at least 2 pixels. Misleads where the exposure is short:
    `image.motion_blur` has the published, fading kind.
    Source: Levin et al., "Understanding and evaluating blind deconvolution algorithms", 2009 (camera shake);
    severities are Temper's own.

    >>> import numpy as np
    >>> bool(Shake().apply(np.eye(33)[None, None], 5, Draws(0, "shake")).max() < 1.0)
    True
    """

    levels: tuple[float, ...] = (0.06, 0.1, 0.15, 0.21, 0.28)
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A smeared copy of the pictures."""

        def paint(unit: Array, rows: Array, share: float) -> Array:
            steps = max(2, round(share * min(unit.shape[2:])))
            return smeared(unit, np.full(steps, 1 / steps), rng.uniform(rows, 0, (), 0.0, 360.0))

        return painted(x, self.schema, severity, self.levels, self.levels, paint)


PLUGIN = Shake
