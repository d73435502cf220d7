"""Compiled e-detector of shifted columns; imported only where a stream is watched."""

from __future__ import annotations

import numba
import numpy as np

BINS, CELLS, PLACED, BETS = 128, 64, 12, 16  # bets on a value's place come first, those on gaps last
GAP = BINS  # the bin of a missing value; counts go one further, to all rows
_BLOCK = 64
_ONE, _FULL = np.uint32(1), np.uint32(2**32 - 2)
_GOLDEN, _MIX1, _MIX2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_HALF, _LOW, _UNIT = np.uint64(32), np.uint64(0xFFFFFFFF), 2.0**-32


@numba.njit(cache=True, inline="always")
def _bin(value, knots, order, category):  # type: ignore[no-untyped-def]
    """The bin of a value: how many knots it reaches; for a category its place among the common ones, else the last."""
    if value != value:
        return GAP
    place, step = 0, BINS // 2
    while step > 0:  # without a branch: the processor cannot guess
        place += step * (knots[place + step - 1] <= value)
        step //= 2
    if not category:
        return place
    return np.int64(order[place - 1]) if place > 0 and knots[place - 1] == value else BINS - 1


@numba.njit(cache=True)
def fill_bins(x, columns, knots, order, category, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n, d) with the bins of the watched columns."""
    for at in range(len(columns)):
        for row in range(len(x)):
            out[row, at] = _bin(x[row, columns[at]], knots[at], order[at], category[at])


@numba.njit(cache=True)
def _hash(number):  # type: ignore[no-untyped-def]
    """SplitMix64's mixer."""
    number = (number ^ (number >> np.uint64(30))) * _MIX1
    number = (number ^ (number >> np.uint64(27))) * _MIX2
    return number ^ (number >> np.uint64(31))


@numba.njit(cache=True, inline="always")
def _rank(less, same, n, itself, chance):  # type: ignore[no-untyped-def]
    """The rank, from nought to one, of a row above `less` of n others and level with `same` of them, which chance puts
    in an order; with `itself` 1 it is ranked among them and itself.
    """
    n = np.float64(n) + itself
    return (np.float64(less) + chance * (np.float64(same) + itself)) / n if n > 0.0 else chance


@numba.njit(cache=True, inline="always")
def _run_on(evidence, which, bet, factor):  # type: ignore[no-untyped-def]
    """One bet by one row, and what it comes to."""
    won, aged = evidence[which, 0, bet], evidence[which, 1, bet]
    evidence[which, 2, bet] = (evidence[which, 2, bet] + 2.0 * aged + won) * factor
    evidence[which, 1, bet] = (aged + won) * factor
    evidence[which, 0, bet] = won = (won + 1.0) * factor
    return won


@numba.njit(cache=True, inline="always")
def _stake(evidence, which, factors, cell, gaps, gap, paid, one):  # type: ignore[no-untyped-def]
    """Let all bets on one column run on by one row, begin them anew, and give their mean; `evidence` (2, 3, 16) are
    the sums over all beginnings of what was won since, of the same times its age, and times its age squared.
    """
    total = 0.0
    for bet in range(PLACED):
        total += _run_on(
            evidence, which, bet, paid[which, one, 0, bet] + factors[which, cell, bet] * paid[which, one, 1, bet]
        )
    for bet in range(PLACED, BETS):
        total += _run_on(evidence, which, bet, gaps[which, one, gap, bet - PLACED])
    return total / BETS


@numba.njit(cache=True)
def _alarm(own, number, first):  # type: ignore[no-untyped-def]
    """Begin the bets on one column anew; `first` (4,) keeps of its first alarm the row, the leading bet, and the mean
    and spread of its age.
    """
    if first[0] < 0:
        total = own[0].sum()
        first[0], first[1], first[2] = number, np.argmax(own[0]), own[1].sum() / total
        first[3] = np.sqrt(max(own[2].sum() / total - first[2] * first[2], 0.0))
    own[:] = 0.0


@numba.njit(cache=True)
def _beside(level, limit, beside):  # type: ignore[no-untyped-def]
    """Mark the columns that the e-BH procedure accepts at an alarm, by their evidence (d, 2)."""
    ranked, least = np.sort(level.copy().ravel())[::-1], limit
    for place in range(len(ranked)):
        if ranked[place] * (place + 1) >= limit:
            least = ranked[place]
    for at in range(len(level)):
        beside[at] |= level[at].max() >= least


@numba.njit(cache=True)
def _column(bins, at, strata, counts, paid, usual, gaps, factors, evidence, parts, limit, began, level, found):  # type: ignore[no-untyped-def]
    """One column in some rows: fill `level` (n, d, 2) there."""
    for row in range(len(bins)):
        one, here = strata[row], np.int64(bins[row, at])
        drawn = _hash(_hash(np.uint64(began + row + 1) * _GOLDEN) + np.uint64(at + 1) * _GOLDEN)
        chance, other = np.float64(drawn >> _HALF) * _UNIT, np.float64(drawn & _LOW) * _UNIT
        for which in range(2):
            there, rows = counts[which, one, GAP], counts[which, one, GAP + 1]
            less, upto = counts[which, one, here], counts[which, one, here + 1]
            if here == GAP:
                cell, rank = CELLS, _rank(there, rows - there, rows, which, other)
            else:
                cell = min(int(_rank(less, upto - less, there, which, chance) * CELLS), CELLS - 1)
                rank = _rank(0, there, rows, which, other)
            won = _stake(evidence, which, factors, cell, gaps, np.int64(rank >= usual), paid, one) / parts
            level[row, at, which] = won
            if won >= limit:
                _alarm(evidence[which], began + row, found[which])
        if counts[1, one, GAP + 1] < _FULL:
            for above in range(here + 1, GAP + 2):
                counts[1, one, above] += _ONE


@numba.njit(cache=True)
def follow(bins, strata, counts, paid, usual, gaps, factors, evidence, limit, began, out, found, beside):  # type: ignore[no-untyped-def]
    """Fill `out` (n,) with the largest evidence after each row of `bins` (n, d), `found` (d, 2, 4) with the first alarm
    of each column, and `beside` (d,) with the columns that stand beside others at an alarm.

    `counts` (d, 2, strata, 130) are cumulated counts of bins, the first as they are, the second learning; `paid`
    (d, 2, strata, 2, 12) is what a bet keeps, and what part it is paid of its factor in `factors` (2, 65, 12); `gaps`
    (d, 2, strata, 2, 4) are the factors below and above the `usual` (d,) share of values; `evidence` (d, 2, 3, 16) as
    in `_stake`. Rows are taken some at a time, column by column, because all of a column fits into the fastest memory,
    and all columns do not.
    """
    d = bins.shape[1]
    level = np.empty((min(len(bins), _BLOCK), d, 2))
    for start in range(0, len(bins), _BLOCK):
        part, those = bins[start : start + _BLOCK], strata[start : start + _BLOCK]
        for at in range(d):
            _column(
                part, at, those, counts[at], paid[at], usual[at], gaps[at], factors, evidence[at], 2 * d, limit,
                began + start, level, found[at],
            )  # fmt: skip
        for row in range(len(part)):
            out[start + row] = level[row].max()
            if out[start + row] >= limit:
                _beside(level[row], limit, beside)
