"""Drawing of traffic signs by distance fields: eight kinds, each seen from somewhere in some light. SIMULATED."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Pixels = np.ndarray[Any, Any]
Field = Callable[[Pixels, Pixels], Pixels]
"""How far a point (right, down) of the sign's own plane lies outside a shape; the plate fills the unit circle."""
Layer = tuple[Field, tuple[float, float, float]]

NAMES = (
    "ahead only",
    "danger",
    "give way",
    "no entry",
    "priority road",
    "speed limit 30",
    "speed limit 80",
    "stop",
)
SIDE = 32

_RED, _BLUE, _YELLOW = (0.78, 0.07, 0.10), (0.05, 0.26, 0.66), (0.97, 0.76, 0.06)
_WHITE, _BLACK = (0.95, 0.95, 0.93), (0.07, 0.07, 0.08)
_ROUNDS = 3  # passes of the box that spreads colour over the background
_STROKES: dict[str, tuple[tuple[float, float, float, float], ...]] = {
    "0": ((-1, -1, 1, -1), (1, -1, 1, 1), (1, 1, -1, 1), (-1, 1, -1, -1)),
    "3": ((-1, -1, 1, -1), (1, -1, 1, 1), (1, 1, -1, 1), (-0.4, 0, 1, 0)),
    "8": ((-1, -1, 1, -1), (1, -1, 1, 1), (1, 1, -1, 1), (-1, 1, -1, -1), (-1, 0, 1, 0)),
    "S": ((1, -1, -1, -1), (-1, -1, -1, 0), (-1, 0, 1, 0), (1, 0, 1, 1), (1, 1, -1, 1)),
    "T": ((-1, -1, 1, -1), (0, -1, 0, 1)),
    "O": ((-1, -1, 1, -1), (1, -1, 1, 1), (1, 1, -1, 1), (-1, 1, -1, -1)),
    "P": ((-1, 1, -1, -1), (-1, -1, 1, -1), (1, -1, 1, 0), (1, 0, -1, 0)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """How each sign is seen; arrays (n,), two places (n, 2) in half image sides, light as a gain per channel (n, 3)."""

    place: Pixels
    size: Pixels
    turn: Pixels
    squeeze: Pixels
    focus: Pixels
    light: Pixels
    shade: Pixels
    noise: Pixels

    @classmethod
    def drawn(cls, rng: np.random.Generator, count: int) -> Views:
        """Anywhere near the middle, turned by up to ten degrees, at dusk or at noon."""
        gain = rng.uniform(0.45, 1.1, (count, 1))
        return cls(
            place=rng.uniform(-0.14, 0.14, (count, 2)),
            size=rng.uniform(0.62, 0.86, count),
            turn=rng.uniform(-0.18, 0.18, count),
            squeeze=rng.uniform(0.82, 1.0, count),
            focus=rng.uniform(0.035, 0.1, count),
            light=gain * rng.uniform(0.9, 1.1, (count, 3)),
            shade=rng.uniform(-0.25, 0.25, (count, 2)),
            noise=rng.uniform(0.005, 0.04, count),
        )


def pictures(kinds: Pixels, rng: np.random.Generator) -> Pixels:
    """Images (n, 3, 32, 32) in [0, 1] of signs of these kinds (positions in `NAMES`)."""
    views = Views.drawn(rng, len(kinds))
    right, down = _plane(views)
    images = _background(rng, len(kinds))
    for kind in np.unique(kinds):
        rows = np.flatnonzero(kinds == kind)
        for field, colour in _LAYERS[int(kind)]:
            blur = views.focus[rows, None, None]
            cover = 1.0 / (1.0 + np.exp(np.clip(field(right[rows], down[rows]) / blur, -30, 30) * 2.5))
            ink = np.asarray(colour)[None, :, None, None]
            images[rows] += cover[:, None] * (ink - images[rows])
    return _photographed(images, views, rng)


def _plane(views: Views) -> tuple[Pixels, Pixels]:
    """Where each pixel lies on the sign's own plane."""
    axis = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    across = axis[None, None, :] - views.place[:, :1, None]
    along = axis[None, :, None] - views.place[:, 1:, None]
    cos, sin = np.cos(views.turn)[:, None, None], np.sin(views.turn)[:, None, None]
    size, squeeze = views.size[:, None, None], views.squeeze[:, None, None]
    return (cos * across + sin * along) / (size * squeeze), (cos * along - sin * across) / size


def _background(rng: np.random.Generator, count: int) -> Pixels:
    """Sky above something grown or built, out of focus."""
    sky = np.array([0.62, 0.74, 0.9]) * rng.uniform(0.6, 1.1, (count, 1))
    ground = rng.uniform(0.1, 0.6, (count, 3)) * np.array([0.9, 1.0, 0.7])
    horizon = rng.uniform(-1.2, 1.0, (count, 1, 1, 1))
    depth = np.linspace(-1, 1, SIDE)[None, None, :, None]
    above = 1.0 / (1.0 + np.exp((depth - horizon) * 8.0))
    texture = rng.normal(0.0, 0.45, (count, 1, SIDE, SIDE)) + rng.normal(0.0, 0.12, (count, 3, SIDE, SIDE))
    for _ in range(_ROUNDS):
        texture = (texture + np.roll(texture, 1, -1) + np.roll(texture, -1, -1)) / 3
        texture = (texture + np.roll(texture, 1, -2) + np.roll(texture, -1, -2)) / 3
    return np.asarray(above * sky[:, :, None, None] + (1 - above) * (ground[:, :, None, None] + texture))


def _photographed(images: Pixels, views: Views, rng: np.random.Generator) -> Pixels:
    """In this light, with a shadow from one side and the grain of the sensor."""
    axis = np.linspace(-1, 1, SIDE)
    slant = views.shade[:, :1, None] * axis[None, None, :] + views.shade[:, 1:, None] * axis[None, :, None]
    lit = images * views.light[:, :, None, None] * (1 + slant[:, None])
    grain = rng.normal(0.0, 1.0, lit.shape) * views.noise[:, None, None, None]
    return np.clip(lit + grain, 0.0, 1.0).astype(np.float32)


def _disc(radius: float) -> Field:
    return lambda u, v: np.hypot(u, v) - radius


def _polygon(sides: int, first: float, reach: float, below: float = 0.0) -> Field:
    """A regular polygon whose sides lie `reach` from its centre; `first` is where one side faces, in turns."""
    angles = 2 * np.pi * (first + np.arange(sides) / sides)

    def field(u: Pixels, v: Pixels) -> Pixels:
        edges = [np.cos(a) * u + np.sin(a) * (v - below) - reach for a in angles]
        return np.asarray(np.max(edges, axis=0))

    return field


def _bar(left: float, top: float, right: float, bottom: float) -> Field:
    """An upright rectangle."""
    return lambda u, v: np.maximum(
        np.abs(u - (left + right) / 2) - (right - left) / 2, np.abs(v - (top + bottom) / 2) - (bottom - top) / 2
    )


def _stroke(u: Pixels, v: Pixels, ends: tuple[float, float, float, float]) -> Pixels:
    """Distance to a line between two points."""
    x, y, dx, dy = ends[0], ends[1], ends[2] - ends[0], ends[3] - ends[1]
    along = np.clip(((u - x) * dx + (v - y) * dy) / (dx * dx + dy * dy), 0, 1)
    return np.asarray(np.hypot(u - x - along * dx, v - y - along * dy))


def _written(text: str, half: float, width: float, pen: float) -> Field:
    """A word in the middle of the plate: letters 2 `half` high and 2 `width` wide."""
    step = 2 * width + 2.6 * pen
    lines = [
        (at + a * width, b * half, at + c * width, d * half)
        for at, letter in zip((np.arange(len(text)) - (len(text) - 1) / 2) * step, text, strict=True)
        for a, b, c, d in _STROKES[letter]
    ]
    return lambda u, v: np.asarray(np.min([_stroke(u, v, line) for line in lines], axis=0) - pen)


def _arrow(u: Pixels, v: Pixels) -> Pixels:
    """Straight up."""
    head = np.maximum(-0.62 - v + 1.05 * np.abs(u), v + 0.08)
    return np.asarray(np.minimum(head, _bar(-0.13, -0.2, 0.13, 0.62)(u, v)))


def _limit(number: str) -> tuple[Layer, ...]:
    return ((_disc(0.98), _RED), (_disc(0.74), _WHITE), (_written(number, 0.32, 0.17, 0.085), _BLACK))


_UP, _DOWN = 0.25, 0.75  # where one side of a triangle faces: down makes it stand, up makes it hang
_LAYERS: tuple[tuple[Layer, ...], ...] = (
    ((_disc(0.98), _BLUE), (_arrow, _WHITE)),
    (
        (_polygon(3, _UP, 0.6, 0.2), _RED),
        (_polygon(3, _UP, 0.39, 0.2), _WHITE),
        (_bar(-0.07, -0.2, 0.07, 0.24), _BLACK),
        (_bar(-0.08, 0.33, 0.08, 0.47), _BLACK),
    ),
    ((_polygon(3, _DOWN, 0.6, -0.2), _RED), (_polygon(3, _DOWN, 0.35, -0.2), _WHITE)),
    ((_disc(0.98), _RED), (_bar(-0.68, -0.19, 0.68, 0.19), _WHITE)),
    ((_polygon(4, 0.125, 0.72), _WHITE), (_polygon(4, 0.125, 0.5), _YELLOW)),
    _limit("30"),
    _limit("80"),
    (
        (_polygon(8, 0.0, 0.95), _WHITE),
        (_polygon(8, 0.0, 0.88), _RED),
        (_written("STOP", 0.27, 0.12, 0.06), _WHITE),
    ),
)
