"""Clouds: heights by the diamond-square method, many maps at once."""

from __future__ import annotations

import numpy as np

from temper.core.data import Array
from temper.core.seed import Draws
from temper.stress.image._picture import drawn


def plasma(rng: Draws, rows: Array, step: int, size: tuple[int, int], decay: float) -> Array:
    """One map (1, h, w) in [0, 1] per row: the larger `decay`, the smoother.

    Source: Fournier, Fussell & Carpenter, "Computer rendering of stochastic models", 1982.
    """
    side = 1 << (max(*size, 2) - 1).bit_length()
    noise = drawn(rng, rows, step, (side, side), lambda numbers, shape: numbers.uniform(-1.0, 1.0, shape))
    heights = np.zeros((len(rows), side, side), dtype=np.float32)
    stride, swing = side, 1.0
    while stride >= 2:
        _squares(heights, noise, stride, swing)
        _diamonds(heights, noise, stride, swing)
        stride //= 2
        swing /= decay**2
    heights -= heights.min(axis=(1, 2), keepdims=True)
    heights /= np.maximum(heights.max(axis=(1, 2), keepdims=True), 1e-9)
    return heights[:, None, : size[0], : size[1]]


def _squares(heights: Array, noise: Array, stride: int, swing: float) -> None:
    """The middle of every square is the mean of its corners and some chance; the map is a torus."""
    corner = heights[:, ::stride, ::stride]
    pair = corner + np.roll(corner, -1, axis=1)
    middle = (slice(None), slice(stride // 2, None, stride), slice(stride // 2, None, stride))
    heights[middle] = (pair + np.roll(pair, -1, axis=2)) / 4 + swing * noise[middle]


def _diamonds(heights: Array, noise: Array, stride: int, swing: float) -> None:
    """The middle of every edge is the mean of the two corners and the two square middles round it."""
    half = stride // 2
    corner, middle = heights[:, ::stride, ::stride], heights[:, half::stride, half::stride]
    across = (slice(None), slice(None, None, stride), slice(half, None, stride))
    down = (slice(None), slice(half, None, stride), slice(None, None, stride))
    beside = corner + np.roll(corner, -1, axis=2) + middle + np.roll(middle, 1, axis=1)
    below = corner + np.roll(corner, -1, axis=1) + middle + np.roll(middle, 1, axis=2)
    heights[across] = beside / 4 + swing * noise[across]
    heights[down] = below / 4 + swing * noise[down]
