"""How likely a value is lost where that depends on a value: by its place among the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.stress._choice import Feature

_SAMPLE = 512  # rows that places are taken among: fine enough, and the sample stays in the processor's cache


def places(out: np.ndarray[Any, Any], feature: Feature, rows: Any) -> np.ndarray[Any, Any]:
    """The place of the value in each of `rows` among about 512 evenly spaced rows of all, in [0, 1].

    Ties share theirs, a missing value stands in the middle; a one-hot group is read as the number of its category.
    """
    known = _values(out, feature, slice(None, None, max(1, len(out) // _SAMPLE)))
    seen, counts = np.unique(known[~np.isnan(known)], return_counts=True)
    if not len(seen):
        return np.full(len(rows), 0.5)
    middle = (np.cumsum(counts) - counts / 2) / counts.sum()
    values = _values(out, feature, rows)
    place = middle[np.maximum(np.searchsorted(seen, values, "right") - 1, 0)]
    return np.where(np.isnan(values), 0.5, place)


def limits(place: np.ndarray[Any, Any], rate: float) -> np.ndarray[Any, Any]:
    """The 64-bit number below which a value is lost: `rate` on average, at the top three times that, else less."""
    chance = np.minimum(3.0 * rate * place**2, 1.0 - 2.0**-53)
    found: np.ndarray[Any, Any] = (chance * 2.0**64).astype(np.uint64)
    return found


def _values(out: np.ndarray[Any, Any], feature: Feature, rows: Any) -> np.ndarray[Any, Any]:
    if feature.hot:
        hot: np.ndarray[Any, Any] = out[rows][:, feature.where].argmax(axis=1).astype(np.float64)
        return hot
    values: np.ndarray[Any, Any] = out[rows, feature.at[0]]
    return values
