"""A picture through frosted glass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._blur import softened
from temper.stress.image._picture import drawn, painted


@dataclass(frozen=True, slots=True, kw_only=True)
class GlassBlur:
    """Pixels take the place of their neighbours, between two small blurs.

    Severity 1-5 (Gaussian in pixels, farthest neighbour, rounds): (0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1,
    2), (0.4, 1, 2); (0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2) for pictures of more than 64 pixels
    a side. As in the authors' code a pixel is overwritten by its neighbour, which keeps its own value. Misleads near
    the border, which the moves leave alone.
    Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions", 2019.

    >>> GlassBlur().apply(np.eye(9)[None, None], 5, Draws(0, "glass")).shape
    (1, 1, 9, 9)
    """

    small: tuple[tuple[float, int, int], ...] = ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))
    large: tuple[tuple[float, int, int], ...] = ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2))
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the pictures behind glass."""

        def paint(unit: Array, rows: Array, setting: tuple[float, int, int]) -> Array:
            sigma, reach, rounds = setting
            seen = softened(unit, sigma).transpose(0, 2, 3, 1)
            pixels = (np.floor(seen * 255) / 255).reshape(-1, unit.shape[1])
            for turn in range(rounds):
                pixels = np.take(pixels, _sources(rng, rows, turn, unit.shape[2:], reach), axis=0)
            return softened(np.ascontiguousarray(pixels.reshape(seen.shape).transpose(0, 3, 1, 2)), sigma)

        return painted(x, self.schema, severity, self.small, self.large, paint)


def _sources(rng: Draws, rows: Array, turn: int, size: tuple[int, ...], reach: int) -> Array:
    """Where each pixel (n * h * w) comes from, among those of all pictures, after those of each have been overwritten
    one by one, the last one first.

    A neighbour that was overwritten earlier hands on what it holds by then, so the chains are followed to their ends.
    """
    high, wide = size
    here = np.arange(high * wide, dtype=np.int32)
    row, column = here // wide, here % wide
    moved = (row > reach) & (row <= high - reach) & (column > reach) & (column <= wide - reach)
    step = drawn(rng, rows, turn, (2, high * wide), lambda numbers, shape: numbers.integers(-reach, reach, shape))
    step = step.astype(np.int32) * moved
    at = np.clip(row + step[:, 0], 0, high - 1) * wide + np.clip(column + step[:, 1], 0, wide - 1)
    earlier = ((at > here) & moved[at]).ravel()
    at += np.arange(len(rows), dtype=np.int32)[:, None] * (high * wide)
    ends, open_ = at.ravel(), np.flatnonzero(earlier)
    while len(open_):
        onward = ends[open_]
        ends[open_], further = ends[onward], earlier[onward]
        earlier[open_] = further
        open_ = open_[further]
    return ends


PLUGIN = GlassBlur
