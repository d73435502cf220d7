"""Annual loss: attempts a year x probability of success x loss, with what is uncertain in each of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from temper.core.seed import Draws

Vector = np.ndarray[Any, Any]

CELLS = 500
DRAWS = 10_000
MIDDLES: Vector = (np.arange(CELLS) + 0.5) / CELLS
"""Where an amount is tabulated: the middles of so many cells of equal probability."""


def posterior(
    prior: tuple[float, float], successes: float, failures: float, unknown: float = 0.0, weight: float = 1.0
) -> tuple[float, float]:
    """The Beta distribution (a, b) of a probability after so many trials of this relevance.

    Of trials nobody knows the end of (`unknown`) the prior goes on to hold: they count with its mean, and their share
    of the spread is the prior's. Without them it is the conjugate update, without weight the prior.
    Source: Gelman et al., "Bayesian data analysis", 2013 (2.4); Ibrahim & Chen, "Power prior distributions for
    regression models", 2000 (the weight).

    >>> a, b = posterior((2, 2), 37, 163)
    >>> round(a / (a + b), 3)
    0.191
    """
    a, b = prior
    n = successes + failures + unknown
    if not (successes + failures) * weight:
        return a, b
    own = a + weight * successes, b + weight * failures
    if not unknown:
        return own
    believed = a / (a + b)
    mean = (a + weight * (successes + unknown * believed)) / (a + b + weight * n)
    known = (successes + failures) / n
    deviation = known * _deviation(*own) + (1 - known) * _deviation(a, b)
    strength = mean * (1 - mean) / deviation**2 - 1
    return mean * strength, (1 - mean) * strength


def _deviation(a: float, b: float) -> float:
    total = a + b
    return float(np.sqrt(a * b / (total**2 * (total + 1))))


def beta(a: float, b: float, p: Any = None) -> Vector:
    """Quantiles of a Beta distribution at `p`, else at MIDDLES; without successes, or without failures, all of it lies
    at that end.

    >>> [round(float(q), 3) for q in beta(39, 165, np.array([0.025, 0.975]))]
    [0.14, 0.248]
    """
    if p is None:
        return _tabulated(float(a), float(b))
    from scipy.special import betaincinv

    p = np.asarray(p, dtype=float)
    if a <= 0 or b <= 0:
        return np.full(p.shape, 0.0 if a <= 0 else 1.0)
    return np.asarray(betaincinv(a, b, p))


@lru_cache(maxsize=256)
def _tabulated(a: float, b: float) -> Vector:
    """The table of one distribution; a register asks for few of them many times."""
    table = beta(a, b, MIDDLES)
    table.flags.writeable = False
    return table


def pert(low: float, likely: float, high: float, p: Any = None) -> Vector:
    """Quantiles of a PERT distribution: a Beta between two ends whose mean counts the likeliest value four times.

    Source: Clark, "The PERT model for the distribution of an activity time", 1962; Vose, "Risk analysis", 2008.

    >>> round(float(pert(20, 60, 200).mean()), 1)
    76.7
    """
    if high == low:
        return np.full(np.shape(MIDDLES if p is None else p), float(low))
    rise = 4 * (likely - low) / (high - low)
    return low + (high - low) * beta(1 + rise, 5 - rise, p)


def at_least(events: int, years: float, p: Any = MIDDLES) -> Vector:
    """Quantiles of a yearly rate after so many events, read as its exact lower limit: zero without any.

    Source: Garwood, "Fiducial limits for the Poisson distribution", 1936.

    >>> round(float(at_least(3, 1.0, np.array(0.025))), 3), float(at_least(0, 1.0, np.array(0.9)))
    (0.619, 0.0)
    """
    from scipy.special import gammaincinv

    p = np.asarray(p, dtype=float)
    return np.asarray(gammaincinv(events, p)) / years if events else np.zeros(p.shape)


def annual(attempts: Vector, chance: Vector, loss: Vector, rng: Draws, draws: int = DRAWS) -> Vector:
    """Annual losses (draws,): attempts x chance x loss, each drawn from its own table of quantiles, independently.

    It is what a year costs on average under each belief, not the luck of a single year: where few attempts succeed, a
    single year costs nothing or the whole loss.
    Source: The Open Group, "Risk analysis (O-RA)" and "Risk taxonomy (O-RT)", 2021 (FAIR).
    """
    at = rng.integers(np.arange(draws), 0, CELLS, (3,))
    drawn: Vector = attempts[at[:, 0]] * chance[at[:, 1]] * loss[at[:, 2]]
    return drawn


def exceedance(losses: Vector, at: Vector) -> Vector:
    """The share of losses above each amount.

    >>> exceedance(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 2.0, 4.0])).tolist()
    [1.0, 0.5, 0.0]
    """
    ordered = np.sort(losses)
    share: Vector = 1 - np.searchsorted(ordered, at, side="right") / len(ordered)
    return share


def swings(
    factors: Sequence[Sequence[Vector]], p: tuple[float, float] = (0.05, 0.95)
) -> list[list[tuple[float, float]]]:
    """How far the sum of products of means moves when one factor alone goes to each of its percentiles `p`.

    `factors`: per term its independent factors as tables of quantiles. Source: Howard, "Decision analysis: practice and
    promise", 1988 (tornado).

    >>> swings([[np.array([1.0, 3.0]), np.array([10.0, 10.0])]], (0.0, 1.0))
    [[(-10.0, 10.0), (0.0, 0.0)]]
    """
    found = []
    for term in factors:
        means = [float(np.mean(table)) for table in term]
        whole = float(np.prod(means))
        moved = []
        for at, table in enumerate(term):
            rest = float(np.prod(means[:at] + means[at + 1 :]))
            low, high = (float(np.quantile(table, share)) * rest - whole for share in p)
            moved.append((low, high))
        found.append(moved)
    return found
