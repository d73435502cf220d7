"""Compiled tail sums of ECOD; imported only where rows are scored."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True)
def tail_sums(x, tables, columns, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n,) with the largest of the left, the right and the skew-wise sum of -log tail probabilities, and
    give the largest of all.

    `tables` (d, 3, knots) are knots, left and right tails; `columns` (d, 5) how many knots count, whether they are
    categories, what a gap and what an unseen category counts, and the sign of the skewness.
    """
    most = -np.inf
    for row in range(len(x)):
        lefts = rights = leans = np.float64(0.0)
        for at in range(x.shape[1]):
            value, last = x[row, at], np.int64(columns[at, 0]) - 1
            knots, left, right = tables[at, 0], tables[at, 1], tables[at, 2]
            if value != value:
                low = high = columns[at, 2]
            elif columns[at, 1] > 0.0:
                here = _below(knots, last, value)
                low = high = left[here] if knots[here] == value else columns[at, 3]
            elif last == 0:
                low = high = left[0] if value == knots[0] else np.inf
            else:
                here = min(_below(knots, last, value), last - 1)
                share = (value - knots[here]) / (knots[here + 1] - knots[here])
                low = max(left[here] + share * (left[here + 1] - left[here]), 0.0)
                high = max(right[here] + share * (right[here + 1] - right[here]), 0.0)
            lefts += low
            rights += high
            lean = columns[at, 4]
            leans += low if lean < 0.0 else high if lean > 0.0 else max(low, high)
        out[row] = max(lefts, rights, leans)
        most = max(most, out[row])
    return most


@numba.njit(cache=True)
def _below(knots, last, value):  # type: ignore[no-untyped-def]
    """The last place whose knot is not above the value, 0 where there is none."""
    first = 0
    while first < last:
        middle = (first + last + 1) // 2
        if knots[middle] <= value:
            first = middle
        else:
            last = middle - 1
    return first
