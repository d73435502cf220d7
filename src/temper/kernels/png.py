"""Pictures as PNG bytes: small, lossless, shown by anything."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

Pixels = np.ndarray[Any, Any]
_MAGIC = b"\x89PNG\r\n\x1a\n"
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
    return _MAGIC + b"".join(_chunk(name, body) for name, body in parts)


def decode(data: bytes, shape: tuple[int, int, int]) -> Pixels:
    """The picture of exactly this shape (1 or 3 colours, h, w) as numbers in [0, 1]; an alpha channel is left out.

    Nothing in the file decides how much is worked on: what is of another size, interlaced, not of 8 bits a colour, or
    unpacks to more than its head promises is a `ValueError` before it is unpacked.

    >>> float(decode(encode(np.full((2, 2, 3), 255, np.uint8)), (3, 2, 2)).min())
    1.0
    """
    colours, height, width = shape
    head, packed = _read(data)
    found = struct.unpack(">2I5B", head)
    channels = {(1, 0): 1, (1, 4): 2, (3, 2): 3, (3, 6): 4}.get((colours, found[3]))
    if found[:2] != (width, height) or found[2] != 8 or channels is None or found[4:] != (0, 0, 0):
        kind = "grey" if colours == 1 else "colour"
        raise ValueError(f"it is not a plain {kind} PNG of {width} by {height} pixels with 8 bits a colour")
    unpacker, long = zlib.decompressobj(), height * (1 + width * channels)
    try:
        lines = unpacker.decompress(packed, long)
    except zlib.error:
        raise ValueError("its pixels cannot be unpacked") from None
    if len(lines) != long or unpacker.decompress(unpacker.unconsumed_tail, 1):
        raise ValueError("it does not hold the pixels that its head promises")
    pixels = _unfiltered(lines, height, width, channels)[:, :, :colours]
    return pixels.transpose(2, 0, 1) / 255.0


def _read(data: bytes) -> tuple[bytes, bytes]:
    """The head, and what is packed, of a file whose checksums hold."""
    if not data.startswith(_MAGIC):
        raise ValueError("it is no PNG")
    head, packed, at = b"", [], len(_MAGIC)
    while at + 12 <= len(data):
        (long,), name = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + long]
        if len(body) != long or data[at + 8 + long : at + 12 + long] != struct.pack(">I", zlib.crc32(name + body)):
            raise ValueError("it is damaged")
        at += 12 + long
        if name == b"IHDR":
            head = body
        elif name == b"IDAT":
            packed.append(body)
        elif name == b"IEND":
            break
    if len(head) != 13 or not packed:
        raise ValueError("it has no head or no pixels")
    return head, b"".join(packed)


def _unfiltered(lines: bytes, height: int, width: int, channels: int) -> Pixels:
    """Every line without the filter that its first byte names."""
    rows = np.frombuffer(lines, np.uint8).reshape(height, -1)
    out = np.zeros((height + 1, width + 1, channels), np.int64)
    for y, row in enumerate(rows, start=1):
        kind, raw = int(row[0]), row[1:].reshape(width, channels).astype(np.int64)
        if kind > 4:
            raise ValueError("it uses a filter that there is not")
        for x in range(1, width + 1):
            left, up, corner = out[y, x - 1], out[y - 1, x], out[y - 1, x - 1]
            guess = (0, left, up, (left + up) // 2, _paeth(left, up, corner))[kind]
            out[y, x] = (raw[x - 1] + guess) % 256
    return out[1:, 1:]


def _paeth(left: Pixels, up: Pixels, corner: Pixels) -> Pixels:
    """Of the three the one nearest to left + up - corner.

    Source: Paeth, "Image file compression made easy", 1991.
    """
    guess = left + up - corner
    far = [np.abs(guess - one) for one in (left, up, corner)]
    nearest = np.where(far[1] <= far[2], up, corner)
    return np.where((far[0] <= far[1]) & (far[0] <= far[2]), left, nearest)


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
