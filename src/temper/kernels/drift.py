"""How far two samples lie apart, column by column, and how surely: all of it from counts in cells.

The first tally is the reference, the second the window. Without a value on one side a distance is NaN and p is one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from temper.core.seed import Draws
from temper.kernels.cells import Cells, Tally, coarse, pairs
from temper.kernels.smirnov import smirnov_p

Array = np.ndarray[Any, Any]
BINS = 10
_SPARSE, _STEPS = 10.0, 256
_BRIDGES = ((100, 20), (500, 50), (4_000, 0))
"""How many are drawn at first and then; where so many of them are as large, p is plain and no more are needed."""
_DEVIATIONS, _BEYOND = 12.0, 50  # how far out a tail is summed, in standard deviations and in events


def ks(cells: Cells, reference: Tally, window: Tally) -> tuple[Array, Array]:
    """Kolmogorov and Smirnov's largest distance (d,) of the distribution functions, and p (d,).

    Exact where every value of the reference is a knot; else at the knots, which is never more, so p is never too small.
    Source: Smirnov, "Table for estimating the goodness of fit of empirical distributions", 1948; p from the one-sample
    distribution at the harmonic n, as in SciPy's "asymp".
    """
    apart = np.array([_largest(_below(one) - _below(other)) for one, other in pairs(cells, reference, window)])
    n, m = reference.present.astype(float), window.present.astype(float)
    known = (n > 0) & (m > 0)
    together = np.round(n * m / np.maximum(n + m, 1.0))
    return apart, np.where(known, smirnov_p(np.where(known, apart, 0.0), np.maximum(together, 1.0)), 1.0)


def wasserstein(cells: Cells, reference: Tally, window: Tally) -> tuple[Array, Array]:
    """The area (d,) between the distribution functions, in units of the column, and p (d,); codes have none (NaN).

    Values beyond the reference count as its outermost ones: a single wild row moves the area by no more than any other.
    Source: Vallender, "Calculation of the Wasserstein distance between probability distributions on the line", 1974.
    """
    values, p = np.full(len(cells), np.nan), np.ones(len(cells))
    for column, (one, other) in enumerate(pairs(cells, reference, window)):
        n, m = int(one.sum()), int(other.sum())
        if cells.category[column] or not n or not m:
            continue
        gaps = np.diff(cells.of(column).astype(np.float64))
        # Between two knots the functions rise on their way: half of what lies between counts on either side.
        apart = _below(one) - _below(other)
        values[column] = float(np.abs(apart[1:-2:2] + apart[2:-1:2]) / 2.0 @ gaps)
        p[column] = _bridged_p(values[column] / np.sqrt(1.0 / n + 1.0 / m), (one + other) / (n + m), gaps)
    return values, p


def jensen_shannon(cells: Cells, reference: Tally, window: Tally, bins: int = BINS) -> tuple[Array, Array]:
    """Jensen and Shannon's distance (d,) in [0, 1] over bins of equal share of the reference, categories being bins,
    and p (d,): its square is about an eighth of a chi-squared variable times 1/n + 1/m, in nats.

    Source: Lin, "Divergence measures based on the Shannon entropy", 1991; Endres & Schindelin, 2003 (its root).
    """
    from scipy.special import chdtrc

    values, p = [], []
    for one, other in _binned(cells, reference, window, bins):
        n, m = one.sum(), other.sum()
        values.append(_js(one / n, other / m) if n and m else np.nan)
        table = _pooled(one, other)
        if table.shape[1] < 2 or not (n and m):
            p.append(1.0)
            continue
        square = _js(table[0] / n, table[1] / m) ** 2 * np.log(2.0)
        p.append(float(chdtrc(table.shape[1] - 1, 8.0 * square / (1.0 / n + 1.0 / m) / _williams(table))))
    return np.array(values), np.array(p)


def psi(cells: Cells, reference: Tally, window: Tally, bins: int = BINS) -> tuple[Array, Array]:
    """The population stability index (d,) over bins of equal share of the reference, and p (d,).

    Half a row is added to every bin, so an empty one is no infinity. Without drift the index is about a chi-squared
    variable times 1/n + 1/m, which is what makes a threshold that fits every n; for p rare categories are counted
    together.
    Source: Yurdakul & Naranjo, "Statistical properties of the population stability index", 2020.
    """
    from scipy.special import chdtrc

    values, p = [], []
    for one, other in _binned(cells, reference, window, bins):
        n, m = one.sum(), other.sum()
        values.append(_index(one, other) if n and m else np.nan)
        table = _pooled(one, other)
        if table.shape[1] < 2 or not (n and m):
            p.append(1.0)
            continue
        index = _index(*table) / (1.0 / n + 1.0 / m)
        p.append(float(chdtrc(table.shape[1] - 1, index / _williams(table))))
    return np.array(values), np.array(p)


def g_test(cells: Cells, reference: Tally, window: Tally, bins: int = BINS) -> tuple[Array, Array]:
    """Whether two rows of counts come from one distribution: Cramer's V (d,) and p (d,), both sides being samples.

    Categories, or bins of equal share, that are too rare for the approximation are counted together.
    Source: Wilks, "The likelihood test of independence in contingency tables", 1935; Williams's correction, 1976.
    """
    from scipy.special import chdtrc

    values, p = [], []
    for one, other in _binned(cells, reference, window, bins):
        table = _pooled(one, other)
        total, kinds = table.sum(), table.shape[1]
        if kinds < 2 or not table.sum(axis=1).all():
            values.append(0.0 if table.sum(axis=1).all() else np.nan)
            p.append(1.0)
            continue
        expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / total
        with np.errstate(divide="ignore", invalid="ignore"):
            g = 2.0 * float(np.where(table > 0, table * np.log(table / expected), 0.0).sum())
        values.append(float(np.sqrt(((table - expected) ** 2 / expected).sum() / total)))
        p.append(float(chdtrc(kinds - 1, g / _williams(table))))
    return np.array(values), np.array(p)


def rates(events: Array, n: Array, others: Array, m: Array) -> Array:
    """p (d,) that `events` of n and `others` of m rows have one rate: the exact hypergeometric tail, twice the smaller.

    Source: Fisher, "The logic of inductive inference", 1935.

    >>> rates(np.array([5]), np.array([1000]), np.array([40]), np.array([1000])).round(9)
    array([5.8e-08])
    """
    events, n, others, m = (np.asarray(one, dtype=np.int64) for one in (events, n, others, m))
    both = events + others
    more = others * n >= events * m
    # What is rarer is the tail on the side of the sample that has more of them than its share.
    outward, here = _outward(np.where(more, others, events), np.where(more, m, n), np.where(more, n, m), both)
    tails = np.minimum(outward, 1.0 - outward + here)
    return np.where((n > 0) & (m > 0), np.minimum(1.0, 2.0 * tails), 1.0)


def _outward(k: Array, m: Array, n: Array, both: Array) -> tuple[Array, Array]:
    """The chances (d,) that of `both` events so many (k) or more fall on m rows and the rest on n, and just so many."""
    from scipy.special import gammaln

    def ways(of: Array, few: Array) -> Array:
        return np.asarray(gammaln(of + 1.0) - gammaln(few + 1.0) - gammaln(of - few + 1.0))

    here = np.exp(ways(m, k) + ways(n, both - k) - ways(m + n, both))
    share = m / np.maximum(m + n, 1)
    far = int(np.ceil(_DEVIATIONS * np.sqrt((both * share * (1.0 - share)).max(initial=0.0)))) + _BEYOND
    at = k[:, None] + np.arange(far)
    left, room = both[:, None] - at, n[:, None] - both[:, None] + at
    steps = np.where((left > 0) & (at < m[:, None]), left * (m[:, None] - at) / ((at + 1.0) * (room + 1.0)), 0.0)
    return here * (1.0 + np.cumprod(steps, axis=1).sum(axis=1)), here


def excess(inside: int, beside: int, now: int, now_beside: int, least: float) -> float:
    """p that the odds of `now` to `now_beside` are at most `least` times those of `inside` to `beside`: exact.

    Source: Fisher, "The logic of inductive inference", 1935 (the distribution given the margins, odds other than one).

    >>> round(excess(10, 10, 9, 1, 1.0), 3), round(excess(10, 10, 9, 1, 2.0), 3)
    (0.037, 0.175)
    """
    from scipy.special import gammaln, logsumexp

    window, both = now + now_beside, inside + now
    x = np.arange(max(0, both - inside - beside), min(window, both) + 1)
    ways = -gammaln(x + 1) - gammaln(window - x + 1) - gammaln(both - x + 1) - gammaln(inside + beside - both + x + 1)
    weights = ways + x * np.log(least)
    return float(min(1.0, np.exp(logsumexp(weights[x >= now]) - logsumexp(weights))))


def _below(counts: Array) -> Array:
    """The share of values up to the end of each cell; NaN without values."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.cumsum(counts) / counts.sum())


def _largest(apart: Array) -> float:
    return float(np.abs(apart).max()) if len(apart) else np.nan


def _binned(cells: Cells, reference: Tally, window: Tally, bins: int) -> list[tuple[Array, Array]]:
    """Counts of both sides per bin, or per category with a last one for what the reference never had."""
    found = []
    for column, (one, other) in enumerate(pairs(cells, reference, window)):
        if cells.category[column]:
            found.append(tuple(np.append(part[1::2], part[::2].sum()) for part in (one, other)))
        else:
            # Bins of a fixed share need no pooling, which would choose those that the window happens to have little of.
            place = coarse(one, max(2, min(bins, int(min(one.sum(), other.sum()) // (2 * _SPARSE)))))
            most = int(place.max()) + 1
            found.append(tuple(np.bincount(place, weights=part, minlength=most) for part in (one, other)))
    return found  # type: ignore[return-value]


def _bridged_p(area: float, mass: Array, gaps: Array) -> float:
    """The share of bridges with so large an area: of the first few where that is plain, of all where it is not."""
    if not len(gaps):
        return 1.0
    for few, plain in _BRIDGES:
        larger = int(np.count_nonzero(_bridged(mass, gaps, few) >= area))
        if larger >= plain:
            break
    return (1.0 + larger) / (1.0 + few)


def _bridged(mass: Array, gaps: Array, many: int) -> Array:
    """Areas (many,) under a Brownian bridge over cells of this mass, between knots `gaps` apart."""
    parts = np.unique(np.linspace(0, len(gaps), _STEPS + 1).astype(np.int64)[:-1])
    ends = np.add.reduceat((mass[:-2:2] + mass[1:-1:2])[: len(gaps)], parts)  # up to a knot, and at it
    share = np.cumsum(ends)
    drawn = _normals(many)
    walk = np.cumsum(drawn[:, : len(parts)] * np.sqrt(ends).astype(np.float32), axis=1)
    last = walk[:, -1:] + np.float32(np.sqrt(max(0.0, 1.0 - float(share[-1])))) * drawn[:, -1:]
    walk -= share.astype(np.float32) * last
    return np.asarray(np.abs(walk, out=walk) @ np.add.reduceat(gaps, parts).astype(np.float32))


@lru_cache(maxsize=len(_BRIDGES))
def _normals(many: int) -> Array:
    """One column a step, and one for what follows the last knot; few are the first of many."""
    return Draws(0, "kernels.drift").generator(0).standard_normal((many, _STEPS + 1), dtype=np.float32)


def _index(one: Array, other: Array) -> float:
    first, second = ((part + 0.5) / (part.sum() + 0.5 * len(part)) for part in (one, other))
    return float((first - second) @ np.log(first / second))


def _js(p: Array, q: Array) -> float:
    from scipy.special import rel_entr

    middle = (p + q) / 2.0
    return float(np.sqrt(max(0.0, (rel_entr(p, middle) + rel_entr(q, middle)).sum() / 2.0 / np.log(2.0))))


def _pooled(one: Array, other: Array) -> Array:
    """The table (2, kinds), the last kind and rare ones together: each is expected ten times or more on either side.

    Which kinds are rare is told by both sides' sum alone, of which no distribution depends on drift.
    """
    table = np.array([one, other], dtype=float)
    smaller = table.sum(axis=1).min() / max(table.sum(), 1.0)
    expected = table.sum(axis=0) * smaller
    order = np.append(len(expected) - 1, np.argsort(expected[:-1], kind="stable"))
    enough = np.flatnonzero(
        (np.cumsum(expected[order]) >= _SPARSE) & (np.append(expected[order][1:], np.inf) >= _SPARSE)
    )
    first = int(enough[0]) + 1 if len(enough) else len(order)
    kept = np.column_stack([table[:, order[:first]].sum(axis=1), table[:, order[first:]]])
    return np.asarray(kept[:, kept.sum(axis=0) > 0])


def _williams(table: Array) -> float:
    """What G is divided by to be closer to its chi-squared distribution in small samples."""
    total, kinds = table.sum(), table.shape[1]
    rows, columns = (total / table.sum(axis=1)).sum() - 1.0, (total / table.sum(axis=0)).sum() - 1.0
    return float(1.0 + rows * columns / (6.0 * total * (kinds - 1)))
