"""How likely a value is lost where that depends on a value: by its place among the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.stress._choice import Feature
from temper.stress._strike import STEPS

_SAMPLE = 512  # rows that places are taken among: fine enough, and the sample stays in the processor's cache


def least(out: np.ndarray[Any, Any], feature: Feature, rate: float) -> np.ndarray[Any, Any]:
    """The smallest value that is lost at each step of chance, NaN where none is: `limits` of `places`, turned round."""
    seen, middle = _ranked(out, feature)
    lost = np.round(STEPS * np.minimum(3.0 * rate * middle**2, 1.0)).astype(np.int64)
    found = np.repeat(np.concatenate((seen, [np.nan])), np.diff(lost, prepend=0, append=STEPS))
    found[: lost[:1].sum()] = -np.inf
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
    seen, middle = _ranked(out, feature)
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


def _ranked(out: np.ndarray[Any, Any], feature: Feature) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The values of a sample in their order, and the place of each in [0, 1]."""
    known = values(out, feature, slice(None, None, max(1, len(out) // _SAMPLE)))
    seen, counts = np.unique(known[~np.isnan(known)], return_counts=True)
    return seen, (np.cumsum(counts) - counts / 2) / max(counts.sum(), 1)
