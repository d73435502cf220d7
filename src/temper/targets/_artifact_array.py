"""NumPy's array files: one of objects holds a pickle behind its header."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from temper.targets._artifact_seen import Seen
from temper.targets._unwrap import Refused

_HEADER = 1 << 16


def array(file: Any, seen: Seen, size: int, place: str = "") -> None:
    """An .npy of `size` bytes: its header is read as data, its items are counted, a pickle in it is followed.

    Source: numpy.lib.format.
    """
    start = file.read(8)
    width = 2 if start[6:7] == b"\x01" else 4
    length = int.from_bytes(file.read(width), "little")
    if length > _HEADER:
        raise Refused(f"the array's header claims {length:,} bytes")
    kind, count = _described(file.read(length))
    if kind is None:
        seen.note("the array's header cannot be read", place)
    elif kind.hasobject:
        seen.pickle(file, place, arrays=False)
    elif count * kind.itemsize != size - 8 - width - length:
        seen.note(f"the array claims {count * kind.itemsize:,} bytes and has {size - 8 - width - length:,}", place)


def _described(header: bytes) -> tuple[np.dtype[Any] | None, int]:
    try:
        found = ast.literal_eval(header.decode("latin-1").strip())
        kind = np.lib.format.descr_to_dtype(found["descr"])
        count = 1
        for length in found["shape"]:
            count *= int(length)
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        return None, 0
    return kind, count
