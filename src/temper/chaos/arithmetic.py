"""What a drill cost those who asked, counted: availability, budget, and times to a fallback and to recovery."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.seed import Draws
from temper.kernels.rate import clopper_pearson

Array = np.ndarray[Any, Any]
WIDTH = 0.1
"""Seconds of a bucket."""
HOLD = 5.0
"""Seconds over which the good ratio must hold before it counts as recovered."""
_EDGE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """Requests in the order in which they were due, in seconds from the start. `good` is a valid decision in time, by
    whomever; `full` one that the model gave as it gives it without a fault.
    """

    due: Array
    good: Array
    full: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Buckets:
    """How many requests were due in each `width` seconds, and how many of them were good."""

    width: float
    asked: Array
    good: Array

    @classmethod
    def of(cls, due: Array, good: Array, width: float = WIDTH) -> Buckets:
        """Requests belong to the bucket in which they were due, whenever they were answered.

        >>> Buckets.of(np.array([0.0, 0.05, 0.25]), np.array([True, False, True])).asked
        array([2, 0, 1])
        """
        at = np.floor(due / width + _EDGE).astype(int)
        size = int(at.max(initial=-1)) + 1
        asked = np.bincount(at, minlength=size)
        return cls(width=width, asked=asked, good=np.bincount(at[good], minlength=size))


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """`count` of `n`, with its exact 95 % interval. It takes requests for independent, which those of one fault are
    not: it says what chance alone leaves open, and several drills say the rest.
    """

    count: int
    n: int

    @property
    def value(self) -> float:
        """The share, NaN of none."""
        return self.count / self.n if self.n else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's."""
        return clopper_pearson(self.count, self.n)

    @property
    def unseen(self) -> float:
        """The share of bad ones that may be there at most, at 95 %: 3 / n where none was seen.

        >>> Share(count=30_000, n=30_000).unseen
        0.0001
        """
        if not self.n:
            return 1.0
        bad = self.n - self.count
        return min(1.0, 3 / self.n) if not bad else clopper_pearson(bad, self.n, side="upper")[1]


def availability(good: Array) -> Share:
    """The share of all requests that was good."""
    return Share(count=int(good.sum()), n=len(good))


def time_to_fallback(trace: Trace, fault: float) -> float | None:
    """Seconds from when the first bad request after `fault` was due to the next good one; 0 where none was bad, None
    where no good one came any more.
    """
    bad = trace.due[~trace.good & (trace.due >= fault)]
    if not len(bad):
        return 0.0
    later = trace.due[trace.good & (trace.due > bad[0])]
    return float(later[0] - bad[0]) if len(later) else None


def time_to_recover(buckets: Buckets, fault: float, slo: float, hold: float = HOLD) -> float | None:
    """Seconds from `fault` to the start of the first bucket from which the good ratio is at least `slo` over `hold`
    seconds; that bucket's own ratio must be too. 0 where it never was less; None where it never holds, or the run ended
    too early to say.
    """
    width, span = buckets.width, max(1, round(hold / buckets.width))
    first = math.floor(fault / width + _EDGE)
    if (buckets.good == buckets.asked)[max(0, first) :].all():
        return 0.0
    for at in range(max(0, first), len(buckets.asked) - span + 1):
        window = slice(at, at + span)
        asked, good = int(buckets.asked[window].sum()), int(buckets.good[window].sum())
        own = buckets.asked[at] and buckets.good[at] >= slo * buckets.asked[at]
        if own and good >= slo * asked:
            return max(0.0, round(at * width - fault, 9))
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The bad requests that an SLO leaves room for, and how many there were."""

    allowed: float
    bad: int

    @property
    def spent(self) -> float:
        """The share of the budget that is gone; above 1 there is none left."""
        return self.bad / self.allowed if self.allowed else math.inf if self.bad else 0.0


def budget(good: Array, slo: float) -> Budget:
    """Of a run as long as this one.

    >>> budget(np.array([True] * 998 + [False] * 2), 0.99).spent
    0.2
    """
    return Budget(allowed=round((1 - slo) * len(good), 9), bad=int((~good).sum()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean over `n` drills and its 95 % interval, NaN of one drill."""

    value: float
    low: float
    high: float
    worst: float
    n: int


def over_drills(values: Sequence[float], rng: Draws, replicates: int = 10_000) -> Mean:
    """The mean, the worst (the largest), and a percentile bootstrap interval, which fewer than some ten drills make
    too short.

    Source: Efron, "Bootstrap methods: another look at the jackknife", 1979.

    >>> over_drills([1.0, 1.0], Draws(0, "x")).high
    1.0
    """
    found = np.asarray(values, dtype=float)
    low = high = math.nan
    if len(found) > 1:
        picked = rng.generator().integers(len(found), size=(replicates, len(found)))
        low, high = (float(end) for end in np.quantile(found[picked].mean(axis=1), [0.025, 0.975]))
    return Mean(value=float(found.mean()), low=low, high=high, worst=float(found.max()), n=len(found))
