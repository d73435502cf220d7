"""Pictures sampled anew: shrunk, stretched, bent."""

from __future__ import annotations

import math

import numpy as np

from temper.core.data import Array


def boxes(length: int, fewer: int) -> Array:
    """The matrix (fewer, length) that averages a line of pixels into fewer ones; each takes whole pixels."""
    scale = length / fewer
    out = np.zeros((fewer, length), dtype=np.float32)
    for at in range(fewer):
        centre, support = (at + 0.5) * scale, max(0.5 * scale, 0.5)
        out[at, int(centre - support + 0.5) : min(int(centre + support + 0.5), length)] = 1.0
    return out / out.sum(axis=1, keepdims=True)


def copies(fewer: int, length: int) -> Array:
    """The matrix (length, fewer) that repeats the nearest pixel of a shorter line."""
    nearest = ((np.arange(length) + 0.5) * fewer / length).astype(np.int64)
    return np.eye(fewer, dtype=np.float32)[nearest]


def zoomed(length: int, factor: float) -> Array:
    """The matrix (length, length) that stretches the middle of a line by this factor, linearly between pixels."""
    kept = math.ceil(length / factor)
    count = max(round(kept * factor), 1)
    start, trim = (length - kept) // 2, max((count - length) // 2, 0)
    place = (np.arange(length) + trim) * ((kept - 1) / max(count - 1, 1))
    place = np.minimum(place, kept - 1)
    left = np.minimum(place.astype(np.int64), max(kept - 2, 0))
    out = np.zeros((length, length), dtype=np.float32)
    line = np.arange(length)
    out[line, start + left] += (1 - (place - left)).astype(np.float32)
    out[line, np.minimum(start + left + 1, length - 1)] += (place - left).astype(np.float32)
    return out


def pressed(unit: Array, down: Array, across: Array) -> Array:
    """Each channel multiplied by one matrix from the left and by the other, transposed, from the right."""
    return down @ unit @ across.T


def sampled(unit: Array, row: Array, column: Array) -> Array:
    """Each picture read at places (n, h, w) between its pixels, linearly; beyond the border it is mirrored."""
    n, channels, high, wide = unit.shape
    top, left = np.floor(row).astype(np.int64), np.floor(column).astype(np.int64)
    down, right = (row - top).astype(np.float32)[:, None], (column - left).astype(np.float32)[:, None]
    flat = unit.reshape(n, channels, -1)

    def at(i: Array, j: Array) -> Array:
        line = _back(i, high) * wide + _back(j, wide)
        return np.take_along_axis(flat, line.reshape(n, 1, -1), axis=2).reshape(unit.shape)

    upper = at(top, left) * (1 - right) + at(top, left + 1) * right
    lower = at(top + 1, left) * (1 - right) + at(top + 1, left + 1) * right
    return np.asarray(upper * (1 - down) + lower * down)


def _back(at: Array, length: int) -> Array:
    """Places beyond the border, mirrored into it: ... 1 0 | 0 1 2 | 2 1 ..."""
    round_trip = at % (2 * length)
    return np.minimum(round_trip, 2 * length - 1 - round_trip)


def seen_from(moves: Array, size: tuple[int, int]) -> tuple[Array, Array]:
    """Places (n, h, w) each pixel comes from when the corners come from places moved by `moves` (n, 4, 2) pixels.

    Corners: upper left, upper right, lower left, lower right; straight lines stay straight.
    """
    high, wide = size
    last, end = max(high - 1, 1), max(wide - 1, 1)
    corner = np.array([(0, 0), (0, end), (last, 0), (last, end)], dtype=np.float64)
    there = corner + moves
    n = len(moves)
    rows = np.zeros((n, 8, 8))
    point = np.concatenate([corner, np.ones((4, 1))], axis=1)
    rows[:, :4, :3] = rows[:, 4:, 3:6] = point
    rows[:, :4, 6:] = -corner * there[..., :1]
    rows[:, 4:, 6:] = -corner * there[..., 1:]
    found = np.linalg.solve(rows, np.concatenate([there[..., 0], there[..., 1]], axis=1)[..., None])[..., 0]
    row, column = np.mgrid[:high, :wide].astype(np.float64)
    a, b, c, d, e, f, g, h = found.T[:, :, None, None]
    depth = g * row + h * column + 1
    return (a * row + b * column + c) / depth, (d * row + e * column + f) / depth
