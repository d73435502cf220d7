"""Pictures (n, channels, height, width) in any range, handed to a corruption as numbers between 0 and 1."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import Level, level

SMALL = 64
"""Pictures of at most this many pixels a side get the published parameters of CIFAR-10-C, larger ones ImageNet-C's."""
_CELLS = 250_000  # numbers worked on at once: they stay in the cache of a processor
_LUMA = np.array((0.299, 0.587, 0.114), dtype=np.float32)

Paint = Callable[[Array, np.ndarray[Any, Any], Any], Array]


def painted(
    x: Array, schema: Schema | None, severity: int, small: Sequence[Level], large: Sequence[Level], paint: Paint
) -> Array:
    """A copy of `x` after `paint(pictures in [0, 1], their rows, level)`, part by part, back in the range of `x`.

    The result of `paint` is clipped to [0, 1]; whole numbers are rounded. Without a `schema` that says the range, whole
    numbers span 0 to 255 and others 0 to 1.
    """
    pictures = np.asarray(x)
    low, high = _range(pictures, schema)
    setting = level(small if max(pictures.shape[2:]) <= SMALL else large, severity)
    whole = not np.issubdtype(pictures.dtype, np.floating)
    out = np.empty(pictures.shape, dtype=pictures.dtype)
    for rows in _parts(pictures.shape):
        unit = pictures[rows[0] : rows[-1] + 1].astype(np.float32)
        unit -= np.float32(low)
        unit /= np.float32(high - low)
        np.clip(unit, 0.0, 1.0, out=unit)
        done = np.array(paint(unit, rows, setting), dtype=np.float32, copy=None)
        np.clip(done, 0.0, 1.0, out=done)
        done *= np.float32(high - low)
        done += np.float32(low)
        out[rows[0] : rows[-1] + 1] = np.round(done, out=done) if whole else done
    return out


def grey(unit: Array) -> Array:
    """Brightness (n, 1, h, w) of pictures: the weights of red, green and blue as JPEG has them, else the mean."""
    if unit.shape[1] != 3:
        return unit.mean(axis=1, keepdims=True)
    return np.tensordot(unit, _LUMA, axes=(1, 0))[:, None]


def tinted(layer: Array, colour: tuple[float, float, float], channels: int) -> Array:
    """A layer (n, 1, h, w) in this colour; in its brightness where pictures have no three channels."""
    shade = np.array(colour, dtype=np.float32)
    return layer * (shade if channels == 3 else shade @ _LUMA).reshape(1, -1, 1, 1)


def drawn(rng: Draws, rows: Array, step: int, shape: tuple[int, ...], how: Callable[..., Array]) -> Array:
    """Random arrays (n, *shape), each from the numbers of its own row: `how(generator, shape)` draws one."""
    out = np.empty((len(rows), *shape), dtype=np.float32)
    for at, numbers in enumerate(rng.each(rows, step)):
        out[at] = how(numbers, shape)
    return out


def _range(pictures: Array, schema: Schema | None) -> tuple[float, float]:
    if pictures.ndim != 4:
        raise Unsupported(
            f"this stressor works on pictures (n, channels, height, width), and the input is shaped {pictures.shape}"
        )
    if schema is None:
        return (0.0, 1.0) if np.issubdtype(pictures.dtype, np.floating) else (0.0, 255.0)
    if schema.columns or not math.isfinite(schema.high - schema.low):
        raise Unsupported("a picture's range is unknown", fix="say it in schema.box: [low, high]")
    return schema.low, schema.high


def _parts(shape: tuple[int, ...]) -> Iterator[np.ndarray[Any, Any]]:
    """Rows to work on together."""
    size = max(1, _CELLS // max(math.prod(shape[1:]), 1))
    for start in range(0, shape[0], size):
        yield np.arange(start, min(start + size, shape[0]))
