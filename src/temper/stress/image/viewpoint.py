"""A camera that stands elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._picture import painted
from temper.stress.image._resample import sampled, seen_from


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewpoint:
    """A picture as seen from the side: its four corners are moved, straight lines stay straight.

    Severity 1-5: each corner by up to 4, 8, 12, 17, 23 % of the side. What comes from outside is the mirrored border.
    Misleads about depth: the sign turns and its background turns with it, as one flat picture.
    Source: Hartley & Zisserman, "Multiple view geometry in computer vision", 2004 (homographies); severities are
    Temper's own.

    >>> import numpy as np
    >>> Viewpoint().apply(np.eye(9)[None, None], 5, Draws(0, "view")).shape
    (1, 1, 9, 9)
    """

    levels: tuple[float, ...] = (0.04, 0.08, 0.12, 0.17, 0.23)
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the pictures from elsewhere."""

        def paint(unit: Array, rows: Array, reach: float) -> Array:
            high, wide = unit.shape[2:]
            moves = rng.uniform(rows, 0, (4, 2), -reach, reach)
            row, column = seen_from(moves * np.array([high - 1, wide - 1]), (high, wide))
            return sampled(unit, row, column)

        return painted(x, self.schema, severity, self.levels, self.levels, paint)


PLUGIN = Viewpoint
