"""Whether groups of people were judged alike, by what came true."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from temper.core.measure import Better, Measurement, Status
from temper.core.seed import Draws
from temper.kernels.confidence_sequence import Evidence
from temper.kernels.counts import null_gaps
from temper.kernels.groups import groups
from temper.monitoring.accuracy._measured import NO_LABELS, away, nothing
from temper.monitoring.labels import Cohort

NAME = "fairness"
RATES = {"tpr_gap": 1, "fpr_gap": 0}
_CHANCES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fairness:
    """Per sensitive column, the largest gap between groups in the rate of being flagged: of class 1 (TPR), of class 0
    (FPR), with ends that hold at every look and for all pairs of groups at once.

    Groups with fewer than `smallest` such rows are left out and named. Beside each gap stands what permuted groups
    would show: by chance alone a largest gap is never zero.
    Misleads when the labels themselves are biased, and with many small groups, where the ends lie far apart.
    Source: Hardt, Price & Srebro, "Equality of opportunity in supervised learning", 2016; Chugg et al., "Auditing
    fairness by betting", 2023.

    >>> Fairness(smallest=30).bands
    4
    """

    confidence: float = 0.95
    bands: int = 4
    smallest: int = 50
    seed: int = 0

    def measure(self, cohort: Cohort) -> tuple[Measurement, ...]:
        """`tpr_gap` and `fpr_gap` of every sensitive column (slice "column:name")."""
        columns = [at for at, column in enumerate(cohort.schema.columns) if column.sensitive]
        if not columns:
            reason = "the schema names no sensitive column"
            return (Measurement(plugin=NAME, metric="tpr_gap", value=None, status=Status.UNTRIED, reason=reason),)
        return tuple(self._gap(cohort, metric, at) for metric in RATES for at in columns)

    def _gap(self, cohort: Cohort, metric: str, at: int) -> Measurement:
        column, truth = cohort.schema.columns[at], RATES[metric]
        where = f"column:{column.name}"
        if not cohort.labelled.any():
            return nothing(NAME, metric, NO_LABELS, Better.LOWER, slice=where)
        group, names = groups(cohort.x[:, at], column, self.bands)
        hits, rows = (
            np.bincount(group[mask], minlength=len(names))
            for mask in ((cohort.y == truth) & cohort.flagged, cohort.y == truth)
        )
        kept = np.flatnonzero(rows >= self.smallest)
        if len(kept) < 2:
            reason = f"{len(kept)} groups of {column.name} have {self.smallest} rows of class {truth}, two are needed"
            return nothing(NAME, metric, reason, Better.LOWER, slice=where, n=int(rows.sum()))
        ends = [self._ends(cohort, group == one, truth, len(kept)) for one in kept]
        pairs = list(permutations(range(len(kept)), 2))
        rates = hits[kept] / rows[kept]
        chance = null_gaps(hits[kept], rows[kept], _CHANCES, Draws(self.seed, f"{NAME}.{column.name}").generator())
        small = [names[one] for one in range(len(names)) if one not in kept]
        left_out = (f"left out, fewer than {self.smallest} rows: {', '.join(small)}",) if small else ()
        most, least = names[kept[rates.argmax()]], names[kept[rates.argmin()]]
        return Measurement(
            plugin=NAME,
            metric=metric,
            value=float(np.ptp(rates)),
            low=max(0.0, *(ends[a][0] - ends[b][1] for a, b in pairs)),
            high=max(ends[a][1] - ends[b][0] for a, b in pairs),
            confidence=self.confidence,
            n=int(rows[kept].sum()),
            unit="difference of rates",
            better=Better.LOWER,
            slice=where,
            method=f"betting, simultaneous over {len(kept)} groups; holds at every look",
            baseline=(("permuted groups, mean", float(chance.mean())),),
            caveats=(f"{column.name} {most} above {least}", *left_out, *away(cohort)),
            anytime=True,
        )

    def _ends(self, cohort: Cohort, mine: Any, truth: int, many: int) -> tuple[float, float]:
        """Of the rate of one group of `many`; its rows without a label count as whatever moves the end most."""
        seen = mine & (cohort.y == truth)
        gone, flagged = mine & ~cohort.labelled, cohort.flagged
        evidence = Evidence.rate(int((seen & flagged).sum()), int(seen.sum()))
        noughts, ones = int((gone & ~flagged).sum()), int((gone & flagged).sum())
        sure = 1.0 - (1.0 - self.confidence) / many
        low = (evidence + Evidence.rate(0, noughts)).ends(sure)[0]
        return low, (evidence + Evidence.rate(ones, ones)).ends(sure)[1]


PLUGIN = Fairness
