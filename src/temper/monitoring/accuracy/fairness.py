"""Whether groups of people were judged alike, by what came true."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np

from temper.core.measure import Better, Measurement, Status
from temper.core.seed import Draws
from temper.kernels.confidence_sequence import Evidence
from temper.kernels.counts import null_gaps
from temper.kernels.groups import groups
from temper.monitoring.accuracy._measured import NO_LABELS, away, doubt, nothing
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
        """`tpr_gap` and `fpr_gap` of every sensitive column (slice "column:name"), and of the worst (slice "all")."""
        columns = [at for at, column in enumerate(cohort.schema.columns) if column.sensitive]
        if not columns:
            reason = "the schema names no sensitive column"
            return (Measurement(plugin=NAME, metric="tpr_gap", value=None, status=Status.UNTRIED, reason=reason),)
        each = 1.0 - (1.0 - self.confidence) / len(columns)
        found = []
        for metric in RATES:
            found += [self._gap(cohort, metric, at, self.confidence) for at in columns]
            found.append(self._worst([self._gap(cohort, metric, at, each) for at in columns]))
        return tuple(found)

    def _worst(self, columns: list[Measurement]) -> Measurement:
        """The worst column's gap; the ends hold for the largest gap of all columns."""
        lost = next((m for m in columns if m.value is None), None)
        worst = lost or max(columns, key=lambda m: m.value or 0.0)
        if lost is None:
            low, high = max(m.low or 0.0 for m in columns), max(m.high or 0.0 for m in columns)
            worst = replace(worst, low=low, high=high)
        return replace(worst, slice="all", confidence=self.confidence)

    def _gap(self, cohort: Cohort, metric: str, at: int, confidence: float) -> Measurement:
        column, truth = cohort.schema.columns[at], RATES[metric]
        where = f"column:{column.name}"
        if not cohort.labelled.any():
            return nothing(NAME, metric, NO_LABELS, Better.LOWER, slice=where)
        group, names = groups(cohort.x[:, at], column, self.bands)
        seen, gone = cohort.y == truth, ~cohort.labelled
        hits, rows, unsure = (
            np.bincount(group[mask], minlength=len(names)) for mask in (seen & cohort.flagged, seen, gone)
        )
        kept, possible = rows >= self.smallest, np.flatnonzero(rows + unsure >= self.smallest)
        if kept.sum() < 2:
            reason = f"{kept.sum()} groups of {column.name} have {self.smallest} rows of class {truth}, two are needed"
            return nothing(NAME, metric, reason, Better.LOWER, slice=where, n=int(rows.sum()))
        # A group whose labels stay away has no rate to show, and counts at the ends all the same.
        sure = 1.0 - (1.0 - confidence) / len(possible)
        ends = [_ends(cohort.flagged, seen & (group == one), gone & (group == one), sure) for one in possible]
        pairs = list(permutations(ends, 2))
        rng = Draws(self.seed, f"{NAME}.{column.name}").generator()
        rates, chance = hits[kept] / rows[kept], null_gaps(hits[kept], rows[kept], _CHANCES, rng)
        called = [name for name, is_kept in zip(names, kept, strict=True) if is_kept]
        small = [name for name in names if name not in called]
        left_out = (f"fewer than {self.smallest} rows of class {truth}: {', '.join(small)}",) if small else ()
        return Measurement(
            plugin=NAME,
            metric=metric,
            value=float(np.ptp(rates)),
            low=max(0.0, *(a[0] - b[1] for a, b in pairs)),
            high=max(a[1] - b[0] for a, b in pairs),
            confidence=confidence,
            n=int(rows[kept].sum()),
            unit="difference of rates",
            better=Better.LOWER,
            slice=where,
            method=f"betting, simultaneous over {len(possible)} groups; holds at every look",
            baseline=(("permuted groups, mean", float(chance.mean())),),
            undecided=away(cohort),
            caveats=(
                f"{called[rates.argmax()]} above {called[rates.argmin()]}",
                *left_out,
                *doubt(cohort),
            ),
            anytime=True,
        )


def _ends(flagged: Any, seen: Any, gone: Any, confidence: float) -> tuple[float, float]:
    """Of the rate of being flagged; rows without a label count as whatever moves the end most."""
    evidence = Evidence.rate(int((seen & flagged).sum()), int(seen.sum()))
    noughts, ones = int((gone & ~flagged).sum()), int((gone & flagged).sum())
    low = (evidence + Evidence.rate(0, noughts)).ends(confidence)[0]
    return low, (evidence + Evidence.rate(ones, ones)).ends(confidence)[1]


PLUGIN = Fairness
