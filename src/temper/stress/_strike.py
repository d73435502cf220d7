"""Which cells are hit, drawn for a whole table at once; and what derives from a hit cell follows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import Feature

_BITS = 53  # what `Draws.integers` gives exactly
STEPS = 2**12  # entries of a table that is read at random: it stays in the nearest cache
_FIRST = np.uint64(64 - 12)


def strikes(
    rng: Draws, rows: int, found: Sequence[Feature], share: float, step: int = 0
) -> Iterator[tuple[Feature, Any]]:
    """Each feature with the rows in which it is hit: this share of them, the same and more at a higher share."""
    below = np.uint64(min(int(share * 2**64), 2**64 - 1))
    for feature, drawn in zip(found, chances(rng, rows, found, step), strict=True):
        yield feature, np.flatnonzero(drawn <= below)


def chances(rng: Draws, rows: int, found: Sequence[Feature], step: int = 0) -> Iterator[np.ndarray[Any, Any]]:
    """64 random bits per row, feature after feature, keyed by sample id and column.

    One hash per row, times one odd number per column (multiply-shift, Dietzfelbinger et al. 1997): a hash per cell
    would take longer than most models take to answer, and the bits of all columns at once fit no cache.
    """
    last = max((feature.at[0] for feature in found), default=0) + 1
    odd = rng.child(f"columns {step}").generator().integers(2**63, size=last, dtype=np.uint64) * np.uint64(
        2
    ) + np.uint64(1)
    row = np.asarray(rng.integers(np.arange(rows), step, 2**_BITS)).astype(np.uint64)
    row |= row << np.uint64(_BITS)
    for feature in found:
        yield odd[feature.at[0]] * row


def normals(rng: Draws, rows: int, found: Sequence[Feature]) -> Iterator[np.ndarray[Any, Any]]:
    """Standard normal numbers per row, feature after feature, in 4,096 steps."""
    for drawn in chances(rng, rows, found):
        yield _quantiles().take(steps(drawn))


def steps(drawn: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The first 12 of 64 random bits: a place in a table of `STEPS` entries."""
    return (drawn >> _FIRST).view(np.int64)


def fill(out: np.ndarray[Any, Any], rows: Any, feature: Feature, value: float) -> None:
    """Write one value into all columns of a feature in these rows, in place."""
    for at in feature.at:
        out[rows, at] = value


def follow(schema: Schema | None, out: Array, clean: Array) -> Array:
    """`out` with its derived columns recomputed from what was changed; a derived cell that was hit itself stays hit."""
    if schema is None or not schema.formulas:
        return out
    clean = np.asarray(clean)
    hit = ~((out == clean) | (np.isnan(out) & np.isnan(clean)))
    return schema.derive(out, clean, hit)


@cache
def _quantiles() -> np.ndarray[Any, Any]:
    from scipy.special import ndtri

    found: np.ndarray[Any, Any] = ndtri((np.arange(STEPS) + 0.5) / STEPS)  # up to 3.7 standard deviations
    return found
