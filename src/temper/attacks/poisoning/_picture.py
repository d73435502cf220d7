"""Triggers on pictures: a pattern laid over each of them, wholly in one corner or faintly everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.attacks.poisoning._flip import training
from temper.core.attack import Scene
from temper.core.data import Array, Data
from temper.core.errors import Unsupported

Vector = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PictureTrigger:
    """Mixes `pattern` into pictures (n, c, h, w): `weight` of it, pixel by pixel, and the rest of the picture."""

    pattern: Vector
    weight: Vector
    low: float
    high: float
    words: str

    def stamp(self, x: Array) -> Array:
        """The pictures with the pattern on, in their own precision."""
        clean = np.asarray(x)
        mixed = (1.0 - self.weight) * clean + self.weight * self.pattern
        return np.clip(mixed, self.low, self.high).astype(clean.dtype)

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pictures:
    """Training pictures, the shape of one and the values that a pixel takes."""

    data: Data
    shape: tuple[int, int, int]
    low: float
    high: float


def pictured(scene: Scene) -> Pictures:
    """The training pictures of a scene; `Unsupported` where its rows are none."""
    data = training(scene)
    x = np.asarray(data.x)
    if scene.schema.columns or x.ndim != 4 or x.dtype.kind != "f":
        raise Unsupported("a trigger on pictures needs rows (n, channels, height, width)", fix="use one for tables")
    edges = (scene.schema.low, scene.schema.high)
    low, high = edges if np.isfinite(edges).all() else (float(x.min()), float(x.max()))
    return Pictures(data=data, shape=x.shape[1:], low=float(low), high=float(high))
