"""How likely a value is lost where that depends on a value: by its place among the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.stress._choice import Feature
from temper.stress._strike import STEPS

_SAMPLE = 512  # rows that places are taken among: fine enough, and the sample stays in the processor's cache


def sample(out: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """About 512 evenly spaced rows, side by side in memory."""
    rows: np.ndarray[Any, Any] = out[:: max(1, len(out) // _SAMPLE)].copy()
    return rows


def least(known: np.ndarray[Any, Any], rate: float) -> np.ndarray[Any, Any]:
    """The smallest value that is lost at each step of chance, NaN where none is: `limits` of `places`, turned round."""
    seen, middle = _ranked(known)
    until = np.zeros(len(seen) + 2, dtype=np.int64)
    until[1:-1] = STEPS * np.minimum(3.0 * rate * middle**2, 1.0) + 0.5
    until[-1] = STEPS
    found = np.append(seen, np.nan).repeat(until[1:] - until[:-1])
    found[: until[1]] = -np.inf if len(seen) else np.nan
    return found


def values(out: np.ndarray[Any, Any], feature: Feature, rows: Any) -> np.ndarray[Any, Any]:
    """The values of a feature in these rows; of a one-hot group the number of its category."""
    if feature.hot:
        hot: np.ndarray[Any, Any] = out[rows][:, feature.where].argmax(axis=1).astype(np.float64)
        return hot
    found: np.ndarray[Any, Any] = out[rows, feature.at[0]]
    return found


def places(out: np.ndarray[Any, Any], feature: Feature, rows: Any) -> np.ndarray[Any, Any]:
    """The place of the value in each of `rows` among about 512 evenly spaced rows of all, in [0, 1].

    Ties share theirs, a missing value stands in the middle; a one-hot group is read as the number of its category.
    """
    seen, middle = _ranked(values(sample(out), feature, slice(None)))
    if not len(seen):
        return np.full(len(rows), 0.5)
    found = values(out, feature, rows)
    place = middle[np.maximum(np.searchsorted(seen, found, "right") - 1, 0)]
    return np.where(np.isnan(found), 0.5, place)


def limits(place: np.ndarray[Any, Any], rate: float) -> np.ndarray[Any, Any]:
    """The 64-bit number below which a value is lost: `rate` on average, at the top three times that, else less."""
    chance = np.minimum(3.0 * rate * place**2, 1.0 - 2.0**-53)
    found: np.ndarray[Any, Any] = (chance * 2.0**64).astype(np.uint64)
    return found


def _ranked(known: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The values of a sample in their order, and the place of each in [0, 1]."""
    seen, counts = np.unique(known[~np.isnan(known)], return_counts=True)
    return seen, (np.cumsum(counts) - counts / 2) / max(counts.sum(), 1)
