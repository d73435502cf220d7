"""PRADA, the published detector of extraction, for this bench: distances to own queries, tested for normality."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

Array = Any
FEWEST, EVERY = 100, 10


def statistics(z: Array, classes: Array) -> Array:
    """The Shapiro-Wilk statistic (n,) after each query of one client, NaN before the hundredth distance.

    `z` (n, d) are scaled rows, `classes` (n,) what the model said: a query's distance is to the nearest earlier one of
    its class that was kept, and one is kept where it is farther than that class's threshold. Distances beyond three
    deviations are left out. Looked at every ten queries.
    Source: Juuti et al., "PRADA: protecting against DNN model stealing attacks", 2019.
    """
    from scipy.stats import shapiro

    kept: dict[int, list[Array]] = {}
    own: dict[int, list[float]] = {}
    limit: dict[int, float] = {}
    every: list[float] = []
    found = np.full(len(z), np.nan)
    for at, (row, said) in enumerate(zip(z, classes, strict=True)):
        one = int(said)
        if one not in kept:
            kept[one], own[one], limit[one] = [row], [], 0.0
            continue
        away = float(np.sqrt(((np.array(kept[one]) - row) ** 2).sum(axis=1).min()))
        every.append(away)
        if away > limit[one]:
            kept[one].append(row)
            own[one].append(away)
            limit[one] = max(limit[one], float(np.mean(own[one]) - np.std(own[one])))
        if len(every) >= FEWEST and at % EVERY == 0:
            d = np.array(every)
            d = d[np.abs(d - d.mean()) <= 3.0 * d.std()]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # equal distances have a statistic of one
                found[at] = shapiro(d[-5_000:]).statistic if np.ptp(d) > 0 else 1.0
    return found


def first_alarm(found: Array, limit: float) -> int:
    """Queries until the statistic falls below the limit, 0 for never."""
    below = np.flatnonzero(found < limit)
    return int(below[0]) + 1 if len(below) else 0
