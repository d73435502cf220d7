"""Pictures as PNG bytes: small, lossless, shown by anything."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

Pixels = np.ndarray[Any, Any]
_GAP = 2  # white columns between pictures that stand side by side


def encode(pixels: Pixels) -> bytes:
    """The PNG file of (h, w, 3) numbers in 0..255.

    Source: ISO/IEC 15948, Portable Network Graphics, 2004.

    >>> encode(np.zeros((1, 1, 3), np.uint8))[:4]
    b'\\x89PNG'
    """
    height, width, _ = pixels.shape
    rows = np.asarray(pixels, dtype=np.uint8).reshape(height, -1)
    lines = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1).tobytes()  # filter 0 before every line
    head = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in parts)


def side_by_side(clean: Pixels, changed: Pixels, low: float, high: float, grow: int = 3) -> Pixels:
    """Clean, changed and their difference (grey = same, stretched to its largest), enlarged, as (h, w, 3) in 0..255.

    Images are (1 or 3, h, w) in [low, high].
    """
    gap = np.asarray(changed, float) - np.asarray(clean, float)
    largest = max(float(np.abs(gap).max()), 1e-12)
    shown = [_shown(clean, low, high), _shown(changed, low, high), _shown(gap, -largest, largest)]
    white = np.full((shown[0].shape[0], _GAP, 3), 255, np.uint8)
    whole = np.concatenate([shown[0], white, shown[1], white, shown[2]], axis=1)
    return whole.repeat(grow, axis=0).repeat(grow, axis=1)


def _shown(image: Pixels, low: float, high: float) -> Pixels:
    unit = np.clip((np.asarray(image, float) - low) / (high - low), 0.0, 1.0)
    colour = np.broadcast_to(unit, (3, *unit.shape[1:])) if unit.shape[0] == 1 else unit
    return np.round(255 * colour).astype(np.uint8).transpose(1, 2, 0)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
