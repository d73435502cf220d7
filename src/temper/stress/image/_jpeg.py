"""What JPEG loses: colours at half the size, and the cosine coefficients of every block rounded to a table."""

from __future__ import annotations

import numpy as np

from temper.core.data import Array
from temper.stress.image._resample import between, boxes, pressed

_BRIGHT = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_COLOUR = np.full((8, 8), 99)
_COLOUR[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
_TO = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=np.float32)
_COSINES = np.sqrt(2 / 8) * np.cos(np.pi * np.arange(8)[:, None] * (2 * np.arange(8) + 1) / 16)
_COSINES = (_COSINES * np.where(np.arange(8) == 0, np.sqrt(0.5), 1)[:, None]).astype(np.float32)
_FROM = np.array([[1.0, 0.0, 1.402], [1.0, -0.344136, -0.714136], [1.0, 1.772, 0.0]], dtype=np.float32)


def compressed(unit: Array, quality: int) -> Array:
    """Pictures in [0, 1] after compression at this quality; other than three channels are each taken as brightness."""
    pixels = np.round(unit * 255)
    if unit.shape[1] != 3:
        return _through(pixels, _table(_BRIGHT, quality), 8) / 255
    parts = np.round(np.einsum("ij,njhw->nihw", _TO, pixels) + _zero())
    bright = _through(parts[:, :1], _table(_BRIGHT, quality), 16)
    colour = _through(_halved(parts[:, 1:]), _table(_COLOUR, quality), 8)
    colour = _doubled(colour)[..., : unit.shape[2], : unit.shape[3]]
    out = np.einsum("ij,njhw->nihw", _FROM, np.concatenate([bright, colour], axis=1) - _zero())
    return np.clip(np.round(out), 0, 255) / 255


def _zero() -> Array:
    return np.array([0, 128, 128], dtype=np.float32).reshape(1, 3, 1, 1)


def _table(table: Array, quality: int) -> Array:
    """The table of the standard, finer or coarser by the scale that codecs share."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((table * scale + 50) // 100, 1, 255).astype(np.float32)


def _through(pixels: Array, table: Array, multiple: int) -> Array:
    """Levels 0 to 255 after their blocks' coefficients were rounded to the table."""
    high, wide = pixels.shape[2:]
    filled = _filled(pixels, multiple)
    n, channels, tall, long = filled.shape
    strips = (filled - 128).reshape(n, channels, tall // 8, 8, long)
    kept = _by_blocks(_COSINES @ strips, _COSINES.T).reshape(*strips.shape[:4], long // 8, 8)
    spread = table[:, None, :]
    kept /= spread
    np.round(kept, out=kept)
    kept *= spread
    back = _COSINES.T @ _by_blocks(kept.reshape(strips.shape), _COSINES)
    np.round(back, out=back)
    back += 128
    return np.clip(back, 0, 255, out=back).reshape(filled.shape)[..., :high, :wide]


def _by_blocks(strips: Array, matrix: Array) -> Array:
    """Every eight numbers of a line times a matrix."""
    return (strips.reshape(-1, 8) @ matrix).reshape(strips.shape)


def _filled(pixels: Array, multiple: int) -> Array:
    """The border repeated until both sides are multiples."""
    below, right = (-side % multiple for side in pixels.shape[2:])
    return np.pad(pixels, ((0, 0), (0, 0), (0, below), (0, right)), mode="edge")


def _halved(pixels: Array) -> Array:
    """Means of 2 x 2 pixels."""
    even = _filled(pixels, 2)
    return np.round(pressed(even, *(boxes(side, side // 2) for side in even.shape[2:])))


def _doubled(pixels: Array) -> Array:
    """Twice the size; a pixel takes three quarters of the one it lies in and a quarter of the nearest other."""
    return pressed(pixels, *(between(side) for side in pixels.shape[2:]))
