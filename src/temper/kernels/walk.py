"""Whether a sequence comes down as it goes on: exact for every length, ties counted against it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def approach_p(values: Array) -> float:
    """p that all orders of these values are as likely, against values that fall: by the number of pairs that fall.

    A tie is no fall, so p is never too small.
    Source: Mann, "Nonparametric tests against trend", 1945.

    >>> approach_p(np.array([3.0, 2.0, 1.0])), approach_p(np.array([1.0, 1.0, 1.0]))
    (0.16666666666666666, 1.0)
    """
    fallen = int(np.count_nonzero(np.triu(values[:, None] > values, 1)))
    return float(_tails(len(values))[fallen])


@lru_cache(maxsize=128)
def _tails(n: int) -> Array:
    """The chance that at least so many pairs of a random order of n are inverted."""
    chances = np.ones(1)
    for kind in range(2, n + 1):
        chances = np.convolve(chances, np.full(kind, 1.0 / kind))
    tails = np.cumsum(chances[::-1])[::-1]
    tails[0] = 1.0
    return tails
