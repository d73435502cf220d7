"""The Universal Scalability Law, held against the runs of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from temper.core.load import Scaling, Trial

Array = np.ndarray[Any, Any]
_FEWEST = 4


def scaling(trials: Sequence[Trial]) -> Scaling | None:
    """The law X(N) = aN / (1 + q(N - 1) + c N(N - 1)) by least squares of relative errors;
    None from fewer than four runs.

    N is how many requests were in work at once, by Little's law (throughput times mean response time). Misleads: a
    service that sheds keeps N small on purpose, and then the peak lies outside of what was seen.
    Source: Gunther, "A general theory of computational scalability based on rational functions", 2008.
    """
    from scipy.optimize import least_squares

    seen = [(one.throughput, one.throughput * one.mean) for one in trials if one.mean and one.throughput > 0]
    if len(seen) < _FEWEST:
        return None
    found, work = np.array(seen).T

    def law(terms: Array) -> Array:
        alone, queueing, crosstalk = terms
        bent: Array = alone * work / np.maximum(1 + queueing * (work - 1) + crosstalk * work * (work - 1), 1e-9)
        return bent

    start = (float(np.max(found / np.maximum(work, 1e-9))), 0.1, 0.001)
    fit = least_squares(lambda terms: law(terms) / found - 1, start, bounds=((0, 0, 0), (np.inf, 1, 1)))
    alone, queueing, crosstalk = (float(one) for one in fit.x)
    return Scaling(
        alone=alone,
        queueing=queueing,
        crosstalk=crosstalk,
        peak=_peak(alone, queueing, crosstalk),
        error=float(np.sqrt(np.mean(fit.fun**2))),
    )


def _peak(alone: float, queueing: float, crosstalk: float) -> float | None:
    """Throughput where one more request in work begins to cost more than it brings, or what it never exceeds."""
    if crosstalk > 1e-9:
        at = max(np.sqrt((1 - queueing) / crosstalk), 1.0)
        return float(alone * at / (1 + queueing * (at - 1) + crosstalk * at * (at - 1)))
    return alone / queueing if queueing > 1e-9 else None
