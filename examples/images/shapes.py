"""Sign-like images made by code: eight shapes with random place, size, turn, contrast, blur and noise."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

NAMES = ("disc", "ring", "triangle", "yield", "square", "diamond", "no entry", "cross")
SIDE = 24


def draw(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """(x, y): float32 images (count, 1, 24, 24) in [0, 1] and their class numbers (count,), all classes alike often."""
    y = rng.permutation(np.arange(count) % len(NAMES))
    u, v = _grid(count, rng)
    distance = np.empty_like(u)
    for number, shape in enumerate(_SHAPES):
        rows = y == number
        distance[rows] = shape(u[rows], v[rows])
    blur = rng.uniform(0.03, 0.12, (count, 1, 1))
    inside = 1.0 / (1.0 + np.exp(np.clip(distance / blur, -30.0, 30.0)))
    return _photographed(inside, rng)[:, None].astype(np.float32), y.astype(np.int64)


def _grid(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Coordinates (count, 24, 24) in each shape's own frame, in which it fills the unit circle."""
    axis = (np.arange(SIDE) + 0.5) / SIDE * 2.0 - 1.0
    place = rng.uniform(-0.2, 0.2, (2, count, 1, 1))
    size = rng.uniform(0.55, 0.8, (count, 1, 1))
    turn = rng.uniform(-0.2, 0.2, (count, 1, 1))
    across, down = axis[None, None, :] - place[0], axis[None, :, None] - place[1]
    u = (np.cos(turn) * across + np.sin(turn) * down) / size
    v = (np.cos(turn) * down - np.sin(turn) * across) / size
    return u, v


def _photographed(inside: Array, rng: np.random.Generator) -> Array:
    """Shape on a slanted background, light on dark or dark on light, with sensor noise."""
    count = len(inside)
    ground = rng.uniform(0.1, 0.9, (count, 1, 1))
    contrast = rng.uniform(0.3, 0.6, (count, 1, 1)) * np.where(ground > 0.5, -1.0, 1.0)
    slant = rng.uniform(-0.1, 0.1, (2, count, 1, 1))
    axis = np.linspace(-1.0, 1.0, SIDE)
    light = ground + slant[0] * axis[None, None, :] + slant[1] * axis[None, :, None]
    noise = rng.normal(0.0, 1.0, inside.shape) * rng.uniform(0.01, 0.08, (count, 1, 1))
    return np.clip(light + contrast * inside + noise, 0.0, 1.0)


def _disc(u: Array, v: Array) -> Array:
    return np.hypot(u, v) - 0.95


def _ring(u: Array, v: Array) -> Array:
    return np.abs(np.hypot(u, v) - 0.75) - 0.2


def _polygon(u: Array, v: Array, sides: int, first: float) -> Array:
    """Distance to a regular polygon around the unit circle's centre; `first` is the direction of one side."""
    angles = first + 2.0 * np.pi * np.arange(sides) / sides
    reach = np.cos(np.pi / sides)
    return np.max([np.cos(a) * u + np.sin(a) * v - reach for a in angles], axis=0)


def _no_entry(u: Array, v: Array) -> Array:
    bar = np.maximum(np.abs(u) - 0.65, np.abs(v) - 0.22)
    return np.maximum(_disc(u, v), -bar)


def _cross(u: Array, v: Array) -> Array:
    upright = np.maximum(np.abs(u) - 0.28, np.abs(v) - 0.95)
    level = np.maximum(np.abs(v) - 0.28, np.abs(u) - 0.95)
    return np.minimum(upright, level)


_SHAPES = (
    _disc,
    _ring,
    lambda u, v: _polygon(u, v, 3, np.pi / 2),
    lambda u, v: _polygon(u, v, 3, -np.pi / 2),
    lambda u, v: _polygon(u, v, 4, 0.0),
    lambda u, v: _polygon(u, v, 4, np.pi / 4),
    _no_entry,
    _cross,
)
