"""Bets against a rank being uniform: densities on the unit interval, each the picture of one kind of change."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
CELLS = 64
_SHIFTS, _SCALES, _GAPS, _NEW, _FLOOR = (0.1, 0.25, 0.6, 1.3), (1.5, 3.0, 0.6), 0.5, 0.1, 0.1
NUMBER = (
    *(("lower", "higher") * len(_SHIFTS)),
    *("more spread out", "far more spread out", "less spread out", "more at its low end", "more at its high end"),
    *("more often missing", "less often missing", "more often missing"),
)
CATEGORY = (
    *(("more of its common categories", "more of its rare categories") * len(_SHIFTS)),
    *("more of its commonest and rarest categories", "far more of its commonest and rarest categories"),
    *("fewer of its commonest and rarest categories", "more of its commonest category"),
    *("rare or unseen categories", *NUMBER[-3:]),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bets:
    """What each of 16 bets pays: `values` (65, 16) for the cell of a value's rank, one more for rows without a value,
    `gaps` (64, 16) for the cell of the rank of its being there or not; `swing` (16,) is how far the factors of a bet
    go up and down in all.
    """

    values: Array
    gaps: Array
    swing: Array


@cache
def bets() -> Bets:
    """The bets, in the order of their names `NUMBER` and `CATEGORY`: shifts, spreads, ends, gaps.

    Each pays the density of its change, where a standard normal variable is moved or stretched, so that no other
    factors of a mean of one grow faster under that change; one is mixed in, so that no single row takes all away.
    Source: Shafer, "Testing by betting", 2021; normal scores: van der Waerden, 1952.

    >>> bets().values.shape, bool(np.allclose(bets().values[:64].mean(axis=0), 1.0))
    ((65, 16), True)
    """
    from scipy.special import ndtr, ndtri

    ends = ndtri(np.arange(CELLS + 1) / CELLS)
    shifts = [np.diff(ndtr(ends - sign * size)) for size in _SHIFTS for sign in (-1.0, 1.0)]
    scales = [np.diff(ndtr(ends / size)) for size in _SCALES]
    low, high = np.full(CELLS, (1.0 - _NEW) / CELLS), np.full(CELLS, (1.0 - _NEW) / CELLS)
    low[0] += _NEW
    high[-1] += _NEW
    gone = [np.diff(ndtr(ends - sign * _GAPS)) for sign in (1.0, -1.0)]
    sure = np.full(CELLS, 1.0 / CELLS)
    values = _factors([*shifts, *scales, low, high, *[sure] * 3])
    gaps = _factors([*[sure] * (len(NUMBER) - 3), *gone, high])
    swing = np.abs(np.diff(values, axis=0)).sum(axis=0) + np.abs(np.diff(gaps, axis=0)).sum(axis=0)
    return Bets(values=np.vstack([values, np.ones(len(NUMBER))]), gaps=gaps, swing=swing)


def _factors(shares: list[Array]) -> Array:
    """Factors (cells, bets) of a mean of one, none below the floor."""
    return np.ascontiguousarray((1.0 - _FLOOR) * CELLS * np.array(shares).T + _FLOOR)
