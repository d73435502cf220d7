"""How far apart mixed rows are: numbers by their usual span, words by being the same or not."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def gower(row: Array, others: Array, span: Array) -> Array:
    """How far each column of `others` (n, d) is from `row` (d,), from 0 (the same) to 1; their mean is the distance.

    A column with a span counts |a - b| / span, at most 1; one whose span is 0 or NaN counts 1 where it differs. Missing
    values (NaN) are like each other and unlike all else. Misleads where columns repeat each other: what they say counts
    as often as they say it.
    Source: Gower, "A general coefficient of similarity and some of its properties", 1971.

    >>> gower(np.array([10.0, 1.0]), np.array([[20.0, 1.0], [90.0, 2.0]]), np.array([40.0, np.nan])).tolist()
    [[0.25, 0.0], [1.0, 1.0]]
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        apart = np.abs(others - row)
        scaled = np.where(span > 0, np.minimum(apart / span, 1.0), 1.0)
    same = (others == row) | (np.isnan(others) & np.isnan(row))
    return np.where(same, 0.0, np.where(np.isnan(apart), 1.0, scaled))
