"""Where paint goes on an image: the window, the disc or the few stickers with the steepest slope."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.data import Array
from temper.kernels.warp import window_sums

SHAPES = ("square", "circle", "stickers")
_STICKERS, _LONG, _SIGN = 4, 3.0, 0.4  # how many, length by width, radius of the sign's inside in image sides


def places(weight: Array, shape: str, area: float) -> tuple[Array, Array]:
    """Parts (n, parts, h, w) to paint, as masks, and the centre (n, 2) of each whole, from slopes (n, h, w)."""
    from array_api_compat import array_namespace

    xp = array_namespace(weight)
    high, wide = int(weight.shape[1]), int(weight.shape[2])
    if shape == "stickers":
        return _stickers(xp, weight, area)
    side = (area * high * wide * (4 / np.pi if shape == "circle" else 1.0)) ** 0.5
    size = min(max(round(side), 1), high), min(max(round(side), 1), wide)
    top, left = _best(xp, weight, size)
    centre = xp.stack(
        [xp.astype(top, weight.dtype) + (size[0] - 1) / 2, xp.astype(left, weight.dtype) + (size[1] - 1) / 2], axis=1
    )
    down, right = _off(xp, weight, centre)
    if shape == "circle":
        mask = down * down + right * right <= max(side / 2, 0.5) ** 2
    else:
        mask = (xp.abs(down) <= size[0] / 2) & (xp.abs(right) <= size[1] / 2)
    return xp.astype(mask, weight.dtype)[:, None], centre


def _stickers(xp: Any, weight: Array, area: float) -> tuple[Array, Array]:
    """Bars inside the round sign in the middle of the image, each where the slope left over is steepest."""
    high, wide = int(weight.shape[1]), int(weight.shape[2])
    share = area * high * wide / _STICKERS
    size = max(round((share / _LONG) ** 0.5), 1), max(round((share * _LONG) ** 0.5), 1)
    size = min(size[0], high), min(size[1], wide)
    middle = xp.zeros_like(weight[:, 0, :2]) + xp.asarray(
        [(high - 1) / 2, (wide - 1) / 2], dtype=weight.dtype, device=weight.device
    )
    down, right = _off(xp, weight, middle)
    inside = down * down + right * right <= (_SIGN * min(high, wide)) ** 2
    share_of = weight / xp.clip(xp.sum(weight, axis=(1, 2), keepdims=True), 1e-30, None)
    left_over = xp.where(inside, share_of, -xp.ones_like(weight))
    parts = []
    for _ in range(_STICKERS):
        top, left = _best(xp, left_over, size)
        row, column = _grid(xp, weight)
        rows = (row >= top[:, None, None]) & (row < top[:, None, None] + size[0])
        mask = rows & (column >= left[:, None, None]) & (column < left[:, None, None] + size[1])
        left_over = xp.where(mask, xp.zeros_like(left_over), left_over)
        parts.append(xp.astype(mask, weight.dtype))
    return _apart(xp, parts), middle


def _apart(xp: Any, parts: list[Array]) -> Array:
    """A pixel belongs to the first sticker that covers it."""
    taken, found = parts[0] * 0, []
    for part in parts:
        found.append(part * (1 - taken))
        taken = xp.clip(taken + part, 0.0, 1.0)
    return xp.stack(found, axis=1)


def _best(xp: Any, weight: Array, size: tuple[int, int]) -> tuple[Array, Array]:
    """Upper left corner (n,), (n,) of the window with the largest sum."""
    sums = window_sums(weight, *size)
    found = xp.argmax(sums.reshape((sums.shape[0], -1)), axis=1)
    return found // sums.shape[2], found % sums.shape[2]


def _grid(xp: Any, weight: Array) -> tuple[Array, Array]:
    row = xp.arange(weight.shape[1], device=weight.device)[None, :, None]
    return row, xp.arange(weight.shape[2], device=weight.device)[None, None, :]


def _off(xp: Any, weight: Array, centre: Array) -> tuple[Array, Array]:
    """How far each pixel lies below and to the right of the centre of its row."""
    row, column = _grid(xp, weight)
    return xp.astype(row, weight.dtype) - centre[:, 0, None, None], xp.astype(column, weight.dtype) - centre[
        :, 1, None, None
    ]
