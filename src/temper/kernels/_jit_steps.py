"""Compiled search for steps of one size in several columns at once; imported only where queries are watched."""

from __future__ import annotations

import math

import numba
import numpy as np

STEPS = 64
_COLUMNS, _TOGETHER, _LEAST, _NATS = 64, 3, 3, 3.0
_SAME = np.float32(1e-4)
_ONE, _NONE, _PAIRS = np.uint64(1), np.uint64(0), np.uint64(0x3333333333333333)


@numba.njit(cache=True)
def _bits(word):  # type: ignore[no-untyped-def]
    """How many bits of a word are set (Wegner's count in parallel)."""
    word -= (word >> _ONE) & np.uint64(0x5555555555555555)
    word = (word & _PAIRS) + ((word >> np.uint64(2)) & _PAIRS)
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@numba.njit(cache=True)
def repeated(step, steps, masks, logs):  # type: ignore[no-untyped-def]
    """How surprising it is, in nats, that a step (k,) has the sizes of earlier `steps` (k, STEPS) in three columns and
    more at once, three times and more, if columns agreed by themselves, each as often as it does in these steps; nought
    below three nats.
    `masks` (STEPS,) and `logs` (k,) are room to count in.
    """
    wide = min(len(step), _COLUMNS)
    masks[:] = 0
    for at in range(wide):
        size, earlier, many = step[at], steps[at], 0
        if size > 0:
            near, bit = _SAME * size, _ONE << np.uint64(at)
            for back in range(STEPS):
                same = abs(earlier[back] - size) <= near
                masks[back] |= bit if same else _NONE
                many += same
        logs[at] = math.log((many + 1.0) / (STEPS + 1.0))
    most = 0.0
    for back in range(STEPS):
        mask, expected = masks[back], math.log(STEPS)
        if _bits(mask) < _TOGETHER:
            continue
        for at in range(wide):
            if mask >> np.uint64(at) & _ONE:
                expected += logs[at]
        seen = 0
        for other in range(STEPS):
            seen += masks[other] & mask == mask
        if seen >= _LEAST:  # the tail of a Poisson variable, by Chernoff
            most = max(most, seen * (math.log(seen) - expected - 1.0) + math.exp(expected))
    return most if most >= _NATS else 0.0
