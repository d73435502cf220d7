"""Rows as one byte per column: the rank of a number among ordinary ones, the code of a category."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.kernels.chow_liu import BINS

Array = np.ndarray[Any, Any]
GAP = 255
LAST = 239


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Codes:
    """`knots` (d, 239) cut a number into ranks 0 to 239, one more for each knot it reaches; a category keeps its own
    code; 255 is a gap. `order` (d,) puts numbers first, `numbers` says how many there are; columns of everything else
    here, `knots` and `bins` (d, 256), which makes a byte one of 16 bins, stand in that order.
    """

    knots: Array
    bins: Array
    order: Array
    numbers: int


def codes(x: Array, category: Array) -> Codes:
    """Cuts of ordinary rows (n, d), even in rank; of values that many rows share the last rank is taken."""
    order = np.argsort(category, kind="stable")
    numbers = int((~np.asarray(category, dtype=bool)).sum())
    d = x.shape[1]
    knots, bins = np.full((d, LAST), np.inf, dtype=np.float32), np.zeros((d, 256), dtype=np.uint8)
    for at, column in enumerate(order):
        values = x[np.isfinite(x[:, column]), column]
        if at < numbers and len(values):
            cuts = np.quantile(values, (np.arange(LAST) + 1.0) / (LAST + 1.0), method="lower")
            knots[at] = np.nextafter(cuts, np.inf, dtype=np.float32)
        coded = _ranks(values, knots[at]) if at < numbers else values.astype(np.uint8)
        bins[at] = _bins(coded)
    return Codes(knots=knots, bins=bins, order=order, numbers=numbers)


def encoded(table: Codes, x: Array) -> Array:
    """The bytes (n, d) of rows, in the order of the table."""
    out = np.empty(x.shape, dtype=np.uint8)
    for at, column in enumerate(table.order):
        values = x[:, column]
        with np.errstate(invalid="ignore"):
            code = _ranks(values, table.knots[at]) if at < table.numbers else np.clip(values, 0, GAP - 1)
        out[:, at] = np.where(np.isnan(values), GAP, np.nan_to_num(code)).astype(np.uint8)
    return out


def binned(table: Codes, code: Array) -> Array:
    """The bins (n, d) of bytes."""
    return np.asarray(table.bins[np.arange(code.shape[1]), code])


def _ranks(values: Array, knots: Array) -> Array:
    return np.asarray(np.searchsorted(knots, values, side="right"))


def _bins(coded: Array) -> Array:
    """A bin for each byte: one for each value where there are few, else about equally full; the last one for gaps."""
    count = np.bincount(coded, minlength=256).astype(float)
    used = np.flatnonzero(count)
    before = np.cumsum(count) - count / 2.0
    made = before / max(count.sum(), 1.0) * (BINS - 1)
    if len(used) < BINS:
        made = np.searchsorted(used, np.arange(256))
    made = np.minimum(made, BINS - 2).astype(np.uint8)
    made[GAP] = BINS - 1
    return np.asarray(made)
