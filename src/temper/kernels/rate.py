"""Rates: intervals to show (Wilson) and to gate (Clopper-Pearson), paired tests, the n that would decide."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from temper.core.errors import TemperError
from temper.core.measure import Better, Measurement, Status

MOST_ROWS = 10**9
Side = Literal["two", "lower", "upper"]


def wilson(count: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided score interval of a rate, to show; (0, 1) when there are no rows.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    >>> low, high = wilson(0, 59)
    >>> low, round(high, 4)
    (0.0, 0.0611)
    """
    _check_counts(count, n, confidence)
    if n == 0:
        return 0.0, 1.0
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2
    centre = (count + z2 / 2) / (n + z2)
    half = math.sqrt(z2 * (count * (n - count) / n + z2 / 4)) / (n + z2)
    low = 0.0 if count == 0 else max(0.0, centre - half)
    high = 1.0 if count == n else min(1.0, centre + half)
    return low, high


def clopper_pearson(count: int, n: int, confidence: float = 0.95, side: Side = "two") -> tuple[float, float]:
    """Exact interval of a rate, to gate: never less than `confidence` coverage, whatever the rate.

    `side` "lower" gives (low, 1) and "upper" gives (0, high), each with the whole error probability on that end.
    Source: Clopper & Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", 1934.

    >>> round(clopper_pearson(0, 59, side="upper")[1], 4)
    0.0495
    """
    from scipy.special import betaincinv

    _check_counts(count, n, confidence)
    if side not in ("two", "lower", "upper"):
        raise TemperError(f"interval side {side!r} is unknown", fix="use two, lower or upper")
    tail = (1 - confidence) / 2 if side == "two" else 1 - confidence
    low, high = 0.0, 1.0
    if side != "upper" and count > 0:
        low = float(betaincinv(count, n - count + 1, tail))
    if side != "lower" and count < n:
        high = float(betaincinv(count + 1, n - count, 1 - tail))
    return low, high


def rows_needed(rate: float, limit: float, confidence: float = 0.95) -> int | None:
    """The fewest rows at which a rate that stays at `rate` is decided against `limit` by the exact one-sided interval.

    The count is rounded against the decision. None when the rate equals the limit (no number of rows decides) or when
    it would take more than a billion.

    >>> rows_needed(0.0, 0.05)
    59
    """
    if not (0 <= rate <= 1 and 0 <= limit <= 1):
        raise TemperError(f"rate {rate!r} and limit {limit!r} must lie in [0, 1]")
    if rate == limit:
        return None
    # Above the limit, the question is the same one asked of the complement.
    rate, limit = (rate, limit) if rate < limit else (1 - rate, 1 - limit)
    alpha = 1 - confidence
    if rate == 0:
        return _first(lambda n: at_most(0, n, limit) <= alpha, 1, MOST_ROWS)
    per_event = 1 / rate
    most = int(MOST_ROWS * rate)
    # With k events the best case is the largest n at which k is still the rounded-up count.
    events = _first(lambda k: at_most(k, _floor(k * per_event), limit) <= alpha, 1, most)
    if events is None:
        return None
    start = max(events, _floor((events - 1) * per_event) + 1)
    return _first(lambda n: at_most(events, n, limit) <= alpha, start, _floor(events * per_event))


def mcnemar(only_before: int, only_after: int) -> float:
    """Exact two-sided p-value that a paired change is chance: rows that failed only before against only after.

    Source: McNemar, "Note on the sampling error of the difference between correlated proportions", 1947 (exact form).

    >>> round(mcnemar(1, 9), 4)
    0.0215
    """
    from scipy.special import bdtr

    if min(only_before, only_after) < 0:
        raise TemperError(f"counts must not be negative, got {only_before} and {only_after}")
    n = only_before + only_after
    return min(1.0, 2 * float(bdtr(min(only_before, only_after), n, 0.5))) if n else 1.0


def paired_rates(before: Any, after: Any, confidence: float = 0.95) -> tuple[float, float, float]:
    """Difference of two rates on the same rows, after - before, with its score interval.

    `before`, `after`: boolean arrays (n,), row i of both is the same sample. Agrees with McNemar's score test at zero.
    Source: Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design", 1998.

    >>> difference, low, high = paired_rates([True] * 10 + [False] * 90, [False] * 100)
    >>> round(difference, 2), high < 0
    (-0.1, True)
    """
    first, second = np.asarray(before, dtype=bool), np.asarray(after, dtype=bool)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise TemperError(f"paired rates need two equal non-empty vectors, got {first.shape} and {second.shape}")
    gained, lost = int((second & ~first).sum()), int((first & ~second).sum())
    n = len(first)
    difference = (gained - lost) / n
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    low = -1.0 if lost == n else _root(gained, lost, n, z, -1.0, difference)
    high = 1.0 if gained == n else _root(gained, lost, n, -z, difference, 1.0)
    return difference, low, high


def apart(count: int, n: int, others: int, m: int, confidence: float = 0.95) -> tuple[float, float, float]:
    """Difference of the rates of two separate groups, count / n - others / m, with its interval.

    Source: Newcombe, "Interval estimation for the difference between independent proportions", 1998 (method 10).

    >>> [round(value, 3) for value in apart(56, 70, 48, 80)]
    [0.2, 0.052, 0.334]
    """
    if not (n and m):
        raise TemperError(f"a difference of rates needs rows on both sides, got {n} and {m}")
    (a, low, high), (b, below, above) = (
        (k / size, *wilson(k, size, confidence)) for k, size in ((count, n), (others, m))
    )
    return a - b, a - b - math.hypot(a - low, above - b), a - b + math.hypot(high - a, b - below)


def measure_rate(
    plugin: str, metric: str, count: int, n: int, *, undecided: int = 0, better: Better = Better.LOWER, **more: Any
) -> Measurement:
    """A rate as a Measurement: `count` events among `n` rows, `undecided` of them unknown.

    The value is count / n; the Wilson interval spans both readings of the undecided rows, from none of them an event to
    all of them. `more` are further fields of Measurement and win over what is filled here.
    """
    confidence = more.get("confidence", 0.95)
    if undecided < 0 or count + undecided > n:
        raise TemperError(f"{plugin}.{metric}: {count} events and {undecided} undecided rows do not fit in {n} rows")
    filled: dict[str, Any] = {"method": "Wilson", "unit": "share"}
    if undecided == n:
        reason = f"none of the {n} rows was decided" if n else "there was no row to measure"
        filled |= {"value": None, "status": Status.UNTRIED, "reason": reason}
    else:
        low, high = wilson(count, n, confidence)[0], wilson(count + undecided, n, confidence)[1]
        filled |= {"value": count / n, "low": low, "high": high}
    filled |= {"count": count, "n": n, "undecided": undecided, "better": better}
    caveats = (*more.pop("caveats", ()), *_caveats(count, n, undecided, confidence))
    return Measurement(plugin=plugin, metric=metric, caveats=caveats, **(filled | more))


def _caveats(count: int, n: int, undecided: int, confidence: float) -> tuple[str, ...]:
    if undecided == n:
        return ()
    if undecided:
        most = (count + undecided) / n
        return (f"{undecided} of {n} rows undecided: between {100 * count / n:.3g} % and {100 * most:.3g} %",)
    if count == 0:
        return (f"0/{n}: under {_round_up(100 * clopper_pearson(0, n, confidence, 'upper')[1])} %",)
    if count == n:
        # The complement's upper end, so that "over" is rounded down.
        missing = 100 * clopper_pearson(0, n, confidence, "upper")[1]
        return (f"{n}/{n}: over {100 - float(_round_up(missing)):.4g} %",)
    return ()


def _round_up(value: float) -> str:
    """Two significant digits, never below the value."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return f"{math.ceil(value / unit - 1e-9) * unit:.6g}"


def _check_counts(count: int, n: int, confidence: float) -> None:
    if not 0 <= count <= n:
        raise TemperError(f"a count must lie between 0 and n, got {count} of {n}")
    if not 0 < confidence < 1:
        raise TemperError(f"confidence must lie in (0, 1), got {confidence!r}")


def at_most(count: int, n: int, rate: float) -> float:
    """P(no more than `count` events among n at this rate); by the beta integral, which stands a billion rows."""
    from scipy.special import betainc

    return 1.0 if count >= n else float(betainc(n - count, count + 1, 1 - rate))


def _floor(value: float) -> int:
    return math.floor(value + 1e-9)


def _first(holds: Any, low: int, high: int) -> int | None:
    """The first whole number in [low, high] where `holds`, which stays true once true; None when it never is."""
    if low > high or not holds(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _root(gained: int, lost: int, n: int, z: float, low: float, high: float) -> float:
    """Where Tango's score statistic, which falls as the difference rises, equals z."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _score(gained, lost, n, middle) > z else (low, middle)
    return (low + high) / 2


def _score(gained: int, lost: int, n: int, difference: float) -> float:
    """Tango's statistic at a difference, with the off-diagonal probability at its restricted maximum likelihood."""
    b = -gained - lost + (2 * n - gained + lost) * difference
    c = -lost * difference * (1 - difference)
    loss_rate = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
    variance = n * (2 * loss_rate + difference * (1 - difference))
    gap = gained - lost - n * difference
    return gap / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, gap) if gap else 0.0
