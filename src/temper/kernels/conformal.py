"""Thresholds that ordinary rows pass at a promised rate, whatever their distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.errors import TemperError

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """`value` is passed by at most a share `rate` of ordinary rows, on average over `n` held-out ones; the share that
    this one threshold lets through lies in [`low`, `high`] with 95 % certainty.
    """

    value: float
    rate: float
    low: float
    high: float
    n: int


def threshold(scores: Array, rate: float) -> Threshold:
    """The smallest threshold that keeps the promise, from scores of ordinary rows nothing was fitted on.

    A new exchangeable score is above the k-th smallest of n with a probability of (n + 1 - k) / (n + 1) at most, and
    the rate given those n is a Beta variable: no assumption about the scores, and no asymptotics.
    Source: Vovk, Gammerman & Shafer, "Algorithmic learning in a random world", 2005; Vovk, "Conditional validity of
    inductive conformal predictors", 2012 (the interval).

    >>> threshold(np.arange(999.0), 0.01).value
    989.0
    """
    from scipy.special import betaincinv

    n = len(scores)
    if not 0.0 < rate < 1.0 or (k := math.ceil((n + 1) * (1.0 - rate) - 1e-9)) > n:
        raise TemperError(
            f"{n} held-out rows cannot show a false-alarm rate of {rate:g}",
            fix=f"hold out {math.ceil(1.0 / rate) - 1 if 0.0 < rate < 1.0 else 'some'} rows, or allow a higher rate",
        )
    low, high = (float(betaincinv(n + 1 - k, k, tail)) for tail in (0.025, 0.975))
    value = float(np.partition(np.where(np.isnan(scores), np.inf, scores), k - 1)[k - 1])
    return Threshold(value=value, rate=rate, low=low, high=high, n=n)
