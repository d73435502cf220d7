"""Snow in the air."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._blur import half_bell, smeared
from temper.stress.image._picture import drawn, grey, painted
from temper.stress.image._resample import pressed, zoomed


@dataclass(frozen=True, slots=True, kw_only=True)
class Snow:
    """A whitened picture behind flakes that fall in one direction, more and larger ones at higher severities.

    Severity 1-5: mean and spread of the flakes, their size, the least that is seen, length and fading of the fall,
    share of the clear picture: the published ones of CIFAR-10-C, or of ImageNet-C for pictures of more than 64 pixels
    a side. Misleads by its flakes: they are noise stretched, not photographs.
    Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions", 2019.

    >>> x = Snow().apply(np.full((1, 3, 32, 32), 0.2), 5, Draws(0, "snow"))
    >>> bool(x.mean() > 0.3)
    True
    """

    small: tuple[tuple[float, ...], ...] = (
        (0.1, 0.2, 1.0, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1.0, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    )
    large: tuple[tuple[float, ...], ...] = (
        (0.1, 0.3, 3.0, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2.0, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4.0, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    )
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the pictures in the snow."""

        def paint(unit: Array, rows: Array, setting: tuple[float, ...]) -> Array:
            *_, clear = setting
            flakes = _flakes(rng, rows, unit.shape[2:], setting)
            white = np.maximum(unit, grey(unit) * 1.5 + 0.5)
            mixed = np.float32(clear) * unit + np.float32(1 - clear) * white
            return mixed + flakes + flakes[:, :, ::-1, ::-1]

        return painted(x, self.schema, severity, self.small, self.large, paint)


def _flakes(rng: Draws, rows: Array, size: tuple[int, ...], setting: tuple[float, ...]) -> Array:
    mean, spread, factor, least, length, fading, _ = setting
    noise = drawn(rng, rows, 0, (1, *size), lambda numbers, shape: numbers.normal(mean, spread, shape))
    layer = pressed(noise, zoomed(size[0], factor), zoomed(size[1], factor))
    layer = np.clip(np.where(layer < least, 0.0, layer), 0.0, 1.0).astype(np.float32)
    return smeared(layer, half_bell(int(length), fading), rng.uniform(rows, 1, (), -135.0, -45.0))


PLUGIN = Snow
