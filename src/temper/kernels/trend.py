"""A rate over periods: a straight line through it, a test of the line, and where it points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.errors import TemperError

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Change of the rate per period in [`low`, `high`]; `p` that there is none, `bent` that the periods lie on it."""

    slope: float
    low: float
    high: float
    p: float
    bent: float


def armitage(events: Any, rows: Any) -> Line:
    """The Cochran-Armitage line through the rates of consecutive periods, each weighted by its rows.

    `p` is two-sided, from the chi-square of the trend; `bent` is the p-value of what the line leaves over.
    Source: Armitage, "Tests for linear trends in proportions and frequencies", 1955.

    >>> line = armitage([10, 20, 30], [100, 100, 100])
    >>> round(line.slope, 3), line.p < 0.001, line.bent > 0.99
    (0.1, True, True)
    """
    from scipy.stats import chi2, norm

    k, n = _counted(events, rows)
    at = np.arange(len(n), dtype=np.float64)
    rate, centre = float(k.sum() / n.sum()), float(at @ n / n.sum())
    spread = float(n @ (at - centre) ** 2)
    slope = float(k @ (at - centre)) / spread
    variance = rate * (1 - rate)
    if variance == 0:
        return Line(slope=0.0, low=0.0, high=0.0, p=1.0, bent=1.0)
    z = slope * math.sqrt(spread / variance)
    over = max(float(n @ (k / n - rate) ** 2) / variance - z * z, 0.0)
    # About the line the rows scatter by each period's own rate, not by the pooled one of the test.
    own = (k + 1) / (n + 2)
    error = math.sqrt(float(n * (own * (1 - own)) @ (at - centre) ** 2)) / spread
    half = float(norm.ppf(0.975)) * error
    return Line(
        slope=slope,
        low=slope - half,
        high=slope + half,
        p=float(2 * norm.sf(abs(z))),
        bent=float(chi2.sf(over, len(n) - 2)),
    )


def ahead(events: Any, rows: Any, confidence: float = 0.95) -> tuple[float, float, float]:
    """The rate that the line through these periods expects in the next one, with a prediction interval.

    EXTRAPOLATION: the interval holds the next period's observed rate when it has as many rows as the last one and
    continues the line; periods scatter about it by their rows and by what they showed beyond that.

    >>> ahead([10, 20, 30], [100, 100, 100])[0].__round__(3)
    0.4
    """
    from scipy.stats import t

    k, n = _counted(events, rows)
    at = np.arange(len(n), dtype=np.float64)
    rates, centre = k / n, float(at @ n / n.sum())
    spread = float(n @ (at - centre) ** 2)
    mean, slope = float(k.sum() / n.sum()), float(k @ (at - centre)) / spread
    own = float(((k + 1) / (n + 2)) @ n / n.sum())
    seen = float(n @ (rates - mean - slope * (at - centre)) ** 2) / max(len(n) - 2, 1)
    scatter = max(seen, own * (1 - own))  # never less than what rows alone make
    reach = len(n) - centre
    half = float(t.ppf(0.5 + confidence / 2, len(n) - 2)) * math.sqrt(
        scatter * (1 / n[-1] + 1 / n.sum() + reach**2 / spread)
    )
    value = min(max(mean + slope * reach, 0.0), 1.0)
    return value, max(0.0, min(value, mean + slope * reach - half)), min(1.0, max(value, mean + slope * reach + half))


def _counted(events: Any, rows: Any) -> tuple[Floats, Floats]:
    k, n = np.asarray(events, dtype=np.float64), np.asarray(rows, dtype=np.float64)
    if k.shape != n.shape or len(n) < 3 or (n <= 0).any() or (k < 0).any() or (k > n).any():
        raise TemperError("a trend needs three periods or more, each with rows and no more events than rows")
    return k, n
