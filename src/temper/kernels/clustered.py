"""Rates when each prompt is tried several times: trials of one prompt are alike, so prompts are counted, not trials.

A prompt's own rate is a number from 0 to 1, and the rate asked for is the mean over all prompts there might be. Its
interval comes from random weights on the prompts seen and on an unseen one at either end: with one trial each it is
Jeffreys' interval to show and Clopper-Pearson's to gate, whatever trials of a prompt have in common. It never shrinks
to a point where all trials agree, and more hits never lower either end. Where trials of a prompt have nothing in common
and are as many as the prompts, it is wider than it need be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from temper.core.errors import TemperError
from temper.kernels.sequential import CERTIFY, GIVE_UP, GO_ON

Floats = np.ndarray[Any, np.dtype[np.float64]]
Use = Literal["show", "gate"]
_STEPS = np.arange(0.0, 12.0, 0.05)
_BETS = 200
_MOST = 10**7


def clustered_rate(
    hits: Sequence[int], trials: Sequence[int], confidence: float = 0.95, use: Use = "show"
) -> tuple[float, float, float]:
    """The mean over prompts of hits / trials with its interval; prompts without a trial are left out.

    (nan, 0, 1) where nothing was tried. `use` "gate" gives ends that err on the safe side, each with half the error.
    Misleads where the prompts are no sample of those that matter; a prompt tried once counts like one tried often.
    Source: Rubin, "The Bayesian bootstrap", 1981; Gaffke, "Three test statistics for a nonparametric one-sided
    hypothesis on the mean of a nonnegative variable", 2005; Learned-Miller & Thomas, "A new confidence interval for the
    mean of a bounded random variable", 2019.

    >>> value, low, high = clustered_rate([0] * 30, [5] * 30)
    >>> value, low, round(high, 3)
    (0.0, 0.0, 0.08)
    """
    return bounded_mean(_rates(hits, trials), confidence, use)


def hit_at_k(
    hits: Sequence[int], trials: Sequence[int], k: int, confidence: float = 0.95
) -> tuple[float, float, float]:
    """How often at least one of k trials of a prompt is a hit: the unbiased mean over prompts, with its interval.

    Source: Chen et al., "Evaluating large language models trained on code", 2021 (pass@k).

    >>> hit_at_k([1], [4], 2)[0]
    0.5
    """
    _rates(hits, trials)
    few = sum(0 < n < k for n in trials)
    if k < 1 or few:
        raise TemperError(f"{few} prompts have fewer than k = {k} trials", fix="ask for a smaller k, or try them more")
    misses = [math.comb(n - h, k) / math.comb(n, k) for h, n in zip(hits, trials, strict=True) if n]
    return bounded_mean(1.0 - np.array(misses), confidence)


def bounded_mean(values: Any, confidence: float = 0.95, use: Use = "show") -> tuple[float, float, float]:
    """The mean of independent numbers between 0 and 1 with its interval, whatever their distribution.

    >>> [round(end, 4) for end in bounded_mean([0.0] * 59, 0.9, "gate")]
    [0.0, 0.0, 0.0495]
    """
    x = np.asarray(values, dtype=float)
    if not 0 < confidence < 1 or use not in ("show", "gate"):
        raise TemperError(f"confidence {confidence!r} to {use!r}: expected a number in (0, 1) and show or gate")
    if len(x) and not (x.min() >= 0 and x.max() <= 1):
        raise TemperError(f"the numbers lie in {x.min():g} ... {x.max():g}, expected 0 ... 1")
    if not len(x):
        return math.nan, 0.0, 1.0
    seen, counts = np.unique(x, return_counts=True)
    tail, value = (1 - confidence) / 2, float(seen @ counts) / len(x)
    unseen = 0.5 if use == "show" else 1.0
    low = 0.0 if seen[-1] == 0 else _quantile(seen, counts, (0.0, seen[-1]), unseen, tail)
    high = 1.0 if seen[0] == 1 else _quantile(seen, counts, (1.0, seen[0]), unseen, 1 - tail)
    return value, min(low, value), max(high, value)


def under(hits: Sequence[int], trials: Sequence[int], limit: float, confidence: float = 0.95) -> int:
    """CERTIFY where the rate is under `limit`, GIVE_UP where it is over, GO_ON; one may look after every prompt.

    Each of the first two is wrong with a probability of at most 1 - confidence, whenever the looking stops and however
    alike the trials of a prompt are.
    Source: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", 2024.

    >>> under([0] * 100, [3] * 100, 0.05), under([0] * 20, [3] * 20, 0.05), under([2] * 20, [3] * 20, 0.05)
    (1, 0, -1)
    """
    if not 0 < limit < 1 or not 0 < confidence < 1:
        raise TemperError(f"limit {limit!r} and confidence {confidence!r} must lie in (0, 1)")
    x = _rates(hits, trials)
    if p_under(x, np.ones(len(x)), limit, anytime=True) <= 1 - confidence:
        return CERTIFY
    return GIVE_UP if p_over(x, np.ones(len(x)), limit, anytime=True) <= 1 - confidence else GO_ON


def p_under(values: Any, counts: Any, limit: float, anytime: bool = False) -> float:
    """The p-value of the claim that the mean is under `limit`: how often data would speak so for it where it is not.

    `counts[i]` independent numbers from 0 to 1 were `values[i]`. `anytime`: looking may have stopped whenever it liked.

    >>> round(p_under([0.0], [59], 0.05), 4), round(p_under([0.0], [59], 0.05, anytime=True), 2)
    (0.0485, 0.13)
    """
    x, n = np.asarray(values, dtype=float), np.asarray(counts, dtype=float)
    x, n = x[n > 0], n[n > 0]
    if not len(x) or limit <= x.min():
        return 1.0
    if limit >= 1:
        return 0.0
    if anytime:
        return math.exp(min(0.0, -_capital(limit - x, n, 1 / (1 - limit))))
    points, weights = np.append(x, 1.0) - limit, np.append(n, 1.0)
    return min(1.0, max(0.0, 1 - _below(points, weights)))


def p_over(values: Any, counts: Any, limit: float, anytime: bool = False) -> float:
    """The p-value of the claim that the mean is over `limit`.

    >>> p_over([1.0], [10], 0.05) < 1e-12
    True
    """
    return p_under(1 - np.asarray(values, dtype=float), counts, 1 - limit, anytime)


def anytime_mean(values: Any, counts: Any, confidence: float = 0.95) -> tuple[float, float, float]:
    """The mean with an interval that holds at every moment at once: one may stop for what one has seen.

    Source: as for `under`.

    >>> value, low, high = anytime_mean([0.0, 1.0], [90, 10])
    >>> value, low < 0.06, high > 0.17
    (0.1, True, True)
    """
    x, n = np.asarray(values, dtype=float), np.asarray(counts, dtype=float)
    x, n = x[n > 0], n[n > 0]
    if not len(x):
        return math.nan, 0.0, 1.0
    value, tail = float(x @ n / n.sum()), (1 - confidence) / 2
    high = _edge(x, n, value, tail) if value < 1 else 1.0
    low = 1 - _edge(1 - x, n, 1 - value, tail) if value > 0 else 0.0
    return value, low, high


def clusters_needed(
    values: Any, counts: Any, limit: float, confidence: float = 0.95, anytime: bool = False
) -> int | None:
    """How many in all would decide the mean against `limit` if they went on as they are; None where none would.

    >>> clusters_needed([0.0], [20], 0.05), clusters_needed([0.0, 1.0], [95, 5], 0.05)
    (59, None)
    """
    x, n = np.asarray(values, dtype=float), np.asarray(counts, dtype=float)
    if not n.sum():
        return None
    share = n / n.sum()
    claim = p_under if x @ share < limit else p_over
    low, high = 0, 1
    while claim(x, high * share, limit, anytime) > 1 - confidence:
        if high > _MOST:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if claim(x, middle * share, limit, anytime) > 1 - confidence else (low, middle)
    return high


def paired_means(before: Any, after: Any, confidence: float = 0.95) -> tuple[float, float, float]:
    """The mean of after - before over pairs of numbers between 0 and 1, with its interval.

    Pair i is one prompt in two runs, its share of hits in each: trials of one prompt are alike, so prompts are counted.
    The interval is that of `bounded_mean` of differences between -1 and 1, and never a point.

    >>> value, low, high = paired_means([1.0] * 20 + [0.0] * 60, [0.0] * 80)
    >>> value, high < 0
    (-0.25, True)
    """
    first, second = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    if first.shape != second.shape or first.ndim != 1:
        raise TemperError(f"pairs need two vectors of one length, got {first.shape} and {second.shape}")
    value, low, high = bounded_mean((second - first + 1) / 2, confidence)
    return 2 * value - 1, 2 * low - 1, 2 * high - 1


def _edge(x: Floats, n: Floats, value: float, tail: float) -> float:
    """The smallest limit above the value that the bets refute, 1 where they refute none."""
    from scipy.optimize import brentq

    def left(limit: float) -> float:
        return _capital(limit - x, n, 1 / (1 - limit)) + math.log(tail)

    low, gap, top = value, 1 / (1 + n.sum()), 1 - 1e-9
    while low < top:
        high = min(value + gap, top)
        if left(high) > 0:
            return float(brentq(left, low, high, xtol=1e-8))
        low, gap = high, 2 * gap
    return 1.0


def _capital(gains: Floats, counts: Floats, most: float) -> float:
    """Logarithm of what betting on `gains` has made, over bets from 0 to `most`, more of them near either end."""
    bets = most * np.sin((np.arange(_BETS) + 0.5) * math.pi / (2 * _BETS)) ** 2
    won = np.log1p(np.outer(bets, gains)) @ counts
    return float(np.logaddexp.reduce(won) - math.log(_BETS))


def _rates(hits: Sequence[int], trials: Sequence[int]) -> Floats:
    h, n = np.asarray(hits, dtype=float), np.asarray(trials, dtype=float)
    if h.shape != n.shape or h.ndim != 1:
        raise TemperError(f"one number of hits per number of trials, got {h.shape} and {n.shape}")
    if not np.all((h >= 0) & (h <= n)):
        raise TemperError("hits must lie between 0 and the trials of their prompt")
    rates: Floats = h[n > 0] / n[n > 0]
    return rates


def _quantile(seen: Floats, counts: Any, more: tuple[float, float], unseen: float, share: float) -> float:
    """Where the weighted mean lies with this probability; `more` are an unseen prompt and the rest of its weight."""
    from scipy.optimize import brentq

    points, weights = np.append(seen, more), np.append(counts.astype(float), (unseen, 1.0 - unseen))
    kept = weights > 0
    points, weights = points[kept], weights[kept]
    low, high = float(points.min()), float(points.max())
    if low == high:
        return low
    gap = 1e-12 * (high - low)
    return float(brentq(lambda t: _below(points - t, weights) - share, low + gap, high - gap, xtol=1e-10))


def _below(scales: Floats, weights: Floats) -> float:
    """P(sum of scaled gamma variables <= 0), by inversion along the line through the saddle point of the smaller tail.

    Source: Helstrom, "Computing the distribution of quadratic forms", 1996.
    """
    from scipy.optimize import brentq

    side = -1.0 if scales @ weights > 0 else 1.0
    edge = side / float((side * scales).max())
    at = brentq(
        lambda z: (weights * scales / (1 - z * scales)).sum() - 1 / z, 1e-9 * edge, (1 - 1e-9) * edge, rtol=1e-3
    )
    width = 1 / math.sqrt(float((weights * (scales / (1 - at * scales)) ** 2).sum()) + 1 / at**2)
    line = at + 1j * width * np.sinh(_STEPS)
    grown = np.exp(-(np.log1p(-np.outer(line, scales)) @ weights)) / line
    area = (grown.real * np.cosh(_STEPS)).sum() - grown[0].real / 2
    tail = float(area * width * _STEPS[1] / math.pi)
    return 1 - tail if side > 0 else -tail
