"""Streams of 30 columns without a change, for the bench of stream monitors: SIMULATED ones, and rows of adult."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bench.extraction.fidelity import read
from temper.core.schema import Column, Schema

Array = np.ndarray[Any, Any]
COLUMNS = 30
LEVELS = (3, 5, 8, 12, 30, 100)
HOUR = 50  # rows


def independent(rng: np.random.Generator, n: int) -> Array:
    """Standard normal."""
    return rng.standard_normal((n, COLUMNS), dtype=np.float32)


def correlated(rng: np.random.Generator, n: int) -> Array:
    """One common factor: every two columns correlate by 0.9."""
    own = rng.standard_normal((n, COLUMNS), dtype=np.float32)
    return np.float32(0.9**0.5) * rng.standard_normal((n, 1), dtype=np.float32) + np.float32(0.1**0.5) * own


def mixed(rng: np.random.Generator, n: int) -> Array:
    """Eight columns each of normal, lognormal and beta numbers with a tenth missing, and counts; six of categories."""
    numbers = [rng.standard_normal((n, 8)), rng.lognormal(size=(n, 8)), rng.beta(2, 5, (n, 4)), rng.poisson(3, (n, 4))]
    rows = np.hstack([*numbers, *((rng.zipf(1.3, (n, 1)) - 1) % levels for levels in LEVELS)]).astype(np.float32)
    rows[:, 16:20][rng.random((n, 4)) < 0.1] = np.nan
    return rows


def seasonal(rng: np.random.Generator, n: int) -> Array:
    """A sine of half a standard deviation over a day of 24 hours, which column 30 names."""
    hour = np.arange(n) // HOUR % 24
    rows = rng.standard_normal((n, COLUMNS + 1), dtype=np.float32)
    rows += 0.5 * np.sin(hour / 24 * 2 * np.pi)[:, None].astype(np.float32)
    rows[:, COLUMNS] = hour
    return rows


def weekly(rng: np.random.Generator, n: int, weeks: int = 4) -> Array:
    """A sine of one standard deviation over a day, and half of one more at weekends; nineteen times as many rows at the
    busiest hour as at the quietest. Column 30 is the hour of the week.
    """
    every = np.arange(weeks * 168)
    busy = 1.0 + 0.9 * np.sin(every / 24 * 2 * np.pi)
    hour = np.sort(rng.choice(every, size=n, p=busy / busy.sum())) % 168
    rows = rng.standard_normal((n, COLUMNS + 1), dtype=np.float32)
    rows += (np.sin(hour / 24 * 2 * np.pi) + 0.5 * (hour >= 120))[:, None].astype(np.float32)
    rows[:, COLUMNS] = hour
    return rows


def clustered(rng: np.random.Generator, n: int) -> Array:
    """Five rows of each customer after each other, which correlate by a half."""
    own = rng.standard_normal((n, COLUMNS), dtype=np.float32)
    customer = np.repeat(rng.standard_normal((n // 5 + 1, COLUMNS), dtype=np.float32), 5, axis=0)[:n]
    return np.float32(0.5**0.5) * (own + customer)


def named(strata: bool) -> Schema:
    """Names of 30 columns and, for `seasonal`, of the hour."""
    return Schema(columns=tuple(Column(name=f"c{at}") for at in range(COLUMNS)) + (Column(name="hour"),) * strata)


def kinds() -> Schema:
    """The columns of `mixed`."""
    levels = [Column(name=f"k{n}", type="category", categories=tuple(f"{at}" for at in range(n))) for n in LEVELS]
    return Schema(columns=(*(Column(name=f"c{at}", missing=True) for at in range(24)), *levels))


def lengths(alarms: int, rows: int) -> Array:
    """Rows per alarm, between the ends of a Poisson interval; no alarm counts as half of one."""
    from scipy.special import gammaincinv

    low = gammaincinv(alarms, 0.025) if alarms else 0.0
    return rows / np.array([gammaincinv(alarms + 1, 0.975), max(alarms, 0.5), max(low, 0.01)])


def between(length: Array) -> str:
    """The same in words."""
    return f"{length[1]:,.0f} [{length[0]:,.0f}, {length[2]:,.0f}]"


Made = Callable[[np.random.Generator, int], Array]
NULL: tuple[tuple[str, Made, int, Schema, tuple[str, ...]], ...] = (
    ("independent, reference 2,000", independent, 2_000, named(False), ()),
    ("independent, reference 20,000", independent, 20_000, named(False), ()),
    ("correlated by 0.9, reference 2,000", correlated, 2_000, named(False), ()),
    ("mixed kinds, reference 2,000", mixed, 2_000, kinds(), ()),
    ("seasonal, 24 strata, reference 24,000", seasonal, 24_000, named(True), ("hour",)),
    ("the same without strata", seasonal, 24_000, named(True), ()),
    ("clusters of five, which it does not promise", clustered, 20_000, named(False), ()),
)


def real() -> Iterator[tuple[str, Made, int, Schema, tuple[str, ...]]]:
    """Rows of adult drawn at random, where there is a data folder."""
    data = read("adult", "adult", "income")
    if data is None:
        return
    known = np.vstack([data.train[0], data.test[0]]).astype(np.float32)

    def drawn(rng: np.random.Generator, n: int) -> Array:
        return np.asarray(known[rng.integers(len(known), size=n)])

    yield f"REAL rows of adult, {known.shape[1]} columns, reference 2,000", drawn, 2_000, data.schema, ()
