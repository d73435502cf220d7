"""Moves of a random search on images: stripes and square windows inside a ball, on any array and device."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.attacks.evasion._deck import Deck
from temper.attacks.evasion._nearest import flat
from temper.core.attack import Scene
from temper.core.data import Array
from temper.core.seed import Draws
from temper.kernels.lp import distance

Rows = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """An input without columns seen as channels x height x width; a flat input is one line of one channel."""

    shape: tuple[int, ...]
    size: tuple[int, int, int]
    last: bool = False

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Canvas:
        """Channels come first, unless the last of three axes is short (up to 4) and the first is not."""
        if len(shape) == 3 and shape[-1] <= 4 < shape[0]:
            return cls(shape=shape, size=(shape[2], shape[0], shape[1]), last=True)
        if len(shape) == 1:
            return cls(shape=shape, size=(1, 1, shape[0]))
        return cls(shape=shape, size=(math.prod(shape[:-2]), shape[-2], shape[-1]))

    @property
    def flat(self) -> bool:
        """Whether neighbours mean nothing."""
        return len(self.shape) == 1

    def spread(self, x: Array) -> Array:
        """(n, *shape) as (n, channels, height, width)."""
        if self.last:
            return _namespace(x).permute_dims(x, (0, 3, 1, 2))
        return x.reshape((x.shape[0], *self.size))

    def back(self, x: Array) -> Array:
        """(n, channels, height, width) in the input's own shape."""
        if self.last:
            return _namespace(x).permute_dims(x, (0, 2, 3, 1))
        return x.reshape((x.shape[0], *self.shape))

    def places(self, channel: Rows, y: Rows, x: Rows) -> Rows:
        """Where these values stand in an input laid out in one line."""
        channels, height, width = self.size
        if self.last:
            return (y * width + x) * channels + channel
        return (channel * height + y) * width + x


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StripeMoves:
    """For linf: every value at an end of its range. Vertical stripes first, then windows of one colour per channel; a
    flat input has random positions in place of windows. `ends` are the two ends (2, rows, values), the upper first.
    """

    rng: Draws
    canvas: Canvas
    ends: Array
    spots: Deck
    sides: Deck

    @classmethod
    def on(cls, scene: Scene, rng: Draws) -> StripeMoves:
        """Ends by the radius and the box."""
        xp = _namespace(scene.x)
        low, high = scene.schema.bounds(scene.x)
        if scene.budget.radius is not None:
            radius = scene.budget.radius
            low, high = xp.maximum(low, scene.x - radius), xp.minimum(high, scene.x + radius)
        canvas, rng = Canvas.of(tuple(scene.x.shape[1:])), replace(rng, like=None)
        spots = Deck(rng=rng, part=1, width=canvas.size[2] if canvas.flat else 2)
        sides = Deck(rng=rng, part=0, width=canvas.size[2] if canvas.flat else canvas.size[0])
        ends = xp.stack([flat(high), flat(low)])
        return cls(rng=rng, canvas=canvas, ends=ends, spots=spots, sides=sides)

    def start(self, rows: Rows, step: int) -> Array:
        """Stripes over the whole height."""
        channels, height, width = self.canvas.size
        below = self.rng.uniform(rows, 3 * step, (channels, 1, width)) < 0.5
        below = np.broadcast_to(below, (len(rows), channels, height, width))
        x = _namespace(self.ends).zeros_like(self.ends[0, : len(rows)])
        place = self.canvas.places(*np.ogrid[:channels, :height, :width])
        self._put(x, rows, np.broadcast_to(place, below.shape), below)
        return x.reshape((len(rows), *self.canvas.shape))

    def move(self, rows: Rows, step: int, share: Rows, current: Array) -> Array:
        """One window of about `share` of the area."""
        x = current * 1.0
        line = x.reshape((len(rows), -1))
        spot, below = self.spots.deal(rows, step), self.sides.deal(rows, step) < 0.5
        if self.canvas.flat:
            row, place = np.nonzero(_some(spot, share))
            self._put(line, rows, place, below[row, place], row)
            return x
        side = np.maximum(np.round((share * self.canvas.size[1] * self.canvas.size[2]) ** 0.5), 1.0).astype(int)
        for size in np.unique(side):
            at = np.flatnonzero(side == size)
            place = self._window(spot[at], int(size))
            self._put(line, rows[at], place, np.broadcast_to(below[at, :, None, None], place.shape), at)
        return x

    def _window(self, place: Rows, side: int) -> Rows:
        """Per row the places (n, channels, tall, wide) of a square, cut to the canvas."""
        channels, height, width = self.canvas.size
        tall, wide = min(side, height), min(side, width)
        top, left = (place[:, :2] * (height - tall + 1, width - wide + 1)).astype(np.int64).T
        y, x = top[:, None] + np.arange(tall), left[:, None] + np.arange(wide)
        channel = np.arange(channels)[:, None, None]
        return self.canvas.places(channel, y[:, None, :, None], x[:, None, None, :])

    def _put(self, line: Array, rows: Rows, place: Rows, below: Rows, at: Rows | None = None) -> None:
        """Bring these places of every row to the end that was drawn."""
        row = np.arange(len(rows)) if at is None else at
        if place.ndim > 1:
            row = np.broadcast_to(row[:, None, None, None], place.shape)
            rows = np.broadcast_to(rows[:, None, None, None], place.shape)
        else:
            rows = rows[row]
        index = (np.array(part) for part in (below.astype(np.int64), rows, row, place))  # own memory, as torch wants it
        side, rows, row, place = (_beside(part, line) for part in index)
        line[row, place] = self.ends[side, rows, place]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BumpMoves:
    """For l2 and l1: a tiling of bumps first, then the mass of one window moves to a bump in another.

    The radius is always used up, before the box cuts it. A flat input has windows along its one line.
    """

    rng: Draws
    canvas: Canvas
    x0: Array
    norm: str
    radius: float
    low: float
    high: float

    @classmethod
    def on(cls, scene: Scene, rng: Draws) -> BumpMoves:
        """The radius of the budget, in its norm."""
        canvas, radius = Canvas.of(tuple(scene.x.shape[1:])), scene.budget.radius or 0.0
        ends = {"low": scene.schema.low, "high": scene.schema.high}
        return cls(rng=rng, canvas=canvas, x0=canvas.spread(scene.x), norm=scene.budget.norm, radius=radius, **ends)

    def start(self, rows: Rows, step: int) -> Array:
        """Tiles of a fifth of the image, each a bump of random sign per channel."""
        channels, height, width = self.canvas.size
        tall, wide = max(height // 5, 1), max(width // 5, 1)
        down, across = height // tall, width // wide
        tile = np.tile(_bump(tall, wide), (down, across))
        pad = (height - tile.shape[0]) // 2, (width - tile.shape[1]) // 2
        whole = np.zeros((height, width))
        whole[pad[0] : pad[0] + tile.shape[0], pad[1] : pad[1] + tile.shape[1]] = tile
        sign = self.rng.uniform(rows, 3 * step, (channels, down + 2, across + 2)) < 0.5
        at_y = (np.arange(height) - pad[0]) // tall + 1
        at_x = (np.arange(width) - pad[1]) // wide + 1
        return self._fitted(rows, _signed(_beside(whole, self.x0), sign[:, :, at_y][:, :, :, at_x]))

    def move(self, rows: Rows, step: int, share: Rows, current: Array) -> Array:
        """Windows of a third row or column at least and of odd size; rows of one size go together."""
        _, height, width = self.canvas.size
        side = np.maximum(np.round((share * height * width) ** 0.5), 3.0)
        side = (side + (side % 2 == 0)).astype(int)
        x = _namespace(current).zeros_like(current)
        for size in np.unique(side):
            at = np.flatnonzero(side == size)
            x[at] = self._transfer(rows[at], step, (min(size, height), min(size, width)), current[at])
        return x

    def _transfer(self, rows: Rows, step: int, size: tuple[int, int], current: Array) -> Array:
        """The published step: the first window takes the mass of the second, as its old shape plus a bump."""
        channels, height, width = self.canvas.size
        delta = self.canvas.spread(current) - self.x0[rows]
        place = self.rng.uniform(rows, 3 * step + 1, (5,))
        every = _line(len(rows), delta)[:, None, None, None], _line(channels, delta)[None, :, None, None]
        one = (*every, *_spots(place[:, 0], place[:, 1], size, (height, width)))
        two = (*every, *_spots(place[:, 2], place[:, 3], size, (height, width)))
        old, mass = delta[one], self._mass(delta)
        free = (self.radius**self._power - _namespace(delta).sum(mass, axis=1, keepdims=True)).clip(0.0)
        delta[two] = 0.0
        delta[one] = 0.0
        mass = mass - self._mass(delta)
        sign = self.rng.uniform(rows, 3 * step, (channels, 1, 1)) < 0.5
        bump = _bump(*size)
        turned = place[:, 4, None, None, None] < (0.5 if size[0] == size[1] else 0.0)
        bumps = _namespace(delta).where(turned, _beside(bump.T.reshape(size), delta), _beside(bump, delta))
        fresh = _signed(bumps, sign) + old / (1e-12 + self._mass(old) ** (1.0 / self._power))
        wanted = (free / channels + mass) ** (1.0 / self._power)
        delta[one] = fresh / (1e-12 + self._mass(fresh) ** (1.0 / self._power)) * wanted
        return self._fitted(rows, delta)

    @property
    def _power(self) -> int:
        return 2 if self.norm == "l2" else 1

    def _mass(self, delta: Array) -> Array:
        """What each channel (n, channels, 1, 1) contributes to the norm, before the root."""
        return _namespace(delta).sum(abs(delta) ** self._power, axis=(2, 3), keepdims=True)

    def _fitted(self, rows: Rows, delta: Array) -> Array:
        """The point at the radius in this direction, cut to the box."""
        x0 = self.x0[rows]
        length = distance(delta, delta * 0, self.norm)[:, None, None, None]
        return self.canvas.back((x0 + delta / (1e-12 + length) * self.radius).clip(self.low, self.high))


def _some(priority: Rows, share: Rows) -> Rows:
    """Per row the share of positions (n, d) with the lowest numbers, one at least."""
    count = np.maximum(np.round(share * priority.shape[1]), 1.0).astype(np.int64)
    chosen: Rows = priority.argsort(axis=1).argsort(axis=1) < count[:, None]
    return chosen


def _spots(top: Array, left: Array, size: tuple[int, int], whole: tuple[int, int]) -> tuple[Array, Array]:
    """Indices (n, 1, tall, 1) and (n, 1, 1, wide) of a window per row."""
    first_y, first_x = _floor(top * (whole[0] - size[0] + 1)), _floor(left * (whole[1] - size[1] + 1))
    y, x = first_y[:, None] + _line(size[0], top)[None, :], first_x[:, None] + _line(size[1], left)[None, :]
    return y[:, None, :, None], x[:, None, None, :]


def _bump(tall: int, wide: int) -> Rows:
    """Two pyramids of opposite sign above each other, of unit l2 length: the window's shape in the l2 attack."""
    shape: Rows = np.zeros((tall, wide))
    half = tall // 2
    shape[:half] = _pyramid(half, wide)
    shape[half:] = -_pyramid(tall - half, wide)
    shape /= np.sqrt((shape**2).sum())
    return shape


def _pyramid(tall: int, wide: int) -> Rows:
    """Nested rectangles round the middle, the inner the higher."""
    shape: Rows = np.zeros((tall, wide))
    top, left = tall // 2, wide // 2
    for turn in range(max(tall // 2 + 1, wide // 2 + 1) if tall else 0):
        y, x = slice(max(top, 0), min(top + 2 * turn + 1, tall)), slice(max(left, 0), min(left + 2 * turn + 1, wide))
        shape[y, x] += 1.0 / (turn + 1) ** 2
        top, left = top - 1, left - 1
    return shape


def _signed(values: Array, negative: Array) -> Array:
    return _namespace(values).where(negative, -values, values)


def _floor(values: Array) -> Array:
    return values.astype(np.int64) if isinstance(values, np.ndarray) else values.long()


def _line(n: int, model: Array) -> Array:
    xp = _namespace(model)
    return xp.arange(n, dtype=xp.int64, device=_device(model))


def _beside(values: Rows, model: Array) -> Array:
    xp = _namespace(model)
    return xp.asarray(values, dtype=model.dtype if values.dtype.kind == "f" else None, device=_device(model))


def _device(model: Array) -> Any:
    from array_api_compat import device

    return device(model)


def _namespace(x: Array) -> Any:
    from array_api_compat import array_namespace

    return array_namespace(x)
