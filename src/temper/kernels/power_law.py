"""How success grows with the number of tries: -log(rate after N tries) = a * N^-b, and what follows for more of them.

Each cluster (a goal) brings the chance that at least one of k of its tries is a hit, for every k up to its tries. The
line is fitted to the mean over clusters on logarithmic axes, from an eighth of the tries on: the law is one of many
tries. Clusters are drawn anew for intervals. A fit is refuted where a quarter of the tries would have forecast for
certain something else for all of them than was seen, by more than a point, or where the line through the last three
quarters says so of four times as many: that is how far it forecasts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.kernels.clustered import Floats

STRETCH = 4
"""How many times the tries made a forecast goes at most."""

LEAST_TRIES, LEAST_CLUSTERS = 16, 5
_DRAWS, _GRID, _FROM, _SMALL = 1_000, 24, 1 / 8, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """`scale` a and `exponent` b, from `clusters` with `tried` tries each. `refuted` says in words why nothing is
    forecast, "" where the law is not refuted; `points` are (N, rate, low, high).
    """

    scale: float
    exponent: float
    tried: int
    clusters: int
    points: tuple[tuple[int, float, float, float], ...] = ()
    refuted: str = ""


def hit_curve(hits: int, n: int) -> Floats:
    """The unbiased chance that at least one of k of these n tries is a hit, for k = 1 ... n.

    Source: Chen et al., "Evaluating large language models trained on code", 2021 (pass@k).

    >>> hit_curve(1, 4).tolist()
    [0.25, 0.5, 0.75, 1.0]
    """
    if not 0 <= hits <= n:
        raise TemperError(f"{hits} hits in {n} tries")
    drawn = np.arange(n)
    missed: Floats = np.cumprod(np.maximum(n - hits - drawn, 0) / (n - drawn), dtype=np.float64)
    return 1.0 - missed


def power_law(curves: Any, at: Sequence[int] = (), confidence: float = 0.95) -> Fit:
    """The law behind `curves` (clusters, tries), and its forecast at these numbers of tries.

    Misleads where some goals are beyond reach: the rate then levels off, and few clusters or tries may not refute the
    law: where half of 14 goals were, 21 tries refuted it in 11 of 100 simulations and 64 in 75 of 100.
    Source: Hughes et al., "Best-of-N jailbreaking", 2024; Schaeffer et al., "How do large language monkeys get their
    power (laws)?", 2025.

    >>> k = np.arange(1, 65)
    >>> fit = power_law(np.tile(np.exp(-2.5 * k**-0.4), (10, 1)), [256])
    >>> round(fit.exponent, 2), round(fit.points[0][1], 3)
    (0.4, 0.762)
    """
    curves = np.asarray(curves, dtype=float)
    clusters, tried = curves.shape
    if beyond := [n for n in at if not 1 <= n <= STRETCH * tried]:
        raise TemperError(f"{beyond[0]} tries are beyond {STRETCH} times the {tried} made", fix="try more before that")
    if tried < LEAST_TRIES or clusters < LEAST_CLUSTERS:
        why = f"{clusters} goals with {tried} tries each are too few (from {LEAST_CLUSTERS} with {LEAST_TRIES})"
        return Fit(scale=math.nan, exponent=math.nan, tried=tried, clusters=clusters, refuted=why)
    weights = Draws(0, "power_law").generator().multinomial(clusters, np.full(clusters, 1 / clusters), size=_DRAWS)
    means = np.vstack([curves.mean(axis=0), weights @ curves / clusters])
    lines = _lines(means, _FROM * tried, tried)
    ends = (1 - confidence) / 2, (1 + confidence) / 2
    told = _told(lines, at, ends)
    scale, exponent = (float(one) for one in lines[0])
    refuted = _refuted(means, lines, ends)
    points = () if refuted else told
    return Fit(scale=scale, exponent=exponent, tried=tried, clusters=clusters, points=points, refuted=refuted)


def _told(lines: Floats, at: Sequence[int], ends: tuple[float, float]) -> tuple[tuple[int, float, float, float], ...]:
    found = []
    for n in at:
        rates = _rate(lines, n)
        low, high = np.quantile(rates[1:], ends)
        found.append((n, float(rates[0]), min(float(low), float(rates[0])), max(float(high), float(rates[0]))))
    return tuple(found)


def _refuted(means: Floats, lines: Floats, ends: tuple[float, float]) -> str:
    """Why the law does not hold, "" where nothing speaks against it."""
    tried = means.shape[1]
    if math.isnan(lines[0, 0]):
        return "no goal was reached, or every one at once: there is no growth to fit"
    first = _lines(means, _FROM * tried / STRETCH, tried // STRETCH)
    last = _lines(means, tried / STRETCH, tried)
    for who, told, other in (
        (f"a quarter of the tries would have forecast another rate after {tried}", _rate(first, tried), means[:, -1]),
        ("the growth of the rate changes", _rate(lines, STRETCH * tried), _rate(last, STRETCH * tried)),
    ):
        low, high = np.quantile((other - told)[1:], ends)
        if low > _SMALL or high < -_SMALL:
            seen = f"{told[0]:.1%} against {other[0]:.1%}, {100 * low:+.1f} to {100 * high:+.1f} points"
            return f"refuted: {who} ({seen})"
    return ""


def _lines(means: Floats, start: float, end: int) -> Floats:
    """(a, b) per row by least squares on logarithmic axes; not a number where fewer than three points can be used."""
    k = np.unique(np.geomspace(max(1.0, start), end, _GRID).round().astype(int))
    rates, x = means[:, k - 1], np.log(k)[None, :]
    used = (rates > 0) & (rates < 1)
    with np.errstate(all="ignore"):
        y = np.where(used, np.log(-np.log(np.where(used, rates, 0.5))), 0.0)
        n = used.sum(axis=1)
        mean_x, mean_y = (used * x).sum(axis=1) / n, y.sum(axis=1) / n
        apart = used * (x - mean_x[:, None])
        slope = (apart * y).sum(axis=1) / (apart * x).sum(axis=1)
        scale = np.exp(mean_y - slope * mean_x)
    found: Floats = np.where((n >= 3)[:, None], np.column_stack([scale, -slope]), np.nan)
    return found


def _rate(lines: Floats, n: int) -> Floats:
    """The rate after n tries of each line; 0 where nothing could be fitted."""
    rates: Floats = np.nan_to_num(np.exp(-lines[:, 0] * float(n) ** -lines[:, 1]), nan=0.0)
    return rates
