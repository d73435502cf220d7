"""How often the model was right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.measure import Better, Measurement
from temper.kernels.confidence_sequence import Evidence
from temper.monitoring.accuracy._measured import NO_LABELS, away, doubt, mean
from temper.monitoring.labels import Cohort

NAME = "performance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Accuracy, and recall and precision of what was flagged, with ends that hold although one looks again with every
    label that comes.

    Misleads where labels come for some rows only because of what the model said of them: a payment that was blocked
    never shows whether it was fraud. Such rows widen the ends, as far as their labels could move the figure.
    Source: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", 2024.

    >>> Performance().confidence
    0.95
    """

    confidence: float = 0.95

    def measure(self, cohort: Cohort) -> tuple[Measurement, ...]:
        """`accuracy`, `recall` and `precision`."""
        one, flag, known = cohort.y == 1, cohort.flagged, cohort.labelled
        right, ones, n = (flag == one) & known, int(one.sum()), max(int(known.sum()), 1)
        unsure, flagged_unsure = int((~known).sum()), int((flag & ~known).sum())
        flags = int((flag & known).sum())
        hits = int((one & flag).sum())
        common, alarms, rate = max(ones, n - ones) / n, float(np.mean(flag[known])) if known.any() else 0.0, ones / n
        return (
            self._rate(
                "accuracy", int(right.sum()), int(known.sum()), unsure, unsure, cohort, ("the common class", common)
            ),
            self._rate(
                "recall", hits, ones, unsure - flagged_unsure, flagged_unsure, cohort, ("alarms at random", alarms)
            ),
            self._rate("precision", hits, flags, flagged_unsure, flagged_unsure, cohort, ("alarms at random", rate)),
        )

    def _rate(
        self, metric: str, events: int, n: int, against: int, for_: int, cohort: Cohort, baseline: tuple[str, float]
    ) -> Measurement:
        """`against` and `for_` rows without a label could each count as a nought, or as a one."""
        what = {"recall": "no row of class 1 is known", "precision": "no flagged row has a label"}
        return mean(
            NAME,
            metric,
            Evidence.rate(events, n),
            Better.HIGHER,
            least=Evidence.rate(0, against),
            most=Evidence.rate(for_, for_),
            confidence=self.confidence,
            without=what.get(metric, NO_LABELS) if cohort.labelled.any() else NO_LABELS,
            baseline=(baseline,),
            undecided=away(cohort),
            caveats=doubt(cohort),
        )


PLUGIN = Performance
