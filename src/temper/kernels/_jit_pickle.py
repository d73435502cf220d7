"""Compiled: the length of one batch of plain values in a pickle, so that a vocabulary is passed over at once."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

WORD = 1024  # bytes of a text that is decoded; a longer one is passed over
_MEMOIZE, _PUT1, _PUT4, _GET1, _GET4, _FRAME = 0x94, ord("q"), ord("r"), ord("h"), ord("j"), 0x95
_TEXT1, _TEXT4, _DATA1, _DATA4, _LONG1, _TUPLE2, _REDUCE = 0x8C, ord("X"), ord("C"), ord("B"), 0x8A, 0x86, ord("R")
_MARK, _SETITEMS, _APPENDS, _ADDITEMS = ord("("), ord("u"), ord("e"), 0x90
_FIXED = np.full(256, -1)  # bytes of a value that always has as many: none, true, false, whole numbers, a float
for _code, _size in ((ord("N"), 0), (0x88, 0), (0x89, 0), (ord("K"), 1), (ord("M"), 2), (ord("J"), 4), (ord("G"), 8)):
    _FIXED[_code] = _size


@numba.njit(cache=True)
def batches(raw: Any, at: int, known: int, floor: int) -> Any:
    """From behind a MARK over as many batches of plain values as follow each other and end in the same way.

    Place behind the last, opcodes, entries of the memo, characters, and the memo places of the function and the type of
    NumPy scalars in them (-1 without); place 0 where there is none. The memo has `known` entries, the first `floor` of
    them read. What cannot be followed to the letter is left to the reader that can.
    """
    end = opcodes = entries = letters = 0
    function = kind = -1
    while True:
        found, count, memos, words, called, given = _batch(raw, at, known, entries, floor)
        if not found or (end and raw[found - 1] != raw[end - 1]):
            break
        if called >= 0 and function >= 0 and (called != function or given != kind):
            break
        if called >= 0:
            function, kind = called, given
        opcodes, entries, letters = opcodes + count + (end > 0), memos, letters + words
        end = found
        if end >= len(raw) or raw[end] != _MARK:
            break
        at = end + 1
    return end, opcodes, entries, letters, function, kind


@numba.njit(cache=True)
def _batch(raw: Any, at: int, known: int, memos: int, floor: int) -> Any:
    """One batch, from behind its MARK to behind its SETITEMS, APPENDS or ADDITEMS."""
    opcodes = items = letters = 0
    function = kind = -1
    shared_key = False
    while at < len(raw):
        code, at, opcodes = raw[at], at + 1, opcodes + 1
        if code == _TEXT1 and at < len(raw) and at + raw[at] < len(raw) and _ascii(raw, at + 1, at + 1 + raw[at]):
            letters, items, at = letters + raw[at], items + 1, at + 1 + raw[at]  # a word, as nearly all texts are
            continue
        if _FIXED[code] >= 0:
            at, items = at + _FIXED[code], items + 1
            continue
        if code in (_MEMOIZE, _PUT1, _PUT4):
            at = _next_place(raw, at, code, known + memos)
            if at < 0 or not items:
                break
            memos += 1
            continue
        if code in (_SETITEMS, _APPENDS, _ADDITEMS):
            if (code == _SETITEMS and items % 2) or (code != _APPENDS and shared_key):
                break
            return at, opcodes, memos, letters, function, kind
        if code == _FRAME:
            at += 8
            continue
        if code in (_GET1, _GET4):
            end, first, second, inside, more = _scalar(raw, at, code, floor)
            if end > 0:
                if function >= 0 and (first != function or second != kind):
                    break
                function, kind, at, memos, opcodes = first, second, end, memos + inside, opcodes + more
            else:
                place, at = _number(raw, at, 1 if code == _GET1 else 4)
                if place < 0 or place >= known + memos or floor <= place < known:
                    break
                shared_key |= items % 2 == 0
        else:
            at, counted = _value(raw, at, code)
            if at < 0:
                break
            letters += counted
        items += 1
    return 0, 0, 0, 0, -1, -1


@numba.njit(cache=True)
def _ascii(raw: Any, at: int, end: int) -> bool:
    """Whether no byte is above 127."""
    bits = 0
    for place in range(np.uint64(at), np.uint64(end)):
        bits |= raw[place]
    return bits < 128


@numba.njit(cache=True)
def _value(raw: Any, at: int, code: int) -> Any:
    """Place behind a plain value, and its characters if it is a text; -1 where it is none or is cut off."""
    if code in (_TEXT1, _TEXT4):
        length, at = _number(raw, at, 1 if code == _TEXT1 else 4)
        if length < 0 or at + length > len(raw):
            return -1, 0
        letters = characters(raw, at, at + length) if length <= WORD else 0
        return (at + length if letters >= 0 else -1), letters
    if code in (_DATA1, _LONG1, _DATA4):
        length, at = _number(raw, at, 4 if code == _DATA4 else 1)
    else:
        return -1, 0
    return (at + length if length >= 0 and at + length <= len(raw) else -1), 0


@numba.njit(cache=True)
def _number(raw: Any, at: int, width: int) -> Any:
    """A whole number of one or four bytes, and the place behind it; -1 where it is cut off."""
    if at + width > len(raw):
        return -1, at
    value = 0
    for byte in range(width - 1, -1, -1):
        value = value * 256 + raw[at + byte]
    return value, at + width


@numba.njit(cache=True)
def _next_place(raw: Any, at: int, code: int, place: int) -> int:
    """Behind a MEMOIZE, or a PUT that does the same: one that names the next free place; -1 for another."""
    if code == _MEMOIZE:
        return at
    told, at = _number(raw, at, 1 if code == _PUT1 else 4)
    return at if told == place else -1


@numba.njit(cache=True)
def _scalar(raw: Any, at: int, code: int, floor: int) -> Any:
    """A NumPy scalar, from behind the opcode that gets its function: end, function, type, memo entries, opcodes; end 0
    where it is something else. The form is that of pickle: get, get, bytes, TUPLE2, REDUCE, each kept by MEMOIZE, with
    a FRAME anywhere.
    """
    function, at = _number(raw, at, 1 if code == _GET1 else 4)
    at, opcodes = _framed(raw, at)
    memos = 0
    if function < 0 or function >= floor or at >= len(raw) or (raw[at] != _GET1 and raw[at] != _GET4):
        return 0, 0, 0, 0, 0
    kind, at = _number(raw, at + 1, 1 if raw[at] == _GET1 else 4)
    at, frames = _framed(raw, at)
    if kind < 0 or kind >= floor or at + 2 > len(raw) or raw[at] != _DATA1:
        return 0, 0, 0, 0, 0
    at, opcodes = at + 2 + raw[at + 1], opcodes + frames + 2
    for expected in (_TUPLE2, _REDUCE):
        at, frames = _framed(raw, at)
        if at < len(raw) and raw[at] == _MEMOIZE:
            at, more = _framed(raw, at + 1)
            memos, opcodes = memos + 1, opcodes + 1 + more
        if at >= len(raw) or raw[at] != expected:
            return 0, 0, 0, 0, 0
        opcodes, at = opcodes + frames + 1, at + 1
    return at, function, kind, memos, opcodes


@numba.njit(cache=True)
def _framed(raw: Any, at: int) -> Any:
    """Place behind a FRAME, and how many there were: one or none."""
    return (at + 9, 1) if at < len(raw) and raw[at] == _FRAME else (at, 0)


@numba.njit(cache=True)
def characters(raw: Any, at: int, end: int) -> int:
    """Characters of UTF-8 as Python's "surrogatepass" takes it; -1 where it would refuse.

    Source: the Unicode standard, table 3-7, with the surrogates let through.
    """
    count = 0
    while at < end:
        first = raw[at]
        more, low, high = 0, 0x80, 0xBF
        if first >= 0x80:
            if first < 0xC2 or first > 0xF4:
                return -1
            more = 1 if first < 0xE0 else 2 if first < 0xF0 else 3
            if first == 0xE0:
                low = 0xA0
            elif first == 0xF0:
                low = 0x90
            elif first == 0xF4:
                high = 0x8F
            if at + more >= end or raw[at + 1] < low or raw[at + 1] > high:
                return -1
            for rest in range(2, more + 1):
                if raw[at + rest] < 0x80 or raw[at + rest] > 0xBF:
                    return -1
        at += more + 1
        count += 1
    return count
