"""Tests of a rate that may stop whenever they like: evidence against a limit, and lower ends that hold at every n.

The evidence against `rate = p0` after `hits` of `draws` is a bet on all other rates at once (Jeffreys' mixture). Its
expectation under p0 is one at every stopping time, so it passes 1 / alpha with a probability of alpha at most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from temper.core.errors import TemperError

Rows = np.ndarray[Any, Any]
CERTIFY, GO_ON, GIVE_UP = 1, 0, -1
FUTILE = 0.1
_HALVINGS = 60


def checkpoints(most: int, first: int = 100, count: int = 60) -> tuple[int, ...]:
    """Numbers of draws at which to look, rising by a constant factor from `first` to `most`.

    >>> checkpoints(1600, 100, 5)
    (100, 200, 400, 800, 1600)
    """
    if most < 1 or first < 1 or count < 1:
        raise TemperError(f"{most} draws in {count} looks from {first} on is no plan", fix="give positive numbers")
    points = np.round(np.geomspace(min(first, most), most, count)).astype(int)
    return tuple(int(n) for n in np.unique(points))


def log_evidence(hits: Any, draws: Any, p0: Any) -> Rows:
    """Logarithm of the evidence that the rate is not p0 (array-wise); zero before the first draw.

    Source: Robbins, "Statistical methods related to the law of the iterated logarithm", 1970 (mixtures and Ville's
    inequality); Krichevsky & Trofimov, "The performance of universal encoding", 1981 (this mixture).

    >>> bool(log_evidence(100, 100, 0.9) > np.log(1000))
    True
    """
    from scipy.special import betaln, xlog1py, xlogy

    k, n = np.asarray(hits, dtype=float), np.asarray(draws, dtype=float)
    mixed = betaln(k + 0.5, n - k + 0.5) - betaln(0.5, 0.5)
    return np.asarray(mixed - xlogy(k, p0) - xlog1py(n - k, -np.asarray(p0, dtype=float)))


def decide_rate(hits: Any, draws: Any, p0: Any, alpha: float, futile: float | None = None) -> Rows:
    """Per row CERTIFY (the rate is above p0), GIVE_UP (it is below) or GO_ON; valid at any time one looks.

    A rate at or below p0 is certified with a probability of at most alpha, whenever the looking stops. Giving up claims
    nothing, so it may ask for less evidence: `futile` in alpha's place.
    """
    evidence = log_evidence(hits, draws, p0)
    above = np.asarray(hits) > np.asarray(draws) * np.asarray(p0)
    limit = np.where(above, -np.log(alpha), -np.log(alpha if futile is None else futile))
    return np.where(evidence > limit, np.where(above, CERTIFY, GIVE_UP), GO_ON)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trials:
    """Per row: hits among its draws, whether its rate is above the limit, and a lower end of the rate."""

    hits: Rows
    draws: Rows
    held: Rows
    lower: Rows


def trials(vote: Callable[[Rows, int, int], Rows], rows: Rows, n: int, p0: float, alpha: float, most: int) -> Trials:
    """Test the rates of `rows` (of n) against p0 together; `vote(rows, start, stop)` gives hits of those draws per row.

    Half of alpha is for stopping early at any look, half for one exact test of the rows still open after `most` draws.
    """
    hits, draws, held = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=bool)
    exact, open_, done = np.zeros(n), np.asarray(rows), 0
    for stop in checkpoints(most):
        if not len(open_):
            break
        hits[open_] += vote(open_, done, stop)
        draws[open_], done = stop, stop
        verdict = decide_rate(hits[open_], stop, p0, alpha / 2, FUTILE)
        held[open_[verdict == CERTIFY]] = True
        open_ = open_[verdict == GO_ON]
    exact[open_] = exact_lower(hits[open_], draws[open_], alpha / 2)
    held |= exact > p0
    lower = np.maximum(anytime_lower(hits, draws, alpha / 2), exact)
    return Trials(hits=hits, draws=draws, held=held, lower=np.where(held, np.maximum(lower, p0), lower))


def anytime_lower(hits: Any, draws: Any, alpha: float) -> Rows:
    """Lower end of the rate that holds at all times at once: the smallest limit the evidence does not refute.

    Rounded down, to where the evidence is still above 1 / alpha, or zero.
    """
    k, n = np.broadcast_arrays(np.asarray(hits, dtype=float), np.asarray(draws, dtype=float))
    low, high = np.zeros(k.shape), np.divide(k, n, out=np.zeros(k.shape), where=n > 0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        refuted = log_evidence(k, n, middle) > -np.log(alpha)
        low, high = np.where(refuted, middle, low), np.where(refuted, high, middle)
    return low


def exact_lower(hits: Any, draws: Any, alpha: float) -> Rows:
    """Lower end of the rate for a number of draws fixed beforehand (Clopper-Pearson), array-wise.

    >>> exact_lower([0, 59], 59, 0.05).round(4)
    array([0.    , 0.9505])
    """
    from scipy.special import betaincinv

    k, n = np.broadcast_arrays(np.asarray(hits, dtype=float), np.asarray(draws, dtype=float))
    return np.where(k > 0, betaincinv(np.maximum(k, 1), n - k + 1, alpha), 0.0)


def settled(hits: Any, draws: Any, alpha: float) -> Rows:
    """Whether a vote of `hits` against all the rest is no toss of a coin (two-sided binomial test at one half)."""
    from scipy.special import betainc

    k, n = np.broadcast_arrays(np.asarray(hits, dtype=float), np.asarray(draws, dtype=float))
    most = np.maximum(k, n - k)
    tail = np.where(2 * most > n, betainc(np.maximum(most, 1), n - most + 1, 0.5), 1.0)
    return (2 * tail <= alpha) & (n > 0)


def gaussian_radius(rate: Any, sigma: float) -> Rows:
    """The l2 radius within which a class of at least this probability under the noise stays the most likely one.

    Source: Cohen, Rosenfeld & Kolter, "Certified adversarial robustness via randomized smoothing", 2019.

    >>> gaussian_radius([0.5, 0.8413447460685429], 0.25).round(6)
    array([0.  , 0.25])
    """
    from scipy.special import ndtri

    return np.asarray(sigma * np.maximum(ndtri(np.asarray(rate, dtype=float)), 0.0))


def gaussian_rate(radius: float, sigma: float) -> float:
    """The probability that gives this radius.

    >>> round(gaussian_rate(0.25, 0.25), 4)
    0.8413
    """
    return NormalDist().cdf(radius / sigma)
