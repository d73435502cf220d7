"""Compiled whitened distances; imported only where rows are scored."""

from __future__ import annotations

import numba
import numpy as np

_INFINITE = np.float32(np.inf)


@numba.njit(cache=True)
def whitened_squares(x, columns, whiten, levels, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n,) with mean squares of whitened rows, infinite where a NaN or an infinity is on the way, and give
    the largest.

    `columns` (d, 4) are mean, one over the spread, whether the column is a category, whether it may have gaps.
    """
    d, unseen = x.shape[1], levels.shape[1] - 1
    z, most = np.empty(d, np.float32), -np.inf
    for row in range(len(x)):
        for at in range(d):
            value = np.float32(x[row, at])
            if value != value:
                value = columns[at, 0] if columns[at, 3] > 0 else _INFINITE
            elif columns[at, 2] > 0:
                code = np.int64(value) if 0 <= value < unseen else unseen
                value = levels[at, code] if code == value else levels[at, unseen]
            z[at] = (value - columns[at, 0]) * columns[at, 1]
        total = np.float32(0.0)
        for end in range(d):
            part = np.float32(0.0)
            for at in range(end + 1):
                part += z[at] * whiten[end, at]
            total += part * part
        out[row] = total / d if total == total else np.inf
        most = max(most, out[row])
    return most
