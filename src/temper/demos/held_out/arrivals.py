"""When payments are wished: daily life is a Poisson process with hours and weekends, a campaign excites itself."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_WEEKEND = 0.55


def daily_life(rate: Array, days: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """(payer, hour) of an inhomogeneous Poisson process per payer; `rate` is payments per weekday."""
    payer = np.repeat(np.arange(len(rate)), rng.poisson(rate * days))
    day = rng.integers(0, days, len(payer))
    keep = (day % 7 < 5) | (rng.uniform(size=len(payer)) < _WEEKEND)
    payer, day = payer[keep], day[keep]
    evening = rng.uniform(size=len(payer)) < 0.4
    clock = np.where(evening, rng.normal(19.5, 1.8, len(payer)), rng.normal(11.5, 2.8, len(payer))) % 24.0
    return payer, 24.0 * day + clock


def hawkes(
    immigrants: float, window: tuple[float, float], branching: float, decay: float, rng: np.random.Generator
) -> Array:
    """Hours of a self-exciting process: Poisson immigrants in `window`, each event starting Poisson(`branching`) more
    after exponential delays of mean `decay` hours. The expected size is immigrants / (1 - branching).

    Source: Hawkes & Oakes, "A cluster process representation of a self-exciting process", 1974.
    """
    parents = rng.uniform(*window, rng.poisson(immigrants))
    events = [parents]
    while len(parents):
        parents = np.repeat(parents, rng.poisson(branching, len(parents)))
        parents = parents + rng.exponential(decay, len(parents))
        events.append(parents)
    return np.sort(np.concatenate(events))
