"""Whether the stated probabilities came true."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.measure import Better, Measurement, Status
from temper.core.seed import Draws
from temper.kernels.calibration import bins_for, corrected, errors
from temper.kernels.confidence_sequence import Evidence
from temper.kernels.weighted import resamples
from temper.monitoring.accuracy._measured import NO_LABELS, away, doubt, mean, nothing
from temper.monitoring.labels import Cohort

NAME = "calibration"
_FEWEST = 50
_CELLS = 8_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The calibration error without the share that chance alone shows, as in the assessment, and the mean gap between
    what came true and what was stated.

    `bias` has ends that hold at every look; those of `ece` are a bootstrap's and hold at one: judge it once, when the
    labels are there.
    Misleads for few rows of class 1: a bin of rare events hides a factor of two in the rate.
    Source: Bröcker & Smith, "Increasing the reliability of reliability diagrams", 2007; Arnold, Henzi & Ziegel,
    "Sequentially valid tests for forecast calibration", 2023 (why looking again needs other ends).

    >>> Calibration(bins=10).bins
    10
    """

    confidence: float = 0.95
    bins: int = 15
    replicates: int = 1000
    seed: int = 0

    def measure(self, cohort: Cohort) -> tuple[Measurement, ...]:
        """`bias` (what came true less what was stated) and `ece`."""
        known, score = cohort.labelled, cohort.score
        if len(score) and not (score.min() >= 0.0 and score.max() <= 1.0):
            reason = "the scores are no probabilities"
            return (Measurement(plugin=NAME, metric="ece", value=None, status=Status.UNTRIED, reason=reason),)
        p, hit, gone = score[known], cohort.y[known].astype(float), score[~known]
        found = mean(
            NAME,
            "bias",
            Evidence.of((hit - p + 1.0) / 2.0),
            Better.NEITHER,
            least=Evidence.of((1.0 - gone) / 2.0),
            most=Evidence.of((2.0 - gone) / 2.0),
            confidence=self.confidence,
            unit="difference of rates",
            undecided=away(cohort),
            caveats=doubt(cohort),
        )
        moved = {end: 2.0 * getattr(found, end) - 1.0 for end in ("value", "low", "high") if found.value is not None}
        return replace(found, **moved), self._ece(p, hit, len(gone), cohort)

    def _ece(self, p: Any, hit: Any, gone: int, cohort: Cohort) -> Measurement:
        if len(p) < _FEWEST:
            reason = f"{len(p)} labels are too few, {_FEWEST} are needed" if len(p) else NO_LABELS
            return nothing(NAME, "ece", reason, Better.LOWER, n=len(p))
        bins, rng = bins_for(len(p), self.bins), Draws(self.seed, NAME).generator()
        count = int(min(self.replicates, max(200, _CELLS // len(p))))
        drawn = np.concatenate([errors(p, hit, bins, w) for w in resamples(len(p), count, rng)])
        found = corrected(p, hit, bins, drawn, rng)
        # A row without a label moves the sum of the gaps of its bin by one at most.
        share, unsure = len(p) / len(cohort), gone / len(cohort)
        return Measurement(
            plugin=NAME,
            metric="ece",
            value=found.value,
            low=max(0.0, share * found.low - unsure),
            high=min(1.0, share * found.high + unsure),
            n=len(p),
            better=Better.LOWER,
            method=f"{bins} bins of equal count, cross-fitted signs; bootstrap, {len(drawn)} replicates",
            baseline=(("not corrected", found.raw), ("perfect model, 95 %", found.chance_high)),
            undecided=away(cohort),
            caveats=(found.told, "its ends hold at one look, not at every one", *doubt(cohort)),
        )


PLUGIN = Calibration
