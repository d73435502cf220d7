"""Has any column of a stream moved away from its reference? Evidence that may be looked at after every row.

Each row gets the rank of its value twice: among the reference and all rows since, and among the reference alone. While
rows are exchangeable the first is uniform and independent of all ranks before (ties are broken at random), and the
second nearly so: as near as the reference, which is itself a sample, is to the truth. Bets against that pay a mean of
one at most (`shift_bets`). Their sum over all rows they could have begun at, less the number of rows, falls on average
(the e-detector of Shiryaev and Roberts). So whoever waits for it to pass a limit c waits c rows on average, or longer.

Source: Shin, Ramdas & Rinaldo, "E-detectors", 2024; Vovk, "Testing randomness online", 2021 (ranks); Dvoretzky, Kiefer
& Wolfowitz, 1956, and Massart, 1990 (how near a sample is to the truth).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from temper.kernels.shift_bets import NUMBER, bets, blunt_bets, gap_bets

Array = np.ndarray[Any, Any]
BINS = 128
KEPT = "learning", "fixed"
_UNSURE, _FAR = 0.01, 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bins:
    """How values become bins: `columns` (d,) are the watched ones, `knots` (d, 127) cut numbers, or are the common
    categories, `order` (d, 127) whose places by how common they are; the last bin is for rare and new ones. `missing`
    (d,) is the share of rows without a value.
    """

    columns: Array
    knots: Array
    order: Array
    category: Array
    missing: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Payable:
    """What bets are paid so that they are fair: `factors` (2, 65, 12) of those on places, `values` (d, 2, many, 2, 12)
    is what these keep and what part of them they get, `gaps` (d, 2, many, 2, 4) are factors below and above the rank
    where missing values `usual`ly (d,) begin.
    """

    factors: Array
    values: Array
    usual: Array
    gaps: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What was named at an alarm: the place of the column, `kept` 1 if by the learning ranks and 0 by the fixed ones,
    the row's number, the leading bet, how many rows ago it began, and the spread of that.
    """

    at: int
    kept: int
    row: int
    bet: int
    age: float
    spread: float


def bins(x: Array, columns: Array, category: Array) -> Bins:
    """Bins from rows (n, all) that are counted nowhere else, else ranks among the counted would not be fair.

    Numbers are cut at levels even on the logit scale, dense in the tails, or at each value where there are few.
    """
    d = len(columns)
    knots = np.full((d, BINS - 1), np.inf, dtype=np.float32)
    order = np.zeros((d, BINS - 1), dtype=np.uint8)
    for at, column in enumerate(columns):
        values = x[np.isfinite(x[:, column]), column].astype(np.float32)
        made = _common(values, order[at]) if category[at] else _cuts(np.sort(values))
        knots[at, : len(made)] = made
    return Bins(
        columns=np.asarray(columns, dtype=np.int64),
        knots=knots,
        order=order,
        category=np.array(category),
        missing=(np.isnan(x[:, columns]).sum(axis=0) + 0.5) / (len(x) + 1.0),
    )


def binned(made: Bins, x: Array) -> Array:
    """The bins (n, d) of rows (n, all)."""
    out = np.empty((len(x), len(made.columns)), dtype=np.uint8)
    _compiled().fill_bins(x, made.columns, made.knots, made.order, made.category, out)
    return out


def counted(found: Array, stratum: Array, many: int) -> Array:
    """Cumulated counts (d, 2, many, 130) of bins (n, d) in each stratum, missing values last: once as they stay, once
    to go on with.
    """
    d = found.shape[1]
    place = (np.arange(d) * many + stratum[:, None]) * (BINS + 1) + found
    count = np.bincount(place.ravel(), minlength=d * many * (BINS + 1)).reshape(d, 1, many, BINS + 1)
    below = np.pad(np.cumsum(count, axis=3), ((0, 0), (0, 0), (0, 0), (1, 0))).astype(np.uint32)
    return np.repeat(below, 2, axis=1)


def payable(made: Bins, counts: Array, tolerance: float) -> Payable:
    """Factors with a mean of one at most while distribution functions are no farther than `tolerance` from those of the
    reference; where the fixed counts stand for these, their own error is added, with a probability of 99 % for all of
    them together.
    """
    n = counts[:, 0, :, BINS].astype(float)
    with np.errstate(divide="ignore"):
        error = _FAR * np.sqrt(enough(n.size) / n)
    apart = np.stack([tolerance + error, np.full(n.shape, tolerance)], axis=1)
    known = np.stack([error <= _FAR, np.ones(n.shape, dtype=bool)], axis=1)
    factors = np.stack([blunt_bets(), blunt_bets() if tolerance else bets()])
    usual, gaps = gap_bets(made.missing)
    kept, part = _fair(factors[:, None, :-1], apart, known)
    gap_kept, gap_part = _fair(gaps[:, None, None], apart, known)
    return Payable(
        factors=factors,
        values=np.stack([kept, part], axis=-2),
        usual=usual,
        gaps=gap_kept[..., None, :] + gap_part[..., None, :] * gaps[:, None, None],
    )


def enough(many: int) -> float:
    """Rows that counts need to be held against, where there are so `many`: one in each stratum and column."""
    return float(np.log(4.0 * max(many, 1) / _UNSURE) / (2.0 * _FAR * _FAR))


def _fair(factors: Array, apart: Array, known: Array) -> tuple[Array, Array]:
    """What every bet keeps and what part of its factors (..., cells, k) it gets (d, 2, many, k), where distribution
    functions are `apart`: all or nothing, as enough is `known` or not.
    """
    swing = np.abs(np.diff(factors, axis=-2)).sum(axis=-2)
    part = np.where(known[..., None], 1.0 / (1.0 + apart[..., None] * swing), 0.0)
    return np.where(part > 0.0, 0.0, 1.0), part


def begun(columns: int) -> Array:
    """No evidence yet, for `columns` of them."""
    return np.zeros((columns, 2, 3, len(NUMBER)))


def followed(
    found: Array, stratum: Array, counts: Array, paid: Payable, evidence: Array, per: float, began: int
) -> tuple[Array, list[Found], Array]:
    """The evidence after each row of bins (n, d), what alarmed where it reached one alarm `per` so many rows, and which
    columns (d,) stand beside it; `counts` and `evidence` go on.

    Every column counts its own alarms, on its own ranks, at a limit that allows it its part of them: so the promise
    holds however columns depend on each other, and a column that alarms all the time hides no other.
    """
    n, d = found.shape
    out, first, beside = np.empty(n), np.full((d, 2, 4), -1.0), np.zeros(d, dtype=bool)
    _compiled().follow(
        found,
        stratum,
        counts,
        paid.values,
        paid.usual,
        paid.gaps,
        paid.factors,
        evidence,
        per,
        began,
        out,
        first,
        beside,
    )
    named = [
        Found(at=int(at), kept=int(kept), row=int(row), bet=int(bet), age=float(age), spread=float(spread))
        for at, kept in np.argwhere(first[:, :, 0] >= 0)
        for row, bet, age, spread in [first[at, kept]]
    ]
    return out, named, beside


def _cuts(values: Array) -> Array:
    """Knots of sorted values: what reaches the last one is beyond them all."""
    knots = np.unique(values)
    if len(knots) > BINS - 2:
        levels = 1.0 / (1.0 + np.exp(-np.linspace(-np.log(len(values)), np.log(len(values)), BINS - 2)))
        knots = np.unique(values[np.round(levels * (len(values) - 1)).astype(int)])
    return np.append(knots, np.nextafter(knots[-1:], np.float32(np.inf)))


def _common(values: Array, order: Array) -> Array:
    """The commonest categories in the order of their codes; `order` gets their places by how common they are."""
    codes, count = np.unique(values, return_counts=True)
    first = np.argsort(-count, kind="stable")[: BINS - 1]
    rank = np.argsort(codes[first], kind="stable")
    order[: len(rank)] = rank
    return np.asarray(codes[first][rank])


@cache  # an import statement costs half as much as a row
def _compiled() -> Any:
    from temper.kernels import _jit_shift

    return _jit_shift
