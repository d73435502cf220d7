"""The chance that two samples of one distribution lie as far apart as these, by Kolmogorov and Smirnov."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_LONG, _SHORT = 100_000, 140
_ENOUGH, _SHORT_ENOUGH, _NEAR = 2.2, 4.0, 1.4
_HALVES, _WHOLES = ((np.pi * (np.arange(1, 9) - shift)) ** 2 for shift in (0.5, 0.0))


def smirnov_p(distance: Array, n: Array) -> Array:
    """p (k,) of two-sided distances at these n (whole numbers, at least one).

    Equal to SciPy's `kstwo.sf`, by the same choice among exact and asymptotic sums, without the seconds that importing
    `scipy.stats` takes; above a hundred thousand the limit with Vrbik's correction, whose error falls with n.
    Source: Smirnov, 1944 (the sum); Simard & L'Ecuyer, "Computing the two-sided Kolmogorov-Smirnov distribution", 2011
    (which sum is enough where); Vrbik, "Deriving CDF of Kolmogorov-Smirnov test statistic", 2020.

    >>> float(smirnov_p(np.array([0.06]), np.array([500]))[0].round(6))
    0.052435
    """
    return np.array([_one(float(d), int(many)) for d, many in zip(distance, n, strict=True)])


def _one(d: float, n: int) -> float:
    if n > _LONG:
        from scipy.special import kolmogorov

        root = np.sqrt(n)
        return float(kolmogorov(root * d + 1.0 / (6.0 * root) + (root * d - 1.0) / (4.0 * n)))
    if n * d <= 0.5:
        return 1.0
    if d >= 0.5 or n * d * d >= (_SHORT_ENOUGH if n <= _SHORT else _ENOUGH):
        return min(1.0, 2.0 * _one_sided(d, n))
    below = _durbin(d, n) if n <= _SHORT or n * d**1.5 <= _NEAR else _pelz_good(d, n)
    return min(1.0, max(0.0, 1.0 - below))


def _one_sided(d: float, n: int) -> float:
    """Smirnov's sum over where the empirical function may first cross the line, term by term as logarithms."""
    most = int(np.floor(n * (1.0 - d)))
    step, kinds = np.arange(most + 1) / n, _binomials(n)[: most + 1]
    left = np.maximum(1.0 - d - step, 0.0)
    j = n * step
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = kinds + (j - 1.0) * np.log(d + step) + np.where(n - j > 0, (n - j) * np.log(left), 0.0)
    return float(d * np.exp(terms).sum())


def _durbin(d: float, n: int) -> float:
    """The chance of a smaller distance, exactly: an entry of the n-th power of a small matrix.

    Source: Marsaglia, Tsang & Wang, "Evaluating Kolmogorov's distribution", 2003.
    """
    from scipy.special import gammaln

    k = int(np.ceil(n * d))
    h, size = k - n * d, 2 * k - 1
    j = np.arange(1, size + 1)
    edge = 1.0 - h**j
    edge[-1] += max(0.0, 2.0 * h - 1.0) ** size - h**size
    edge *= np.exp(-gammaln(j + 1.0))
    apart = np.subtract.outer(j, j) + 1
    base = np.where(apart >= 0, np.exp(-gammaln(np.maximum(apart, 0) + 1.0)), 0.0)
    base[:, 0], base[-1] = edge, edge[::-1]
    power, log, log_base, left = np.eye(size), gammaln(n + 1.0) - n * np.log(n), 0.0, n
    while left:
        if left % 2:
            power, log = power @ base, log + log_base
        base = base @ base
        largest = float(base.max())
        base, log_base, left = base / largest, 2.0 * log_base + np.log(largest), left // 2
    return float(power[k - 1, k - 1] * np.exp(log))


def _pelz_good(d: float, n: int) -> float:
    """The chance of a smaller distance, to the third power of the root of n.

    Source: Pelz & Good, "Approximating the lower tail-areas of the Kolmogorov-Smirnov one-sample statistic", 1976.
    """
    s = n * d * d
    z, a, b = np.sqrt(s), _HALVES, _WHOLES
    odd, even = np.exp(-a / (2.0 * s)), np.exp(-b / (2.0 * s))
    second = ((6 * s**3 + 2 * s**2) + (2 * s**2 - 5 * s) * a + (1 - 2 * s) * a**2) @ odd
    third = ((5 - 30 * s) * a**3 + (212 * s**2 - 60 * s) * a**2 + (135 * s**2 - 96 * s**3) * a) @ odd
    third -= (30 * s**3 + 90 * s**4) * odd.sum()
    terms = (
        odd.sum() / z,
        (a - s) @ odd / (6 * s**2),
        second / (72 * z**7) - b @ even / (36 * z**3),
        third / (6480 * z**10) + (3 * s * b - b**2) @ even / (216 * z**6),
    )
    return float(np.sqrt(2.0 * np.pi) * sum(term / n ** (at / 2.0) for at, term in enumerate(terms)))


@lru_cache(maxsize=8)
def _binomials(n: int) -> Array:
    """The logarithms of n over j."""
    from scipy.special import gammaln

    logs = gammaln(np.arange(n + 1) + 1.0)
    return np.asarray(logs[n] - logs - logs[::-1])
