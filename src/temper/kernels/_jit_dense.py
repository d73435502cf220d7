"""Compiled first layer of linear models and nets; imported only where rows are scored."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True)
def first_layer(x, weights, gaps, starts, counts, table, bias, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n, h): a number (`starts[at]` below nought) counts itself times `weights[at]`, a code the row of the
    table that stands for it, what is missing `gaps[at]`. What is none of that makes the whole row NaN.
    """
    for row in range(len(x)):
        out[row] = bias
        for at in range(x.shape[1]):
            value = x[row, at]
            if value != value:
                out[row] += gaps[at]
            elif starts[at] < 0 and abs(value) < np.inf:
                out[row] += value * weights[at]
            elif starts[at] >= 0 and 0.0 <= value < counts[at] and value == np.floor(value):
                out[row] += table[starts[at] + np.int64(value)]
            else:
                out[row] = np.nan
