"""A second make of the drawn signs, to judge on what nothing was tuned on: the same eight kinds from another hand.
SIMULATED.

Outlines are polygons filled at four times the resolution, not distance fields; letters are a bitmap, not strokes; rims
are thinner, colours faded, and behind the sign stand walls instead of a sky. It was written without a look at attacks
or defences.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.seed import Draws
from temper.demos._sign_shapes import NAMES, SIDE
from temper.demos.signs import Album

Pixels = np.ndarray[Any, Any]
Ink = tuple[float, float, float]
Part = tuple[Pixels, Ink]
"""The corners (k, 2) of an outline on the plate, which fills [-1, 1], and the colour inside."""

_FINE = 4
_RED, _BLUE, _YELLOW = (0.70, 0.16, 0.15), (0.13, 0.33, 0.60), (0.90, 0.72, 0.18)
_WHITE, _BLACK = (0.90, 0.90, 0.86), (0.12, 0.12, 0.13)
_GLYPHS = {
    "0": "01110 11011 11011 11011 11011 11011 01110",
    "3": "11110 00011 00011 01110 00011 00011 11110",
    "8": "01110 11011 11011 01110 11011 11011 01110",
    "S": "01111 11000 11000 01110 00011 00011 11110",
    "T": "11111 11111 00100 00100 00100 00100 00100",
    "O": "01110 11011 11011 11011 11011 11011 01110",
    "P": "11110 11011 11011 11110 11000 11000 11000",
}


def generate(seed: int = 0, count: int = 1_000) -> Album:
    """SIMULATED photographs of the demo's kinds of signs as somebody else would draw them, all alike often.

    >>> album = generate(count=16)
    >>> album.x.shape, len(set(album.y))
    ((16, 3, 32, 32), 8)
    """
    rng = Draws(seed, "demos.held_out_signs").generator()
    kinds = rng.permutation(np.arange(count) % len(NAMES))
    return Album(x=np.stack([_photographed(int(kind), rng) for kind in kinds]), y=np.asarray(NAMES)[kinds])


def _photographed(kind: int, rng: np.random.Generator) -> Pixels:
    """One sign before walls, seen from somewhere, averaged down, in its light."""
    image = _walls(rng)
    view = _view(rng)
    for corners, ink in _PARTS[kind]:
        image[:, _filled(corners @ view[:2] + view[2])] = np.asarray(ink)[:, None]
    small = image.reshape(3, SIDE, _FINE, SIDE, _FINE).mean(axis=(2, 4))
    drift = rng.uniform(0.0, 0.35)
    small = (1 - drift) * small + drift * np.roll(small, 1, axis=int(rng.integers(1, 3)))
    away = np.linspace(-1, 1, SIDE) ** 2
    dim = 1.0 - rng.uniform(0.0, 0.3) * (away[:, None] + away[None, :]) / 2
    lit = small * dim * rng.uniform(0.55, 1.15) * rng.uniform(0.94, 1.06, (3, 1, 1))
    grainy = np.clip(lit + rng.normal(0, 0.015, lit.shape), 0, 1)
    return np.asarray(np.round(grainy * 63) / 63, dtype=np.float32)


def _view(rng: np.random.Generator) -> Pixels:
    """From the plate to fine pixels (3, 2): size, a lean, a skew, and where the middle lies."""
    half = SIDE * _FINE / 2
    turn, lean = rng.uniform(-0.14, 0.14), rng.uniform(-0.1, 0.1)
    way = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn) + lean, np.cos(turn)]])
    return np.vstack([way * rng.uniform(0.64, 0.84) * half, half * (1 + rng.uniform(-0.12, 0.12, 2))])


def _walls(rng: np.random.Generator) -> Pixels:
    """Upright blocks of one colour each with a row of windows, (3, fine, fine)."""
    side = SIDE * _FINE
    edges = np.sort(rng.integers(0, side, int(rng.integers(1, 5))))
    image = np.empty((3, side, side))
    for start, end in zip([0, *edges], [*edges, side], strict=True):
        image[:, :, start:end] = rng.uniform(0.15, 0.75, (3, 1, 1)) * 0.4 + rng.uniform(0.1, 0.5)
        for top in range(int(rng.integers(4, 24)), side, 24):
            image[:, top : top + 9, start + 3 : max(end - 3, start + 3)] *= rng.uniform(0.6, 1.2)
    return image


def _filled(corners: Pixels) -> Pixels:
    """Which fine pixels lie inside a polygon: the crossings to their left are odd in number."""
    middle = np.arange(SIDE * _FINE) + 0.5
    inside = np.zeros((len(middle), len(middle)), dtype=bool)
    for (x, y), (u, v) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        between = (middle >= min(y, v)) & (middle < max(y, v))
        cross = x + (middle - y) * (u - x) / (v - y if v != y else 1.0)
        inside ^= between[:, None] & (middle[None, :] > cross[:, None])
    return inside


def _round(sides: int, reach: float, first: float = 0.0, down: float = 0.0) -> Pixels:
    """A regular polygon by its corners; `first` is where the first one points, in turns from the right downwards."""
    angles = 2 * np.pi * (first + np.arange(sides) / sides)
    return np.stack([reach * np.cos(angles), reach * np.sin(angles) + down], axis=1)


def _box(left: float, top: float, right: float, bottom: float) -> Pixels:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _written(text: str, height: float, width: float, ink: Ink) -> list[Part]:
    """A word in the middle of the plate, letters of 5 x 7 dots without a gap between them."""
    tall, wide, parts = height / 7, width / 5, []
    for at, letter in enumerate(text):
        left = (at - len(text) / 2) * (width + wide)
        for row, line in enumerate(_GLYPHS[letter].split()):
            for column, dot in enumerate(line):
                if dot == "1":
                    x, y = left + (column + 0.5) * wide, -height / 2 + row * tall
                    parts.append((_box(x, y, x + wide * 1.02, y + tall * 1.02), ink))
    return parts


def _limit(number: str) -> list[Part]:
    return [(_round(48, 0.96), _RED), (_round(48, 0.78), _WHITE), *_written(number, 0.8, 0.46, _BLACK)]


_ARROW = np.array([[0, -0.7], [0.42, -0.2], [0.1, -0.28], [0.1, 0.66], [-0.1, 0.66], [-0.1, -0.28], [-0.42, -0.2]])
_WEDGE = np.array([[-0.1, -0.3], [0.1, -0.3], [0.05, 0.2], [-0.05, 0.2]])
_PARTS: tuple[list[Part], ...] = (
    [(_round(48, 0.96), _WHITE), (_round(48, 0.91), _BLUE), (_ARROW, _WHITE)],
    [
        (_round(3, 1.12, -0.25, 0.2), _RED),
        (_round(3, 0.82, -0.25, 0.2), _WHITE),
        (_WEDGE, _BLACK),
        (_round(12, 0.08, down=0.38), _BLACK),
    ],
    [(_round(3, 1.12, 0.25, -0.2), _RED), (_round(3, 0.74, 0.25, -0.2), _WHITE)],
    [(_round(48, 0.96), _RED), (_box(-0.74, -0.15, 0.74, 0.15), _WHITE)],
    [(_round(4, 1.0), _BLACK), (_round(4, 0.96), _WHITE), (_round(4, 0.68), _YELLOW)],
    _limit("30"),
    _limit("80"),
    [(_round(8, 1.0, 1 / 16), _WHITE), (_round(8, 0.94, 1 / 16), _RED), *_written("STOP", 0.56, 0.3, _WHITE)],
)
