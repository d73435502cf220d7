"""A text as hashed pieces in the places where they stand: runs of characters, words and pairs of words."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

BITS = 18
LETTERS = (3, 4, 5)
"""Lengths of the runs of characters."""

_BASE = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 2**64))
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_ZERO, _ONE, _NINE = map(np.uint64, map(ord, "019"))


def pieces(text: str) -> tuple[Array, Array, int]:
    """(bucket, place of its first character, length of the text) of every piece of the text, white space as one space.

    Pieces are all runs of `LETTERS` characters without case, digits alike, and all words and pairs of words. The work
    is a fixed number of passes over the text. (Runs of kinds of characters, tried for strings that a search optimised,
    made tables and code look like those.)
    """
    codes = _codes(" ".join(text.split()).lower())
    codes[(codes >= _ONE) & (codes <= _NINE)] = _ZERO
    if len(codes) < LETTERS[-1]:
        codes = np.concatenate([codes, np.full(LETTERS[-1] - len(codes), 32, dtype=np.uint64)])
    runs = [(_runs(codes, n), n) for n in LETTERS]
    words, starts = _words(codes)
    pairs = words[:-1] * _BASE + words[1:]
    hashes = [_bucket(found, salt) for found, salt in (*runs, (words, 37), (pairs, 41))]
    places = [*(np.arange(len(found)) for found, _ in runs), starts, starts[:-1]]
    return np.concatenate(hashes), np.concatenate(places), len(codes)


def _codes(text: str) -> Array:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)


def _runs(codes: Array, length: int) -> Array:
    """A number for every run of this length."""
    found = codes[: len(codes) - length + 1].copy()
    for at in range(1, length):
        found = found * _BASE + codes[at : len(codes) - length + 1 + at]
    return found


def _words(codes: Array) -> tuple[Array, Array]:
    """A number for every word, from sums of powers, and where each begins."""
    inside = _letters()[np.minimum(codes, 128)]
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    powers = np.cumprod(np.full(len(codes), _BASE))
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(codes * powers, dtype=np.uint64)])
    back = np.cumprod(np.full(len(codes), _INVERSE))
    return (sums[ends] - sums[starts]) * back[starts], starts


def _bucket(numbers: Array, salt: int) -> Array:
    mixed = (numbers + np.uint64(salt)) * _MIX
    mixed ^= mixed >> np.uint64(29)
    return (mixed * _BASE >> np.uint64(64 - BITS)).astype(np.intp)


@cache
def _letters() -> Array:
    """Whether each of 128 signs is a letter or digit; everything beyond counts as one."""
    return np.array([chr(at).isalnum() for at in range(128)] + [True])
