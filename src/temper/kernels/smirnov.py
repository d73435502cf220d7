"""The chance that two samples of one distribution lie as far apart as these, by Kolmogorov and Smirnov."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_SCIPY, _LONG = 2.2, 100_000


def smirnov_p(distance: Array, n: Array) -> Array:
    """p (k,) of two-sided distances at these n (whole numbers, at least one).

    Equal to SciPy's `kstwo.sf`, and sooner where that sums term by term in double precision twice over;
    above a hundred thousand the limit with Vrbik's correction, whose error falls with n.
    Source: Smirnov, 1944 (the sum); Simard & L'Ecuyer, "Computing the two-sided Kolmogorov-Smirnov distribution", 2011
    (where one tail twice is enough); Vrbik, "Deriving CDF of Kolmogorov-Smirnov test statistic", 2020.

    >>> float(smirnov_p(np.array([0.06]), np.array([500]))[0].round(6))
    0.052435
    """
    return np.array([_one(float(d), int(many)) for d, many in zip(distance, n, strict=True)])


def _one(d: float, n: int) -> float:
    from scipy.special import kolmogorov
    from scipy.stats import kstwo

    if n > _LONG:
        root = np.sqrt(n)
        return float(kolmogorov(root * d + 1.0 / (6.0 * root) + (root * d - 1.0) / (4.0 * n)))
    if n * d * d >= _SCIPY and 1.0 < n * d < n - 1 and d < 0.5:
        return min(1.0, 2.0 * _one_sided(d, n))
    return float(kstwo.sf(d, n))


def _one_sided(d: float, n: int) -> float:
    """Smirnov's sum over where the empirical function may first cross the line, term by term as logarithms."""
    most = int(np.floor(n * (1.0 - d)))
    step, kinds = np.arange(most + 1) / n, _binomials(n)[: most + 1]
    left = np.maximum(1.0 - d - step, 0.0)
    j = n * step
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = kinds + (j - 1.0) * np.log(d + step) + np.where(n - j > 0, (n - j) * np.log(left), 0.0)
    return float(d * np.exp(terms).sum())


@lru_cache(maxsize=8)
def _binomials(n: int) -> Array:
    """The logarithms of n over j."""
    from scipy.special import gammaln

    logs = gammaln(np.arange(n + 1) + 1.0)
    return np.asarray(logs[n] - logs - logs[::-1])
