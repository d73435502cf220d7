"""The evidence of the stream's e-detector in plain NumPy: every beginning multiplied out, nothing carried on."""

from __future__ import annotations

from typing import Any

import numpy as np

MASK = 2**64 - 1


def mixed(z: int) -> int:
    """SplitMix64's mixer."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def chances(row: int, at: int) -> tuple[float, float]:
    """The two numbers that order ties of a value and of a gap."""
    drawn = mixed(mixed((row + 1) * 0x9E3779B97F4A7C15 & MASK) + (at + 1) * 0x9E3779B97F4A7C15 & MASK)
    return (drawn >> 32) / 2**32, (drawn & 0xFFFFFFFF) / 2**32


def bin_of(value: float, knots: Any, order: Any, category: bool) -> int:
    """The bin of a value, 128 for none."""
    if np.isnan(value):
        return 128
    place = int((knots <= value).sum())
    if not category:
        return place
    return int(order[place - 1]) if place and knots[place - 1] == value else 127


def rank(others: list[int], mine: int, itself: int, chance: float) -> float:
    """The rank of `mine` among `others`, by comparing it with each."""
    less, same, n = sum(one < mine for one in others), sum(one == mine for one in others) + itself, len(others) + itself
    return (less + chance * same) / n if n else chance


def evidence(factors: Any) -> tuple[float, float, float, int]:
    """The mean of all bets' sums over all beginnings, the mean and spread of their age, and the leading bet."""
    won = np.cumprod(np.array(factors)[::-1], axis=0)  # row k: begun k rows ago
    ages, weight = np.arange(len(won)), won.sum(axis=1)
    age = float(ages @ weight / weight.sum())
    spread = float(np.sqrt(max(ages**2 @ weight / weight.sum() - age**2, 0.0)))
    return float(won.sum(axis=0).mean()), age, spread, int(won.sum(axis=0).argmax())


def followed(x: Any, stratum: Any, made: Any, reference: Any, paid: Any, limit: float) -> tuple[Any, dict[Any, Any]]:
    """The largest evidence after each row, and what alarmed first in (column, kept): row, bet, age, spread.

    `reference[stratum][column]` lists the bins of reference rows.
    """
    d = len(made.columns)
    learnt = [[list(column) for column in one] for one in reference]
    factors: dict[Any, list[Any]] = {(at, kept): [] for at in range(d) for kept in range(2)}
    out, found = [], {}
    for row, one in enumerate(stratum):
        most = 0.0
        for at, kept in factors:
            here = bin_of(x[row, made.columns[at]], made.knots[at], made.order[at], made.category[at])
            others, (chance, other) = (learnt if kept else reference)[one][at], chances(row, at)
            place = rank([k for k in others if k != 128], here, kept, chance)
            gap = int(rank([int(k == 128) for k in others], int(here == 128), kept, other) >= paid.usual[at])
            keeps, part = paid.values[at, kept, one]
            factor = keeps + part * paid.factors[kept, 64 if here == 128 else min(int(place * 64), 63)]
            factor = np.concatenate([factor, paid.gaps[at, kept, one, gap]])
            factors[at, kept].append(factor)
            total, age, spread, bet = evidence(factors[at, kept])
            most = max(most, total)
            if total >= limit:
                found.setdefault((at, kept), (row, bet, age, spread))
                factors[at, kept].clear()
            if kept:
                learnt[one][at].append(here)
        out.append(most)
    return np.array(out), found
