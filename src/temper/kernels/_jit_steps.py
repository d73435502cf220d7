"""Compiled search for steps of one size in several columns at once; imported only where queries are watched."""

from __future__ import annotations

import math

import numba
import numpy as np

STEPS = 64
_COLUMNS, _TOGETHER, _LEAST, _NATS = 64, 3, 3, 3.0
_SAME = np.float32(1e-4)
_ONE = np.uint64(1)


@numba.njit(cache=True)
def repeated(step, steps, masks, logs):  # type: ignore[no-untyped-def]
    """How surprising it is, in nats, that a step (k,) has the sizes of earlier `steps` (STEPS, k) in three columns and
    more at once, three times and more, if columns agreed by themselves, each as often as it does in these steps; nought
    below three nats.
    `masks` (STEPS,) and `logs` (k,) are room to count in.
    """
    wide = min(len(step), _COLUMNS)
    masks[:] = 0
    for at in range(wide):
        size, many = step[at], 0
        if size > 0:
            for back in range(STEPS):
                if abs(steps[back, at] - size) <= _SAME * size:
                    masks[back] |= _ONE << np.uint64(at)
                    many += 1
        logs[at] = math.log((many + 1.0) / (STEPS + 1.0))
    most = 0.0
    for back in range(STEPS):
        mask, together, expected = masks[back], 0, math.log(STEPS)
        for at in range(wide):
            if mask >> np.uint64(at) & _ONE:
                together += 1
                expected += logs[at]
        if together < _TOGETHER:
            continue
        seen = 0
        for other in range(STEPS):
            seen += masks[other] & mask == mask
        if seen >= _LEAST:  # the tail of a Poisson variable, by Chernoff
            most = max(most, seen * (math.log(seen) - expected - 1.0) + math.exp(expected))
    return most if most >= _NATS else 0.0
