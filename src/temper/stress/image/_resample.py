"""Pictures sampled anew: shrunk, stretched, bent."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from temper.core.data import Array


@lru_cache(maxsize=64)
def boxes(length: int, fewer: int) -> Any:
    """The sparse matrix (fewer, length) that averages a line of pixels into fewer ones; each takes whole pixels."""
    scale = length / fewer
    centre, support = (np.arange(fewer) + 0.5) * scale, max(0.5 * scale, 0.5)
    first, last = ((centre + way * support + 0.5).astype(np.int64) for way in (-1, 1))
    many = np.minimum(last, length) - first
    taken = np.concatenate([np.arange(at, at + each) for at, each in zip(first, many, strict=True)])
    return _sparse(np.repeat(1 / many, many), taken, np.concatenate([[0], np.cumsum(many)]), length)


@lru_cache(maxsize=64)
def copies(fewer: int, length: int) -> Any:
    """The sparse matrix (length, fewer) that repeats the nearest pixel of a shorter line."""
    nearest = (np.arange(length) + 0.5) * fewer / length
    return _sparse(np.ones(length), nearest, np.arange(length + 1), fewer)


@lru_cache(maxsize=64)
def between(length: int) -> Any:
    """The sparse matrix (2 * length, length) that doubles a line: three quarters of a pixel, one of its neighbour."""
    line = np.arange(2 * length)
    both = np.stack([line // 2, np.clip(line // 2 + line % 2 * 2 - 1, 0, length - 1)], axis=1)
    return _sparse(np.tile([0.75, 0.25], (2 * length, 1)), both, np.arange(0, 4 * length + 1, 2), length)


@lru_cache(maxsize=64)
def zoomed(length: int, factor: float) -> Any:
    """The sparse matrix (length, length) that stretches the middle of a line so much, linearly between pixels."""
    kept = math.ceil(length / factor)
    count = max(round(kept * factor), 1)
    start, trim = (length - kept) // 2, max((count - length) // 2, 0)
    place = (np.arange(length) + trim) * ((kept - 1) / max(count - 1, 1))
    place = np.minimum(place, kept - 1)
    left = np.minimum(place.astype(np.int64), max(kept - 2, 0))
    both = np.stack([start + left, np.minimum(start + left + 1, length - 1)], axis=1)
    share = place - left
    return _sparse(np.stack([1 - share, share], axis=1), both, np.arange(0, 2 * length + 1, 2), length)


def pressed(unit: Array, down: Any, across: Any) -> Array:
    """Each channel with one sparse matrix on its columns and the other on its rows."""
    n, channels, high, wide = unit.shape
    lines = np.ascontiguousarray(unit.transpose(2, 0, 1, 3)).reshape(high, -1)
    seen = (down @ lines).reshape(-1, n, channels, wide)
    turned = np.ascontiguousarray(seen.transpose(3, 1, 2, 0)).reshape(wide, -1)
    return (across @ turned).reshape(-1, n, channels, len(seen)).transpose(1, 2, 3, 0)


def sampled(unit: Array, row: Array, column: Array) -> Array:
    """Each picture read at places (n, h, w) between its pixels, linearly; beyond the border it is mirrored."""
    n, channels, high, wide = unit.shape
    top, left = np.floor(row), np.floor(column)
    down, right = (row - top).astype(np.float32), (column - left).astype(np.float32)
    first = np.arange(n, dtype=np.int32).reshape(-1, 1, 1) * (high * wide)
    lines = [first + _back(top.astype(np.int32) + more, high) * wide for more in (0, 1)]
    columns = [_back(left.astype(np.int32) + more, wide) for more in (0, 1)]
    place, weight = np.empty((*row.shape, 4), dtype=np.int32), np.empty((*row.shape, 4), dtype=np.float32)
    for at, (i, j) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        np.add(lines[i], columns[j], out=place[..., at])
        np.multiply(down if i else 1 - down, right if j else 1 - right, out=weight[..., at])
    pixels = np.ascontiguousarray(unit.transpose(0, 2, 3, 1)).reshape(-1, channels)
    out = _sparse(weight, place, np.arange(0, place.size + 1, 4), len(pixels)) @ pixels
    return np.ascontiguousarray(out.reshape(n, high, wide, channels).transpose(0, 3, 1, 2))


def _sparse(weights: Array, columns: Array, starts: Array, length: int) -> Any:
    """A matrix by its rows; `length` is the number of its columns."""
    from scipy.sparse import csr_array

    parts = (weights.astype(np.float32).ravel(), columns.astype(np.int32).ravel(), starts.astype(np.int32))
    return csr_array(parts, shape=(len(starts) - 1, length))


def _back(at: Array, length: int) -> Array:
    """Places beyond the border, mirrored into it: ... 1 0 | 0 1 2 | 2 1 ..."""
    round_trip = at - at // (2 * length) * (2 * length)  # which NumPy has compiled for vectors; % it has not
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
