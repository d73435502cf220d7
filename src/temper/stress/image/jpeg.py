"""Lossy compression."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._jpeg import compressed
from temper.stress.image._picture import painted


@dataclass(frozen=True, slots=True, kw_only=True)
class Jpeg:
    """A picture after JPEG at a low quality: brightness and colours in blocks of 8, colours at half the size.

    Severity 1-5: quality 80, 65, 58, 50, 40; 25, 18, 15, 10, 7 for pictures of more than 64 pixels a side. The lossy
    steps are done as the standard has them (its example tables); nothing is written as a file. Misleads where pictures
    are compressed twice, or by a codec with other tables.
    Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions", 2019;
    ITU-T T.81, annex K.

    >>> import numpy as np
    >>> Jpeg().apply(np.full((1, 3, 8, 8), 0.5), 5, Draws(0, "jpeg")).round(2).max().item()
    0.5
    """

    small: tuple[int, ...] = (80, 65, 58, 50, 40)
    large: tuple[int, ...] = (25, 18, 15, 10, 7)
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the pictures as they come out of the codec; nothing about it is random."""

        def paint(unit: Array, rows: Array, quality: int) -> Array:
            return compressed(unit, quality)

        return painted(x, self.schema, severity, self.small, self.large, paint)


PLUGIN = Jpeg
