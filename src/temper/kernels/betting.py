"""Bets against a client being ordinary: fair ones for every ordinary client, and profitable against the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
LEVELS = (0.4, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.0005)
_LEAST, _HOPED = 0.05, 0.7
_POWERS = np.linspace(0.1, 1.0, 19)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bet:
    """What is won: `factors[i]` for a value up to `edges[i]` and above the edge before, the last one beyond all."""

    edges: Array
    factors: Array


def bet(ordinary: Array, segments: Sequence[Array], unlike: Array, tolerated: float) -> Bet:
    """The factors that grow fastest where values are `unlike`, and on average by at most one where they are ordinary:
    in every one of the `segments` (positions of ordinary values), and with a share `tolerated` of unlike ones among
    them. So they are fair to every client whose rows come from any mixture of segments, in any order.

    Where no factors grow, all are nought. Source: Shafer, "Testing by betting", 2021.

    >>> ordinary, unlike = np.arange(1000.0), np.full(100, 999.5)
    >>> made = bet(ordinary, [np.arange(1000)], unlike, 0.05)
    >>> bool(made.factors[-1] > 9), bool(made.factors[0] < 1)
    (True, True)
    """
    edges = np.unique(np.quantile(ordinary, 1.0 - np.array(LEVELS), method="higher"))
    if not len(ordinary) or not len(unlike) or len(edges) == 0:
        return _nothing()
    against = _shares(edges, unlike, 0.0)
    usual = _shares(edges, ordinary, 1.0)
    parts = np.array([_shares(edges, ordinary[rows], 1.0) for rows in segments] + [usual])
    parts = (1.0 - tolerated) * parts + tolerated * against
    hoped = _HOPED * against + (1.0 - _HOPED) * usual / usual.sum()
    ratio = hoped / ((1.0 - tolerated) * usual + tolerated * against)
    best, growth = np.zeros(len(usual)), 0.0
    for power in _POWERS:
        factors = np.maximum.accumulate(np.maximum(ratio, _LEAST)) ** power
        factors /= max(1.0, float((parts @ factors).max()))
        gained = float(hoped @ np.log(factors))
        if gained > growth:
            best, growth = factors, gained
    return Bet(edges=edges, factors=best)


def padded(bets: Sequence[Bet]) -> tuple[Array, Array]:
    """Edges (k, most) and factors (k, most + 1) of several bets in one array each."""
    wide = len(LEVELS)
    edges, factors = np.full((len(bets), wide), np.inf), np.zeros((len(bets), wide + 1))
    for at, one in enumerate(bets):
        size = len(one.edges)
        edges[at, :size], factors[at, : size + 1] = one.edges, one.factors
    return edges, factors


def _nothing() -> Bet:
    return Bet(edges=np.zeros(0), factors=np.zeros(1))


def _shares(edges: Array, values: Array, extra: float) -> Array:
    """The share of values in each bin; `extra` more in each, as if seen, where too few were seen to be sure."""
    count = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    return np.asarray((count + extra) / max(len(values), 1))
