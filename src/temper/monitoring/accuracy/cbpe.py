"""How well the model is expected to do before any label has come."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.measure import Better, Measurement, Status
from temper.kernels.cbpe import expected, spread
from temper.monitoring.labels import Cohort

NAME = "cbpe"
BLIND = "blind to concept drift: it supposes that every stated probability is still true"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Accuracy, precision, recall, specificity, F1 and AUC as the stated probabilities let expect them, without labels.

    Misleads wherever the same rows come to have other labels, as with new kinds of fraud: nothing here moves then.
    So it decides no requirement, and says so with every figure. It sees what the rows themselves show: more rows that
    the model finds hard. The ends tell how these rows' labels would fall, were the probabilities true.
    Source: Bialek et al., "Estimating model performance under covariate shift without labels", 2024; NannyML's
    confidence-based performance estimation.

    >>> Expected().confidence
    0.95
    """

    confidence: float = 0.95

    def measure(self, cohort: Cohort) -> tuple[Measurement, ...]:
        """One figure each, whatever labels there are."""
        p = cohort.probability
        ends = spread(p, cohort.flagged, self.confidence)
        stated = () if cohort.calibrator else ("the scores are taken for probabilities as they are",)
        found = expected(p, cohort.flagged, cohort.score)
        return tuple(
            Measurement(
                plugin=NAME,
                metric=metric,
                value=value if value == value else None,
                low=None if metric not in ends or value != value else min(ends[metric][0], value),
                high=None if metric not in ends or value != value else max(ends[metric][1], value),
                confidence=self.confidence,
                n=len(cohort),
                better=Better.HIGHER,
                unit="share",
                status=Status.INCONCLUSIVE,
                reason=BLIND,
                method="expected confusion matrix",
                caveats=(BLIND, *stated),
            )
            for metric, value in found.items()
        )


PLUGIN = Expected
