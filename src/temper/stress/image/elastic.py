"""A picture on rubber."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._picture import drawn, painted
from temper.stress.image._resample import sampled


@dataclass(frozen=True, slots=True, kw_only=True)
class Elastic:
    """A picture stretched and bent a little, everywhere otherwise.

    Severity 1-5 (bend, its smoothness, corners moved; shares of the side): (0, 0, 0.08), (0.05, 0.2, 0.07), (0.08,
    0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03) as in CIFAR-10-C; for pictures of more than 64 pixels a side a
    bend of 0.0625, 0.08125, 0.10625, 0.125, 0.15 at a smoothness of 0.01, as in the package `imagecorruptions`.
    Misleads as a scale: its severities differ in kind, and for small pictures the first moves the corners most.
    Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions", 2019.

    >>> Elastic().apply(np.eye(9)[None, None], 5, Draws(0, "elastic")).shape
    (1, 1, 9, 9)
    """

    small: tuple[tuple[float, float, float], ...] = (
        (0.0, 0.0, 0.08),
        (0.05, 0.2, 0.07),
        (0.08, 0.06, 0.06),
        (0.1, 0.04, 0.05),
        (0.1, 0.03, 0.03),
    )
    large: tuple[tuple[float, float, float], ...] = (
        (0.0625, 0.01, 0.0),
        (0.08125, 0.01, 0.0),
        (0.10625, 0.01, 0.0),
        (0.125, 0.01, 0.0),
        (0.15, 0.01, 0.0),
    )
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A bent copy of the pictures."""

        def paint(unit: Array, rows: Array, setting: tuple[float, float, float]) -> Array:
            bend, smooth, corners = setting
            high, wide = unit.shape[2:]
            row, column = _tilted(rng, rows, (high, wide), corners * min(high, wide))
            if bend:
                row = row + _waves(rng, rows, 1, (high, wide), bend, smooth)
                column = column + _waves(rng, rows, 2, (high, wide), bend, smooth)
            return sampled(unit, row, column)

        return painted(x, self.schema, severity, self.small, self.large, paint)


def _waves(rng: Draws, rows: Array, step: int, size: tuple[int, int], bend: float, smooth: float) -> Array:
    """Moves (n, h, w) in pixels."""
    from scipy.ndimage import gaussian_filter

    chance = drawn(rng, rows, step, size, lambda numbers, shape: numbers.uniform(-1.0, 1.0, shape))
    sigma = [smooth * side for side in size]
    return bend * min(size) * np.asarray(gaussian_filter(chance, sigma, mode="reflect", truncate=3, axes=(1, 2)))


def _tilted(rng: Draws, rows: Array, size: tuple[int, int], reach: float) -> tuple[Array, Array]:
    """Places (n, h, w) under the affine map that moves three points round the middle by up to `reach` pixels."""
    high, wide = size
    row, column = np.mgrid[:high, :wide].astype(np.float64)
    middle, third = np.array([high // 2, wide // 2]), min(size) // 3
    points = middle + third * np.array([[1, 1], [1, -1], [-1, -1]])
    if not reach or not third:
        return np.broadcast_to(row, (len(rows), *size)), np.broadcast_to(column, (len(rows), *size))
    moved = points + rng.uniform(rows, 0, (3, 2), -reach, reach)
    here = np.concatenate([points, np.ones((3, 1))], axis=1)
    there = np.concatenate([moved, np.ones((len(rows), 3, 1))], axis=2)
    back = np.linalg.solve(there, np.broadcast_to(here[:, :2], moved.shape))
    grid = np.stack([row.ravel(), column.ravel(), np.ones(high * wide)], axis=1)
    found = grid @ back
    return found[..., 0].reshape(-1, high, wide), found[..., 1].reshape(-1, high, wide)


PLUGIN = Elastic
