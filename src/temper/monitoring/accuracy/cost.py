"""What the decisions have cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from temper.core.measure import Better, Measurement, Status
from temper.kernels.confidence_sequence import Evidence
from temper.monitoring.accuracy._measured import away, doubt, mean
from temper.monitoring.labels import Cohort

NAME = "cost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The mean cost of a row by the system's cost matrix, with ends that hold although one looks again and again.

    Misleads where the dearest row is still to come: no row is foreseen that costs more than the dearest of these could.
    With amounts that differ by much the upper end stays far away for long, because one row can change the mean.
    Source: Elkan, "The foundations of cost-sensitive learning", 2001; Waudby-Smith & Ramdas, "Estimating means of
    bounded random variables by betting", 2024.

    >>> Cost().measure.__name__
    'measure'
    """

    confidence: float = 0.95

    def measure(self, cohort: Cohort) -> tuple[Measurement, ...]:
        """`per_row`, in the currency of the matrix."""
        if cohort.cost is None:
            reason = "the system says nothing about costs (`stress: cost:`)"
            return (Measurement(plugin=NAME, metric="per_row", value=None, status=Status.UNTRIED, reason=reason),)
        amounts = cohort.cost.amounts(cohort.x, cohort.schema)
        amounts = None if amounts is None else np.maximum(amounts, 0.0)
        # What a row can cost is known before its label is: its amount where it was let pass, the alarm's price else.
        could = cohort.cost.per_row(np.where(cohort.flagged, 0, 1), cohort.flagged, amounts)
        paid = cohort.cost.per_row(cohort.y, cohort.flagged, amounts)[cohort.labelled]
        dearest = float(could.max(initial=0.0)) or 1.0
        gone = could[~cohort.labelled] / dearest
        found = mean(
            NAME,
            "per_row",
            Evidence.of(paid / dearest),
            Better.LOWER,
            least=Evidence.of(np.zeros(len(gone))),
            most=Evidence.of(gone),
            confidence=self.confidence,
            unit="cost",
            undecided=away(cohort),
            caveats=(f"no row is foreseen that costs more than {dearest:g}", *doubt(cohort)),
        )
        scaled = {end: getattr(found, end) * dearest for end in ("value", "low", "high") if found.value is not None}
        return (replace(found, **scaled),)


PLUGIN = Cost
