"""Error budgets: how fast one is burnt, over a long and a short while at once."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def burn(good: float, asked: float, slo: float) -> float:
    """How many times as fast as it may the budget burns; 0 of none.

    >>> burn(80, 100, 0.9)
    2.0
    """
    return round((1 - good / asked) / (1 - slo), 9) if asked else 0.0


def burning(asked: Array, good: Array, slo: float, rate: float, sizes: tuple[int, int], least: int) -> Array:
    """Whether at the end of each bucket the budget burns `rate` times as fast as it may, over the last `sizes` buckets
    (the long while and the short one), of `least` events in the short one at least.

    A while that reaches back before the start holds what there was.
    Source: Beyer et al., "The site reliability workbook", 2018, chapter 5 (multiwindow, multi-burn-rate alerts).

    >>> burning(np.array([9, 9, 9]), np.array([9, 0, 9]), 0.9, 4.0, (3, 1), 5)
    array([False,  True, False])
    """
    ends = np.arange(1, len(asked) + 1)
    long, short = (_over(asked, good, ends, size) for size in sizes)
    fast = [burn(*counts, slo) >= rate for counts in zip(long[0], long[1], strict=True)]
    sure = [some >= least and burn(well, some, slo) >= rate for well, some in zip(short[0], short[1], strict=True)]
    return np.array([a and b for a, b in zip(fast, sure, strict=True)], dtype=bool)


def _over(asked: Array, good: Array, ends: Array, size: int) -> tuple[list[float], list[float]]:
    """(good, asked) in the last `size` buckets before each end."""
    starts = np.maximum(0, ends - size)
    all_asked, all_good = sums(asked), sums(good)
    return (all_good[ends] - all_good[starts]).tolist(), (all_asked[ends] - all_asked[starts]).tolist()


def sums(counts: Array) -> Array:
    """How many there were before each bucket, and in all.

    >>> sums(np.array([2, 3]))
    array([0, 2, 5])
    """
    return np.concatenate([[0], np.cumsum(counts)])
