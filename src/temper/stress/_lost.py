"""How likely a value is lost where that depends on a value: by its place among the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.stress._choice import Feature


def places(out: np.ndarray[Any, Any], feature: Feature) -> np.ndarray[Any, Any]:
    """Per row the place of its value among all rows, in [0, 1].

    Ties share theirs, a missing value stands in the middle; a one-hot group is read as the number of its category.
    """
    values = out[:, list(feature.at)].argmax(axis=1) if feature.hot else out[:, feature.at[0]]
    known = np.sort(values[~np.isnan(values)])
    below, upto = np.searchsorted(known, values, "left"), np.searchsorted(known, values, "right")
    place = (below + upto) / max(2 * len(known), 1)
    return np.where(np.isnan(values), 0.5, place)


def chance(place: np.ndarray[Any, Any], rate: float) -> np.ndarray[Any, Any]:
    """The chance to be lost: `rate` on average, three times that at the top, none at the bottom."""
    return np.minimum(3.0 * rate * place**2, 1.0)
