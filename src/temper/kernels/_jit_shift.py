"""Compiled e-detector of shifted columns; imported only where a stream is watched."""

from __future__ import annotations

import numba
import numpy as np

BINS, CELLS, BETS = 128, 64, 16
GAP = BINS  # the bin of a missing value; counts go one further, to all rows
_ONE, _FULL = np.uint32(1), np.uint32(2**32 - 2)
_GOLDEN, _MIX1, _MIX2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_HALF, _LOW, _UNIT = np.uint64(32), np.uint64(0xFFFFFFFF), 2.0**-32


@numba.njit(cache=True)
def _bin(value, knots, order, category):  # type: ignore[no-untyped-def]
    """The bin of a value: how many knots it reaches; for a category its place among the common ones, else the last."""
    if value != value:
        return GAP
    place, step = 0, BINS // 2
    while step > 0:
        if knots[place + step - 1] <= value:
            place += step
        step //= 2
    if not category:
        return place
    return np.int64(order[place - 1]) if place > 0 and knots[place - 1] == value else BINS - 1


@numba.njit(cache=True)
def fill_bins(x, columns, knots, order, category, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n, d) with the bins of the watched columns."""
    for row in range(len(x)):
        for at in range(len(columns)):
            out[row, at] = _bin(x[row, columns[at]], knots[at], order[at], category[at])


@numba.njit(cache=True)
def _hash(number):  # type: ignore[no-untyped-def]
    """SplitMix64's mixer."""
    number = (number ^ (number >> np.uint64(30))) * _MIX1
    number = (number ^ (number >> np.uint64(27))) * _MIX2
    return number ^ (number >> np.uint64(31))


@numba.njit(cache=True, inline="always")
def _cell(counts, first, last, bottom, top, itself, chance):  # type: ignore[no-untyped-def]
    """The cell of the rank of a row that lies between two of the cumulated `counts`, ties broken at random, among all
    rows between `bottom` and `top`; with `itself` the row is one of them.
    """
    less = np.float64(counts[first]) - np.float64(counts[bottom])
    same = np.float64(counts[last]) - np.float64(counts[first]) + itself
    n = np.float64(counts[top]) - np.float64(counts[bottom]) + itself
    rank = (less + chance * same) / n if n > 0.0 else chance
    return min(np.int64(rank * CELLS), CELLS - 1)


@numba.njit(cache=True, fastmath={"reassoc", "nsz", "contract"})
def _stake(evidence, value, gap, swing, apart):  # type: ignore[no-untyped-def]
    """Let all bets of one column run on by one row, begin them anew, and give their mean; `evidence` (3, 16) are the
    sums over all beginnings of what was won since, of the same times its age, and times its age squared.
    """
    total = 0.0
    for bet in range(BETS):
        factor = value[bet] * gap[bet] / (1.0 + apart * swing[bet])
        won, aged = evidence[0, bet], evidence[1, bet]
        evidence[2, bet] = (evidence[2, bet] + 2.0 * aged + won) * factor
        evidence[1, bet] = (aged + won) * factor
        evidence[0, bet] = (won + 1.0) * factor
        total += evidence[0, bet]
    return total / BETS


@numba.njit(cache=True)
def _name(level, limit, number, evidence, found):  # type: ignore[no-untyped-def]
    """At an alarm, name every column whose evidence the e-BH procedure accepts and start its bets anew; `found`
    (2, d, 4) keeps of the first alarm of each the row, the leading bet, and the mean and spread of its age.
    """
    ranked, least = np.sort(level.ravel())[::-1], limit
    for place in range(len(ranked)):
        if ranked[place] * (place + 1) >= limit:
            least = ranked[place]
    for which in range(2):
        for at in range(level.shape[1]):
            if level[which, at] >= least:
                own = evidence[which, at]
                if found[which, at, 0] < 0:
                    total = own[0].sum()
                    age = own[1].sum() / total
                    found[which, at, 0], found[which, at, 1] = number, np.argmax(own[0])
                    found[which, at, 2] = age
                    found[which, at, 3] = np.sqrt(max(own[2].sum() / total - age * age, 0.0))
                own[:] = 0.0


@numba.njit(cache=True)
def follow(  # type: ignore[no-untyped-def]
    x, strata, columns, knots, order, category, counts, apart, values, gaps, swing, evidence, limit, began, out,
    alarms, found,
):  # fmt: skip
    """Fill `out` (n,) with the largest evidence after each row and `alarms` (n,) with whether it passed `limit`.

    `counts` (2, strata, d, 130) are cumulated counts of bins, the first as they are, the second learning; `apart`
    (2, strata, d) how far the rows may be from them; `evidence` (2, d, 3, 16) as in `_stake`.
    """
    d = len(columns)
    level = np.empty((2, d))
    for row in range(len(x)):
        one, number, most = strata[row], began + row, 0.0
        for at in range(d):
            here = _bin(x[row, columns[at]], knots[at], order[at], category[at])
            drawn = _hash(_hash(np.uint64(number + 1) * _GOLDEN) + np.uint64(at + 1) * _GOLDEN)
            chance, other = np.float64(drawn >> _HALF) * _UNIT, np.float64(drawn & _LOW) * _UNIT
            for which in range(2):
                own = counts[which, one, at]
                if here == GAP:
                    value, gap = CELLS, _cell(own, GAP, GAP + 1, 0, GAP + 1, which, other)
                else:
                    value = _cell(own, here, here + 1, 0, GAP, which, chance)
                    gap = _cell(own, 0, GAP, 0, GAP + 1, which, other)
                level[which, at] = _stake(evidence[which, at], values[value], gaps[gap], swing, apart[which, one, at])
                most = max(most, level[which, at])
            grown = counts[1, one, at]
            if grown[GAP + 1] < _FULL:
                for above in range(here + 1, GAP + 2):
                    grown[above] += _ONE
        out[row] = most
        alarms[row] = most >= limit
        if alarms[row]:
            _name(level, limit, number, evidence, found)
