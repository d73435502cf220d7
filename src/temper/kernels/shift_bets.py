"""Bets against a rank being uniform: densities on the unit interval, each the picture of one kind of change."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
CELLS = 64
_SHIFTS, _SCALES, _ODDS = (0.1, 0.25, 0.6, 1.3), (1.6, 0.6), (0.4, 2.0, 6.0)
_STAKES, _NEW, _FLOOR, _RARE = (0.1, 0.25, 0.5, 0.9), 0.1, 0.1, 1 / 256
_MISSING = "less often missing", "more often missing", "more often missing", "more often missing"
NUMBER = (
    *(("lower", "higher") * len(_SHIFTS)),
    *("more spread out", "less spread out", "more at its low end", "more at its high end"),
    *_MISSING,
)
CATEGORY = (
    *(("more of its common categories", "more of its rare categories") * len(_SHIFTS)),
    *("more of its commonest and rarest categories", "fewer of its commonest and rarest categories"),
    *("more of its commonest category", "rare or unseen categories"),
    *_MISSING,
)


@cache
def bets() -> Array:
    """Factors (65, 12) of bets on values, for the cell of a value's rank, one more for rows without a value; in the
    order of their names `NUMBER` and `CATEGORY`: shifts, spreads, ends.

    Each pays the density of its change, where a standard normal variable is moved or stretched, so that no other
    factors of a mean of one grow faster under that change; one is mixed in, so that no single row takes all away.
    Source: Shafer, "Testing by betting", 2021; normal scores: van der Waerden, 1952.

    >>> bets().shape, bool(np.allclose(bets()[:64].mean(axis=0), 1.0))
    ((65, 12), True)
    """
    from scipy.special import ndtr

    shifts = [np.diff(ndtr(_ends() - sign * size)) for size in _SHIFTS for sign in (-1.0, 1.0)]
    shares = np.array([*shifts, *(np.diff(ndtr(_ends() / size)) for size in _SCALES), _more(0), _more(-1)])
    return _factors((1.0 - _FLOOR) * CELLS * shares + _FLOOR)


@cache
def blunt_bets() -> Array:
    """The same where ranks are known up to an error, whose harm is the way that factors go up and down: they rise by
    the score no farther than one standard deviation.

    Source: Huber, "A robust version of the probability ratio test", 1965.

    >>> bool(np.abs(np.diff(blunt_bets()[:64], axis=0)).sum(axis=0)[:8].max() < 1.9)
    True
    """
    from scipy.special import ndtri

    middle = ndtri((np.arange(CELLS) + 0.5) / CELLS)
    score, wide = np.clip(middle, -1.0, 1.0), np.clip(middle**2 - 1.0, -1.0, 1.0)
    shifts = [1.0 + sign * stake * score for stake in _STAKES for sign in (-1.0, 1.0)]
    scales = [1.0 + sign * 0.5 * (wide - wide.mean()) for sign in (1.0, -1.0)]
    return _factors(np.array([*shifts, *scales, CELLS * _more(0), CELLS * _more(-1)]))


def gap_bets(missing: Array) -> tuple[Array, Array]:
    """Bets that this share of missing values changes, last in the names: where the ranks of missing values usually
    begin (...), and the factors (..., 2, 4) below and above that.

    The odds become 0.4, 2 or 6 times as large, or a tenth of the values there goes missing. A share below a 256th
    counts as that, so that one missing value wins 26 times its stake at most.

    >>> begin, factors = gap_bets(np.array(0.25))
    >>> float(begin), factors[:, 1].round(2)
    (0.75, array([0.8, 1.6]))
    """
    share = np.clip(missing, _RARE, 1.0 - _RARE)[..., None]
    odds = share / (1.0 - share) * np.array(_ODDS)
    then = np.concatenate([odds / (1.0 + odds), share + _NEW * (1.0 - share)], axis=-1)
    return 1.0 - share[..., 0], np.stack([(1.0 - then) / (1.0 - share), then / share], axis=-2)


def _ends() -> Array:
    """Where the cells of a standard normal variable end."""
    from scipy.special import ndtri

    return np.asarray(ndtri(np.arange(CELLS + 1) / CELLS))


def _more(at: int) -> Array:
    """Shares of cells, after some rows have gone to the first or the last."""
    shares = np.full(CELLS, (1.0 - _NEW) / CELLS)
    shares[at] += _NEW
    return shares


def _factors(rows: Array) -> Array:
    """A row per cell, and one for rows without a value."""
    return np.ascontiguousarray(np.vstack([rows.T, np.ones(len(rows))]))
