"""Rotating, scaling and shifting images by bilinear sampling, and the transpose of that map, for any array namespace.

Images are (n, channels, height, width). Sampling is linear in the image, so its transpose is its exact derivative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Warp:
    """Where each pixel of each output image comes from: four places (n, 4, h * w) and their weights.

    >>> turn = Warp.of(np.zeros((1, 1, 3, 3)), np.array([[0.0, 1.0, 0.0, 1.0]]))
    >>> turn.image(np.arange(9.0).reshape(1, 1, 3, 3))[0, 0].tolist()
    [[0.0, 0.0, 1.0], [3.0, 3.0, 4.0], [6.0, 6.0, 7.0]]
    """

    place: Array
    weight: Array

    @classmethod
    def of(cls, like: Array, pose: Array, centre: Array | None = None, *, edge: bool = True) -> Warp:
        """For images shaped as `like`; `pose` (n, 4): radians, scale, pixels down, pixels right.

        Turned about `centre` (n, 2) (row, column), the image's own by default. What comes from outside is the nearest
        pixel of the `edge`, else zero.
        """
        xp = _namespace(like)
        high, wide = like.shape[-2], like.shape[-1]
        line = xp.arange(high * wide, dtype=like.dtype, device=_device(like))[None, :]
        row, column = xp.floor(line / wide), line - wide * xp.floor(line / wide)
        middle = ((high - 1) / 2, (wide - 1) / 2) if centre is None else (centre[:, :1], centre[:, 1:])
        down, right = row - middle[0] - pose[:, 2:3], column - middle[1] - pose[:, 3:4]
        cos, sin, scale = xp.cos(pose[:, :1]), xp.sin(pose[:, :1]), pose[:, 1:2]
        return cls._at(
            (cos * down - sin * right) / scale + middle[0],
            (sin * down + cos * right) / scale + middle[1],
            (high, wide),
            edge,
        )

    @classmethod
    def _at(cls, row: Array, column: Array, size: tuple[int, int], edge: bool) -> Warp:
        xp = _namespace(row)
        top, left = xp.floor(row), xp.floor(column)
        places, weights = [], []
        for down in (0.0, 1.0):
            for right in (0.0, 1.0):
                at, to = top + down, left + right
                weight = (1 - xp.abs(row - at)) * (1 - xp.abs(column - to))
                if not edge:
                    inside = (at >= 0) & (at < size[0]) & (to >= 0) & (to < size[1])
                    weight = xp.where(inside, weight, xp.zeros_like(weight))
                line = xp.clip(at, 0, size[0] - 1) * size[1] + xp.clip(to, 0, size[1] - 1)
                places.append(xp.astype(line, xp.int64))
                weights.append(weight)
        return cls(place=xp.stack(places, axis=1), weight=xp.stack(weights, axis=1))

    def image(self, x: Array) -> Array:
        """The warped images."""
        xp = _namespace(x)
        flat = x.reshape((x.shape[0], x.shape[1], -1))
        total = None
        for corner in range(4):
            place = xp.broadcast_to(self.place[:, corner, None, :], flat.shape)
            part = xp.take_along_axis(flat, place, axis=2) * self.weight[:, corner, None, :]
            total = part if total is None else total + part
        return xp.reshape(total, x.shape)

    def back(self, slope: Array) -> Array:
        """The transpose: the slope by the image from the slope by the warped image."""
        flat = slope.reshape((slope.shape[0], slope.shape[1], -1))
        total = flat * 0
        for corner in range(4):
            _scatter(total, self.place[:, corner, None, :], flat * self.weight[:, corner, None, :])
        return total.reshape(slope.shape)


def blurred(x: Array, amount: Any) -> Array:
    """Each pixel mixed with the mean of its 3 x 3 neighbours; `amount` (n, 1, 1, 1) in [0, 1]."""
    xp = _namespace(x)
    tall = xp.concat([x[:, :, :1], x, x[:, :, -1:]], axis=2)
    rows = (tall[:, :, :-2] + tall[:, :, 1:-1] + tall[:, :, 2:]) / 3
    wide = xp.concat([rows[..., :1], rows, rows[..., -1:]], axis=3)
    return x + amount * ((wide[..., :-2] + wide[..., 1:-1] + wide[..., 2:]) / 3 - x)


def window_sums(x: Array, high: int, wide: int) -> Array:
    """Sums (n, h - high + 1, w - wide + 1) over every window of (n, h, w)."""
    xp = _namespace(x)
    total = xp.cumulative_sum(xp.concat([x[:, :1] * 0, x], axis=1), axis=1)
    rows = total[:, high:] - total[:, : total.shape[1] - high]
    total = xp.cumulative_sum(xp.concat([rows[:, :, :1] * 0, rows], axis=2), axis=2)
    return total[:, :, wide:] - total[:, :, : total.shape[2] - wide]


def _scatter(total: Array, place: Array, values: Array) -> None:
    """Add values to their places, in order."""
    if not isinstance(total, np.ndarray):
        total.scatter_add_(2, place.expand(values.shape), values)
        return
    n, channels, count = total.shape
    start = np.arange(n * channels).reshape(n, channels, 1) * count
    line = (np.broadcast_to(place, values.shape) + start).reshape(-1)
    total += np.bincount(line, values.reshape(-1), n * channels * count).reshape(total.shape)


def _namespace(x: Array) -> Any:
    from array_api_compat import array_namespace

    return array_namespace(x)


def _device(x: Array) -> Any:
    from array_api_compat import device

    return device(x)
