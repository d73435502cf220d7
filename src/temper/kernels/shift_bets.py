"""Bets against a rank being uniform: densities on the unit interval, each the picture of one kind of change."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
CELLS = 64
_SHIFTS, _SCALES, _GAPS, _NEW, _FLOOR = (0.1, 0.25, 0.6, 1.3), (1.6, 0.6), (-0.5, 0.5, 1.5), 0.1, 0.1
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bets:
    """What bets pay: `values` (65, 12) for the cell of a value's rank, one more for rows without a value, `gaps`
    (64, 4) for the cell of the rank of its being there or not; `swing` (16,) is how far the factors of each go up and
    down in all.
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
    ((65, 12), True)
    """
    values = _factors([*(_moved(sign * size) for size in _SHIFTS for sign in (-1.0, 1.0)),
                       *(_stretched(size) for size in _SCALES), _end(0), _end(-1)])  # fmt: skip
    gaps = _factors([*(_moved(size) for size in _GAPS), _end(-1)])
    swing = np.concatenate([np.abs(np.diff(one, axis=0)).sum(axis=0) for one in (values, gaps)])
    return Bets(values=np.vstack([values, np.ones(values.shape[1])]), gaps=gaps, swing=swing)


def _moved(by: float) -> Array:
    """Shares of the cells of a normal variable, after it moved."""
    from scipy.special import ndtr, ndtri

    return np.diff(ndtr(ndtri(np.arange(CELLS + 1) / CELLS) - by))


def _stretched(by: float) -> Array:
    """Shares of its cells, after it is so many times as wide."""
    from scipy.special import ndtr, ndtri

    return np.diff(ndtr(ndtri(np.arange(CELLS + 1) / CELLS) / by))


def _end(at: int) -> Array:
    """Shares of cells, after some rows have gone to the first or the last."""
    shares = np.full(CELLS, (1.0 - _NEW) / CELLS)
    shares[at] += _NEW
    return shares


def _factors(shares: list[Array]) -> Array:
    """Factors (cells, bets) of a mean of one, none below the floor."""
    return np.ascontiguousarray((1.0 - _FLOOR) * CELLS * np.array(shares).T + _FLOOR)
