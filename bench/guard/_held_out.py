"""Honest clients written a second way, by what businesses do and without a look at what the detector measures: kept
apart from those that were there while it was made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.guard._clients import Service

Array = Any


def _drawn(service: Service, n: int, rng: np.random.Generator) -> Array:
    return service.rows[rng.integers(len(service.rows), size=n)].astype(float)


def thousands(service: Service, n: int, rng: np.random.Generator) -> Array:
    """A client whose own system keeps large amounts in thousands."""
    rows = _drawn(service, n, rng)
    large = np.nanmedian(np.abs(service.rows), axis=0) > 1_000.0
    rows[:, large] = np.round(rows[:, large] / 1_000.0) * 1_000.0
    return rows


def two_digits(service: Service, n: int, rng: np.random.Generator) -> Array:
    """A client who is told estimates: 1,234 is 1,200."""
    rows = _drawn(service, n, rng)
    size = np.abs(np.nan_to_num(rows))
    grain = np.where(size >= 100.0, 10.0 ** (np.floor(np.log10(np.maximum(size, 100.0))) - 1.0), 1.0)
    return np.where(size >= 100.0, np.round(rows / grain) * grain, rows)


def careless(service: Service, n: int, rng: np.random.Generator) -> Array:
    """A form whose fields are left as they were in one case of five."""
    rows = _drawn(service, n, rng)
    usual = [values[counts.argmax()] for values, counts in (np.unique(c, return_counts=True) for c in service.rows.T)]
    return np.where(rng.random(rows.shape) < 0.2, np.array(usual, dtype=float), rows)


def branches(service: Service, n: int, rng: np.random.Generator) -> Array:
    """A head office that sends its branches one after another: each has customers alike in two columns."""
    rows, found = service.rows, []
    while sum(map(len, found)) < n:
        one, other = rng.choice(rows.shape[1], size=2, replace=False)
        middle = rows[rng.integers(len(rows))]
        near = [np.abs(rows[:, at] - middle[at]) / (np.nanstd(rows[:, at]) + 1e-9) for at in (one, other)]
        own = np.argsort(near[0] + near[1])[:500]
        found.append(rows[own[rng.integers(len(own), size=int(rng.integers(50, 400)))]].astype(float))
    return np.concatenate(found)[:n]


def season(service: Service, n: int, rng: np.random.Generator) -> Array:
    """Customers who change through the year: at first mostly low in one column, in the end mostly high."""
    rows, at = service.rows, int(rng.integers(service.rows.shape[1]))
    order = np.argsort(rows[:, at], kind="stable")
    place = rng.beta(2.0 + 6.0 * np.arange(n) / n, 8.0 - 6.0 * np.arange(n) / n)
    return rows[order[(place * (len(rows) - 1)).astype(int)]].astype(float)


def again(service: Service, n: int, rng: np.random.Generator) -> Array:
    """A file that is sent whole again, until it has no more mistakes: in each round one row in fifty is corrected."""
    rows = _drawn(service, n // 4, rng)
    rounds = [rows]
    while len(rounds) < 4:
        rows = rows.copy()
        wrong = np.flatnonzero(rng.random(len(rows)) < 0.02)
        columns = rng.integers(rows.shape[1], size=len(wrong))
        rows[wrong, columns] = _drawn(service, len(wrong), rng)[np.arange(len(wrong)), columns]
        rounds.append(rows)
    return np.concatenate(rounds)[:n]


def panel(service: Service, n: int, rng: np.random.Generator) -> Array:
    """The same 500 customers scored anew every month, their amounts (columns of a thousand values and more) a few per
    cent other than last month.
    """
    rows = _drawn(service, 500, rng)
    large = np.array([len(np.unique(column)) > 1_000 for column in service.rows.T])
    months = []
    for _ in range(-(-n // 500)):
        rows = rows.copy()
        rows[:, large] = np.round(rows[:, large] * rng.normal(1.0, 0.03, (len(rows), int(large.sum()))))
        months.append(rows[rng.permutation(len(rows))])
    return np.concatenate(months)[:n]


HELD_OUT: dict[str, Callable[[Service, int, np.random.Generator], Array]] = {
    "amounts in thousands": thousands,
    "amounts of two digits": two_digits,
    "fields left as they were": careless,
    "branch after branch": branches,
    "a year's season": season,
    "a file sent again": again,
    "a panel every month": panel,
}
