"""Where training rows are that trusted rows of the same class are not: exact tests of regions, and their control."""

from __future__ import annotations

from typing import Any

import numpy as np

Rows = np.ndarray[Any, Any]

LIFT = 2.0
"""A region is no evidence while trusted rows are more than half as frequent in it as training rows."""

_CHANCE = 0.01


def shortened(rows: Rows, most: int = 64) -> Rows:
    """`rows` (n, d) along their `most` principal directions.

    >>> shortened(np.eye(3), most=2).shape
    (3, 2)
    """
    centred = rows - rows.mean(axis=0)
    if rows.shape[1] <= most:
        return np.asarray(centred)
    _, directions = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ directions[:, -most:])


def whitened(rows: Rows, trusted: Rows, of: Rows) -> Rows:
    """`rows` (n, d) in units of the spread of `trusted` (m, d) around the centres of their classes `of` (m,).

    Whoever tests the rows of a class hands over trusted rows of the others: then nothing here knows which of the tested
    rows are trusted, and tests that count them are exact.
    """
    from sklearn.covariance import LedoitWolf

    apart = np.concatenate([trusted[of == label] - trusted[of == label].mean(axis=0) for label in np.unique(of)])
    spread = LedoitWolf(assume_centered=True).fit(apart).covariance_
    floor = 1e-9 * float(np.trace(spread)) / len(spread) + 1e-300
    return np.asarray(rows @ np.linalg.cholesky(np.linalg.inv(spread + floor * np.eye(len(spread)))))


def fuller(regions: Rows, own: Rows) -> Rows:
    """The chance (k,) of as many rows of `own` (n,) in each of `regions` (k, n) if who is where were drawn by lot.

    Exact (hypergeometric) where the regions do not know whose rows are whose.

    >>> fuller(np.array([[True, True, False, False]]), np.array([True, True, False, False])).round(3)
    array([0.167])
    """
    from scipy.stats import hypergeom

    regions = np.asarray(regions, dtype=bool)
    sizes, mine = regions.sum(axis=1), (regions & own).sum(axis=1)
    return np.asarray(hypergeom.sf(mine - 1, len(own), sizes, int(own.sum())))


def lifted(regions: Rows, own: Rows) -> Rows:
    """Whether each region (k, n) holds at least `LIFT` times the share of `own` (n,) that it holds of the others."""
    regions = np.asarray(regions, dtype=bool)
    mine, others = regions[:, own].mean(axis=1), regions[:, ~own].mean(axis=1)
    return np.asarray((mine > 0) & (mine >= LIFT * others))


def overfull(regions: Rows, own: Rows, level: float, by: float = 1.0) -> Rows:
    """The mask (n,) of rows in regions that are over-full with `own` at `level` over all regions (Bonferroni).

    The fullest first; the others are then tested without its rows. `by`: see `deflated`.

    >>> half = np.arange(40) < 20
    >>> int(overfull(np.array([half]), half, 1e-3).sum())
    20
    """
    left = np.array(regions, dtype=bool)
    found = np.zeros(left.shape[1], dtype=bool)
    while True:
        p = np.where(lifted(left, own), controlled(fuller(left, own) * len(left), by), np.inf)
        if not p.size or p.min() > level:
            return found
        best = left[p.argmin()].copy()
        found |= best
        left &= ~best


def deflated(p: Rows) -> float:
    """What to divide the chi-squared statistics of these p-values (one per class) by, so that their median is as usual.

    1 where chance leaves a median as low. A backdoor leads to one class or a few; where most of them stand out, the
    trusted rows are of another kind than the training rows.
    Source: Devlin & Roeder, "Genomic control for association studies", 1999.

    >>> deflated(np.array([0.2, 0.5, 0.9])), round(deflated(np.full(5, 1e-4)), 1)
    (1.0, 33.3)
    """
    from scipy.stats import beta, chi2

    middle, half = float(np.median(np.clip(p, 1e-300, 1.0))), (len(p) + 1) / 2
    if beta.cdf(middle, half, half) > _CHANCE:
        return 1.0
    return max(1.0, float(chi2.isf(middle, 1) / chi2.median(1)))


def controlled(p: Rows, by: float) -> Rows:
    """The p-values with their chi-squared statistics divided by `by`.

    >>> controlled(np.array([0.05]), 1.0).round(3)
    array([0.05])
    """
    from scipy.stats import chi2

    return np.asarray(chi2.sf(chi2.isf(np.clip(p, 1e-300, 1.0), 1) / by, 1))
