"""How far stated probabilities lie from what came true, without the share that chance alone shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_SPLITS = 50
_ROWS, _LEAST = 50, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """The corrected calibration error with its interval; `raw` is uncorrected, and a perfect model shows `chance` on
    average and `chance_high` in one case of twenty.
    """

    value: float
    low: float
    high: float
    raw: float
    chance: float
    chance_high: float

    @property
    def told(self) -> str:
        """Whether it is more than a perfect model would show, in words."""
        perfect = self.raw <= self.chance_high
        verdict = "cannot be told from a perfect model" if perfect else "more than a perfect model would show"
        return f"{self.raw:.4f} before the correction: {verdict}"


def corrected(p: Array, hit: Array, bins: int, drawn: Array, rng: np.random.Generator) -> Corrected:
    """From stated probabilities (n,), what came true (n,), and the errors `drawn` (b,) of resampled rows.

    The interval's lower end gives a perfect model's whole error back, the upper end nothing, so that neither FAIL nor
    PASS rests on the bias of the error.
    """
    null = perfect_errors(p, bins, len(drawn), rng)
    value = crossed(p, hit, bins, rng)
    raw = float(errors(p, hit, bins, np.ones((1, len(p))))[0])
    chance, chance_high = float(null.mean()), float(np.quantile(null, 0.95))
    # Resampling adds as much bias again as sampling did, so only the spread of the replicates is used.
    below, above = np.quantile(drawn - drawn.mean(), (0.025, 0.975))
    low, high = max(0.0, raw - chance - float(above)), raw - float(below)
    return Corrected(
        value=min(max(value, low), high), low=low, high=high, raw=raw, chance=chance, chance_high=chance_high
    )


def bins_for(rows: int, most: int) -> int:
    """How many bins so many rows are worth: `most`, or fewer so that each holds 50 rows, but five at least.

    Bins of fewer rows show a perfect model so large an error that no sound upper end of it stays low.

    >>> bins_for(5000, 15), bins_for(500, 15), bins_for(60, 15)
    (15, 10, 5)
    """
    return min(most, max(_LEAST, rows // _ROWS))


def bins_of(p: Array, bins: int) -> Array:
    """The bin (n,) of each row, numbered from 0 without holes: equal counts, and equal scores always together."""
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.unique(np.searchsorted(edges, p, side="right"), return_inverse=True)[1]


def errors(p: Array, hit: Array, bins: int, weights: Array) -> Array:
    """The expected calibration error per row of weights (b, n): sum over bins of |sum of (hit - p)| / n."""
    member = bins_of(p, bins)
    order = np.argsort(member, kind="stable")
    starts = np.searchsorted(member[order], np.arange(member.max() + 1))
    gaps = np.add.reduceat((weights * (hit - p))[:, order], starts, axis=1)
    return np.asarray(np.abs(gaps).sum(axis=1) / weights.sum(axis=1))


def crossed(p: Array, hit: Array, bins: int, rng: np.random.Generator) -> float:
    """The calibration error with every bin's sign from the other half of the rows, mean over random halves."""
    member, gap = bins_of(p, bins), hit - p
    total, found = np.bincount(member, weights=gap), []
    for _ in range(_SPLITS):
        half = rng.random(len(p)) < 0.5
        one = np.bincount(member, weights=gap * half)
        other = total - one
        found.append((one * np.sign(other) + other * np.sign(one)).sum() / len(p))
    return float(np.mean(found))


def perfect_errors(p: Array, bins: int, replicates: int, rng: np.random.Generator) -> Array:
    """Calibration errors (replicates,) of outcomes drawn with the stated probabilities themselves."""
    member = bins_of(p, bins)
    stated = np.bincount(member, weights=p)
    seen = (np.bincount(member[rng.random(len(p)) < p], minlength=len(stated)) for _ in range(replicates))
    return np.array([np.abs(counts - stated).sum() / len(p) for counts in seen])


def brier_parts(p: Array, hit: Array, bins: int, weights: Array) -> tuple[Array, Array, Array]:
    """(reliability, resolution, uncertainty) of the Brier score, each (b,), per row of weights (b, n).

    Reliability is how far the bins' scores lie from their rates, resolution how far the rates lie from the base rate;
    both without what chance adds to them in bins of few rows. Within a bin scores are taken as their mean.
    Source: Murphy, "A new vector partition of the probability score", 1973; Ferro & Fricker, "A bias-corrected
    decomposition of the Brier score", 2012.

    >>> p, hit = np.array([0.2, 0.8] * 50), np.array([0, 1] * 50)
    >>> [float(part.round(3)[0]) for part in brier_parts(p, hit, 2, np.ones((1, 100)))]
    [0.04, 0.253, 0.253]
    """
    member = bins_of(p, bins)
    order = np.argsort(member, kind="stable")
    starts = np.searchsorted(member[order], np.arange(member.max() + 1))
    rows, stated, seen = (np.add.reduceat((weights * part)[:, order], starts, axis=1) for part in (1.0 + 0 * p, p, hit))
    n, here = weights.sum(axis=1), np.maximum(rows, 1e-300)
    rate, mean = seen / here, weights @ hit / n
    chance = (np.where(rows > 1, rows * rate * (1 - rate) / np.maximum(rows - 1, 1e-300), 0.0)).sum(axis=1) / n
    base = mean * (1 - mean) / (n - 1)
    reliability = (rows * (stated / here - rate) ** 2).sum(axis=1) / n - chance
    resolution = (rows * (rate - mean[:, None]) ** 2).sum(axis=1) / n - chance + base
    return reliability, resolution, mean * (1 - mean) + base
