"""The true rate behind what an imperfect judge says, from what it did on replies whose truth is known.

A judge of sensitivity Se and specificity Sp calls a share p = Se * q + (1 - Sp) * (1 - q) of replies hits where a share
q of them is one. The rate seen, Se and Sp are all estimates: each end of the interval of q combines the confidence
distributions of the three on the side that is unfavourable to it. The rate seen is one of clusters (`clustered`), so
that trials of one prompt do not count as many; Se and Sp have Jeffreys' distribution to show and Clopper-Pearson's to
gate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.kernels.clustered import Floats, Use, clustered_rate
from temper.kernels.rate import clopper_pearson

_DRAWS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a judge did on replies whose truth is known: of `hits` it called `found` hits, of `misses` it called
    `cleared` misses.

    >>> round(Known(found=45, hits=50, cleared=49, misses=50).youden, 2)
    0.88
    """

    found: int
    hits: int
    cleared: int
    misses: int

    def __post_init__(self) -> None:
        if not (0 <= self.found <= self.hits and 0 <= self.cleared <= self.misses):
            raise TemperError(f"a judge cannot have found more than there is: {self}")

    @property
    def sensitivity(self) -> float:
        """The share of hits that it calls hits; not a number without one."""
        return self.found / self.hits if self.hits else math.nan

    @property
    def specificity(self) -> float:
        """The share of misses that it calls misses; not a number without one."""
        return self.cleared / self.misses if self.misses else math.nan

    @property
    def youden(self) -> float:
        """Se + Sp - 1: 1 for a judge that never errs, 0 for one whose word says nothing."""
        return self.sensitivity + self.specificity - 1.0

    def least_youden(self, confidence: float = 0.95) -> float:
        """What Se + Sp - 1 is at least: the exact lower ends of both, each with half the error; -1 where one is not
        known at all.

        >>> Known(found=3, hits=3, cleared=3, misses=3).least_youden() > 0
        False
        """
        each = 1 - (1 - confidence) / 2
        ends = [clopper_pearson(*of, each, "lower")[0] for of in ((self.found, self.hits), (self.cleared, self.misses))]
        return sum(ends) - 1.0


def corrected_rate(
    hits: Sequence[int], trials: Sequence[int], known: Known, confidence: float = 0.95, use: Use = "show"
) -> tuple[float, float, float]:
    """The rate of true hits behind the judge's `hits` of `trials`, prompt by prompt, with its interval.

    (nan, 0, 1) where nothing was tried, or where Se + Sp - 1 is not surely above 0: such a judge's word says nothing.
    Misleads where the known replies are not like those that are judged, where the judge errs in the same way about
    many replies at once (a refusal that is always worded alike), and where attacks were chosen by what it said.
    Source: Rogan & Gladen, "Estimating prevalence from the results of a screening test", 1978; Lang & Reiczigel,
    "Confidence limits for prevalence of disease adjusted for estimated sensitivity and specificity", 2014; Bayer, Fay &
    Graubard, "Confidence intervals for prevalence estimates from complex surveys with imperfect assays", 2023.

    >>> sure = Known(found=10**6, hits=10**6, cleared=99 * 10**4, misses=10**6)
    >>> round(corrected_rate([1] * 20 + [0] * 100, [1] * 120, sure)[0], 4)
    0.1582
    """
    seen = clustered_rate(hits, trials, confidence, use)[0]
    if math.isnan(seen) or known.least_youden(confidence) <= 0:
        return math.nan, 0.0, 1.0
    value = min(1.0, max(0.0, (seen + known.specificity - 1.0) / known.youden))
    rates = [h / n for h, n in zip(hits, trials, strict=True) if n]
    tail, draw = (1 - confidence) / 2, _Draw(unseen=0.5 if use == "show" else 1.0)
    low = _truths(draw.mean(rates, 0.0), draw.share(known.found, known.hits, 1.0), draw.share(*_sp(known), 0.0), 0.0)
    high = _truths(draw.mean(rates, 1.0), draw.share(known.found, known.hits, 0.0), draw.share(*_sp(known), 1.0), 1.0)
    ends = float(np.quantile(low, tail)), float(np.quantile(high, 1 - tail))
    return value, min(ends[0], value), max(ends[1], value)


def _sp(known: Known) -> tuple[int, int]:
    return known.cleared, known.misses


def _truths(p: Floats, se: Floats, sp: Floats, unknown: float) -> Floats:
    """The true rate of each draw; `unknown` where this draw's judge says nothing."""
    informs = se + sp - 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        truth = (p + sp - 1.0) / informs
    return np.where(informs > 0, np.clip(truth, 0.0, 1.0), unknown)


class _Draw:
    """Draws from the confidence distribution of a mean at one end: an unseen value lies at that end of [0, 1]."""

    def __init__(self, unseen: float) -> None:
        self._rng = Draws(0, "rogan_gladen").generator()
        self._unseen = unseen

    def share(self, count: int, n: int, end: float) -> Floats:
        """Of a share."""
        return self._drawn(np.array([0.0, 1.0]), np.array([n - count, count]), end)

    def mean(self, values: Sequence[float], end: float) -> Floats:
        """Of a mean of independent numbers."""
        return self._drawn(*np.unique(values, return_counts=True), end)

    def _drawn(self, seen: Floats, counts: Any, end: float) -> Floats:
        seen, counts = seen[counts > 0], counts[counts > 0]
        rest = seen[-1] if end == 0.0 else seen[0]
        points, weights = np.append(seen, (end, rest)), np.append(counts, (self._unseen, 1.0 - self._unseen))
        points, weights = points[weights > 0], weights[weights > 0]
        gammas = self._rng.standard_gamma(weights, size=(_DRAWS, len(weights)))
        drawn: Floats = gammas @ points / gammas.sum(axis=1)
        return drawn


__all__ = ["Known", "corrected_rate"]
