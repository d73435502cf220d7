"""Gaps between groups from counts alone: rates, a multinomial bootstrap, a permutation null."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.errors import TemperError

Floats = np.ndarray[Any, np.dtype[np.float64]]
Counts = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Gap:
    """Largest minus smallest rate over groups, its interval, and what chance alone would show.

    `null` is the mean gap when groups are permuted, `null_high` its 95th percentile, `p_value` how often a permutation
    shows as much. `highest` and `lowest` are positions of groups; `n` counts the rows behind the rates.
    """

    value: float
    low: float
    high: float
    null: float
    null_high: float
    p_value: float
    highest: int
    lowest: int
    n: int


def confusion(group: Any, y: Any, flag: Any, groups: int) -> Counts:
    """Counts (groups, 2, 2) over group number, truth and decision.

    >>> confusion([0, 0, 1], [1, 0, 1], [1, 0, 0], 2).tolist()
    [[[1, 0], [0, 1]], [[0, 0], [1, 0]]]
    """
    code = np.asarray(group) * 4 + (np.asarray(y) == 1) * 2 + np.asarray(flag).astype(bool)
    return np.bincount(code.astype(np.int64), minlength=groups * 4).reshape(groups, 2, 2)


def events(counts: Any, rate: str) -> tuple[Any, Any]:
    """(events, rows) per group of "selection", "tpr", "fpr" or "ppv", from counts (..., groups, 2, 2)."""
    if rate == "selection":
        return counts[..., 1].sum(axis=-1), counts.sum(axis=(-2, -1))
    if rate == "ppv":
        return counts[..., 1, 1], counts[..., 1].sum(axis=-1)
    if rate not in ("tpr", "fpr"):
        raise TemperError(f"unknown rate {rate!r}", fix="use selection, tpr, fpr or ppv")
    row = 1 if rate == "tpr" else 0
    return counts[..., row, 1], counts[..., row, :].sum(axis=-1)


def resampled(counts: Any, replicates: int, rng: np.random.Generator, least: float = 0.0) -> Counts:
    """Multinomial bootstrap of a count table (any shape): (replicates, *shape), each with the same total.

    `least` is what an empty cell counts as; half a row keeps a rate seen as 0 or 1 from looking known exactly.

    >>> resampled(np.array([[2, 0], [1, 1]]), 3, np.random.default_rng(0)).sum(axis=(1, 2)).tolist()
    [4, 4, 4]
    """
    total = int(np.sum(counts))
    if not total:
        raise TemperError("cannot resample an empty table of counts")
    table = np.maximum(np.asarray(counts, dtype=np.float64), least)
    return rng.multinomial(total, table.ravel() / table.sum(), size=replicates).reshape((replicates, *table.shape))


def gap(counts: Any, rate: str, rng: np.random.Generator, *, replicates: int = 2000, confidence: float = 0.95) -> Gap:
    """The largest difference of a rate between groups, from counts (groups, 2, 2); every group needs rows for it.

    The interval is simultaneous over all pairs of groups: the bootstrap's deviations of the rates span at most `c` with
    this confidence, so the true gap lies within `c` of the observed one (exact for two groups, cautious for more).
    """
    hits, rows = (np.asarray(part, dtype=np.float64) for part in events(np.asarray(counts), rate))
    if len(rows) < 2 or not rows.all():
        raise TemperError("a gap needs at least two groups with rows", fix="merge small groups")
    rates = hits / rows
    spread = _deviations(np.asarray(counts), rate, rates, resampled(counts, replicates, rng, least=0.5))
    reach = float(np.quantile(spread, confidence))
    value = float(np.ptp(rates))
    chance = null_gaps(hits, rows, replicates, rng)
    return Gap(
        value=value,
        low=max(0.0, value - reach),
        high=min(1.0, value + reach),
        null=float(chance.mean()),
        null_high=float(np.quantile(chance, 0.95)),
        p_value=float((1 + (chance >= value - 1e-12).sum()) / (1 + replicates)),
        highest=int(np.argmax(rates)),
        lowest=int(np.argmin(rates)),
        n=int(rows.sum()),
    )


def ratio(
    counts: Any, rate: str, rng: np.random.Generator, *, replicates: int = 2000, confidence: float = 0.95
) -> tuple[float, float, float]:
    """The smallest over the largest rate of the groups, with its interval, from counts (groups, 2, 2).

    Simultaneous as that of a gap, on logarithms of rates with half an event added, so that a rate seen as zero does not
    look known exactly.

    >>> ratio(np.array([[[50, 50], [0, 0]], [[80, 20], [0, 0]]]), "selection", np.random.default_rng(0))[0]
    0.4
    """
    hits, rows = (np.asarray(part, dtype=np.float64) for part in events(np.asarray(counts), rate))
    if len(rows) < 2 or not rows.all():
        raise TemperError("a ratio needs at least two groups with rows", fix="merge small groups")
    rates, smooth = hits / rows, np.log((hits + 0.5) / (rows + 1))
    if not rates.max():
        return 1.0, 0.0, 1.0  # nobody is flagged: all alike, and nothing known of how alike
    drawn = events(resampled(counts, replicates, rng, least=0.5), rate)
    moved = np.log((drawn[0] + 0.5) / (drawn[1] + 1)) - smooth
    reach = float(np.quantile(np.ptp(moved, axis=1), confidence))
    value, middle = float(rates.min() / rates.max()), float(np.exp(-np.ptp(smooth)))
    return value, min(value, middle * np.exp(-reach)), min(1.0, max(value, middle * np.exp(reach)))


def null_gaps(hits: Any, rows: Any, replicates: int, rng: np.random.Generator) -> Floats:
    """Gaps (replicates,) when the same events fall on rows whatever their group: exact permutation of group labels.

    >>> gaps = null_gaps([5, 5], [10, 10], 100, np.random.default_rng(0))
    >>> bool((gaps >= 0).all() and gaps.mean() > 0)
    True
    """
    sizes = np.asarray(rows, dtype=np.int64)
    drawn = rng.multivariate_hypergeometric(sizes, int(np.sum(hits)), size=replicates, method="marginals")
    return np.asarray(np.ptp(drawn / sizes, axis=1))


def _deviations(counts: Counts, rate: str, rates: Floats, drawn: Counts) -> Floats:
    """Per replicate how far the rates' deviations from the observed ones are spread over the groups."""
    hits, rows = events(drawn, rate)
    moved = np.divide(hits, rows, out=np.full(hits.shape, np.nan), where=rows > 0) - rates
    return np.asarray(np.nanmax(moved, axis=1) - np.nanmin(moved, axis=1))
