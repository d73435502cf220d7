"""Compiled look-up of patterns of missing values; imported only where rows are scored."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True)
def keys(x, marks, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n,) with the key of each row's pattern of gaps: the sum of the marks of its missing columns."""
    for row in range(len(x)):
        key = np.uint64(0)
        for at in range(x.shape[1]):
            if x[row, at] != x[row, at]:
                key += marks[at]
        out[row] = key


@numba.njit(cache=True)
def strange(x, marks, patterns, known, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n,) with how strange each pattern is, and give the largest: `known` of it, or the last entry where it
    is not there.
    """
    most = -np.inf
    found = np.empty(len(x), np.uint64)
    keys(x, marks, found)
    for row in range(len(x)):
        at = np.searchsorted(patterns, found[row])
        seen = at < len(patterns) and patterns[at] == found[row]
        out[row] = known[at] if seen else known[-1]
        most = max(most, out[row])
    return most
