"""UBJSON passed over value by value: the one source runs as it is for small documents and compiled for large ones."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np

MIXED, DEEP = 0, 100
_TEXT, _WRITTEN_OUT, _OBJECT, _ARRAY, _OBJECT_ENDS, _ARRAY_ENDS, _KIND, _COUNT, _UNSIGNED = b"SH{[}]$#U"
_NOTHING = -1
FIELDS = 5  # of a row: which key, what kind of values (or MIXED), how many, where they begin, where they end
_APART, _MOST = 32, 1 << 22  # bytes from row to row of any real model (it is 100 at least), and rows in all
_WORTH = 1 << 20  # bytes from which on the compiled form is loaded for it
# Bytes of a value of each kind, and of a length; -1 for a letter that is none.
_SIZES, _LENGTHS = [-1] * 256, [-1] * 256
for _letter, _size in zip("iUIlLdDTFZC", (1, 1, 2, 4, 8, 4, 8, 0, 0, 0, 1), strict=True):
    _SIZES[ord(_letter)] = _size
for _letter, _size in zip("iUIlL", (1, 1, 2, 4, 8), strict=True):
    _LENGTHS[ord(_letter)] = _size


def walked(content: Any, keys: Sequence[bytes]) -> tuple[Any, int]:
    """Rows of `FIELDS` numbers for the values under these keys, in order, and the place behind the document.

    Raises ValueError where it is cut off, damaged or nested too deeply; every length must fit what is there.
    Source: the Universal Binary JSON specification, draft 12.
    """
    most = min(len(content) // _APART + 64, _MOST)
    names, starts = b"".join(keys), [0, *accumulate(map(len, keys))]
    if len(content) < _WORTH and "numba" not in sys.modules:
        rows: Any = [0] * (FIELDS * most)
        found, end = walk(content, names, starts, rows, [0] * (2 * DEEP), _SIZES, _LENGTHS)
        return np.array(rows[: FIELDS * found], np.int64).reshape(-1, FIELDS), end
    rows = np.zeros(FIELDS * most, np.int64)
    starts_, sizes, lengths = (np.array(table) for table in (starts, _SIZES, _LENGTHS))
    # No name for the array over `content`: it may be a mapped file, which cannot be closed while one looks into it.
    found, end = _compiled()(
        np.frombuffer(content, np.uint8),
        np.frombuffer(names, np.uint8),
        starts_,
        rows,
        np.zeros(2 * DEEP, np.int64),
        sizes,
        lengths,
    )
    return rows[: FIELDS * found].reshape(-1, FIELDS), end


@lru_cache(maxsize=1)
def _compiled() -> Any:
    import numba
    from numba.extending import register_jitable

    for part in (_length, _key, _header):
        register_jitable(part)
    return numba.njit(cache=True)(walk)


def walk(raw: Any, names: Any, starts: Any, rows: Any, waits: Any, sizes: Any, lengths: Any) -> Any:
    """Fill `rows`; how many, and the place behind the document. `waits` is room for what open containers wait for: a
    count, or less than zero for a closing letter; and behind that for the row of each.
    """
    at = deep = found = 0
    while True:
        while deep and (waits[deep - 1] == 0 or (at < len(raw) and raw[at] == -waits[deep - 1])):
            at += waits[deep - 1] != 0
            deep -= 1
            if waits[DEEP + deep] >= 0:
                rows[waits[DEEP + deep]] = at
        if deep == 0 and at > 0:
            return found, at
        key = -1
        if deep and waits[deep - 1] == -_OBJECT_ENDS:
            at, key = _key(raw, at, names, starts, lengths)
        elif deep:
            waits[deep - 1] -= waits[deep - 1] > 0
        at, kind, count, start, waiting = _header(raw, at, sizes, lengths)
        if waiting != _NOTHING:
            if deep == DEEP:
                raise ValueError("it is nested too deeply")
            waits[deep], waits[DEEP + deep] = waiting, FIELDS * found + 4 if key >= 0 else -1
            deep += 1
        if at > len(raw) or FIELDS * found >= len(rows):
            raise ValueError("a value ends behind the end")
        if key >= 0:
            rows[FIELDS * found], rows[FIELDS * found + 1] = key, kind
            rows[FIELDS * found + 2], rows[FIELDS * found + 3], rows[FIELDS * found + 4] = count, start, at
            found += 1


def _length(raw: Any, at: int, lengths: Any) -> Any:
    """Place behind a length, and the length."""
    width = lengths[raw[at]] if at < len(raw) else -1
    if width < 0 or at + 1 + width > len(raw) or (raw[at] != _UNSIGNED and raw[at + 1] > 127):
        raise ValueError("a length is missing or negative")
    value = 0
    for place in range(at + 1, at + 1 + width):
        value = value * 256 + raw[place]
    if value > len(raw):
        raise ValueError("a length is larger than the document")
    return at + 1 + width, value


def _key(raw: Any, at: int, names: Any, starts: Any, lengths: Any) -> Any:
    """Place behind a name, and which of the keys it is; -1 for another. Key k lies in `names` from `starts[k]` on."""
    at, count = _length(raw, at, lengths)
    if at + count > len(raw):
        return at + count, -1
    for which in range(len(starts) - 1):
        start = starts[which]
        if starts[which + 1] - start == count:
            place = 0
            while place < count and raw[at + place] == names[start + place]:
                place += 1
            if place == count:
                return at + count, which
    return at + count, -1


def _header(raw: Any, at: int, sizes: Any, lengths: Any) -> Any:
    """One value, up to its end or into a container: place, kind, count, where it begins, what a container waits for."""
    letter = int(raw[at]) if at < len(raw) else 0
    at, kind, counted = at + 1, MIXED, False
    if letter in (_TEXT, _WRITTEN_OUT):
        start, count = _length(raw, at, lengths)
        return start + count, letter, count, start, _NOTHING
    if letter not in (_OBJECT, _ARRAY):
        if sizes[letter] < 0:
            raise ValueError("an unknown kind of value")
        return at + sizes[letter], letter, 1, at, _NOTHING
    count = -(_OBJECT_ENDS if letter == _OBJECT else _ARRAY_ENDS)
    if at + 1 < len(raw) and raw[at] == _KIND:
        at, kind = at + 2, int(raw[at + 1])
    if at < len(raw) and raw[at] == _COUNT:
        at, count = _length(raw, at + 1, lengths)
        counted = True
    if (kind and (not counted or sizes[kind] < 0)) or (counted and letter == _OBJECT):
        raise ValueError("a container that XGBoost does not write")
    if kind:
        return at + count * sizes[kind], kind, count, at, _NOTHING
    return at, kind, count, at, count
