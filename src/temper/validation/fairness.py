"""Whether groups of people are judged alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Measurement, Status
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.kernels.counts import Gap, confusion, events, gap, ratio
from temper.kernels.groups import groups
from temper.kernels.loss import decide
from temper.validation._measured import missing, not_applicable, scored

NAME = "fairness"
RATES = {"selection_gap": "selection", "tpr_gap": "tpr", "fpr_gap": "fpr", "ppv_gap": "ppv"}
RATIO = "selection_ratio"
_WORDS = {"selection": "rows", "tpr": "rows of class 1", "fpr": "rows of class 0", "ppv": "flagged rows"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fairness:
    """Largest gaps between groups in the rate of being flagged: of all, of class 1 (TPR), of class 0 (FPR); in the
    share of flagged rows that are of class 1 (PPV); and the smallest over the largest rate of all (`selection_ratio`).

    One measurement per sensitive column (slice "column:name") and one for the worst column (slice "all"). Numeric
    columns are cut into `bands` of equal count; missing values are a group. Groups with fewer than `smallest` rows
    behind a rate are left out and named. Beside each gap stands what permuted groups would show: by chance alone a
    largest gap is never zero.
    Misleads when the truth itself is biased: equal error rates against unfair labels are not fair. Gaps in groups that
    nobody recorded stay unseen.
    Source: Hardt, Price & Srebro, "Equality of opportunity in supervised learning", 2016.

    >>> Fairness(smallest=30).bands
    4
    """

    bands: int = 4
    smallest: int = 50
    replicates: int = 2000
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """The four gaps per sensitive column and of the worst one, and `selection_ratio` of the worst one."""
        if not scene.sensitive:
            return not_applicable(NAME, "the schema names no sensitive column")
        if scene.kind is ScoreKind.VALUE or scene.classes != 2:
            return not_applicable(NAME, "gaps need a decision between two classes")
        flag = np.asarray(decide(scored(scene), scene.kind, scene.threshold)) == 1
        rng = Draws(self.seed, NAME).generator()
        tables = {name: self._table(scene, name, flag) for name in scene.sensitive}
        return (*(m for metric in RATES for m in self._gaps(metric, tables, rng)), *self._ratios(tables, rng))

    def _table(self, scene: Scene, name: str, flag: Any) -> tuple[list[str], Any]:
        at = scene.schema.index(name)
        group, labels = groups(np.asarray(scene.x)[:, at], scene.schema.columns[at], self.bands)
        return labels, confusion(group, np.asarray(scene.y), flag, len(labels))

    def _gaps(self, metric: str, tables: dict[str, Any], rng: np.random.Generator) -> list[Measurement]:
        measured, widened = [], []
        for name, (labels, counts) in tables.items():
            kept = np.flatnonzero(events(counts, RATES[metric])[1] >= self.smallest)
            where = f"column:{name}"
            if len(kept) < 2:
                reason = (
                    f"{'only one' if len(kept) else 'no'} group of {name} has {self.smallest} "
                    f"{_WORDS[RATES[metric]]}, two are needed"
                )
                measured.append(missing(NAME, metric, Status.INCONCLUSIVE, reason, slice=where, better=Better.LOWER))
                continue
            small = [label for i, label in enumerate(labels) if i not in kept]
            found = gap(counts[kept], RATES[metric], rng, replicates=self.replicates)
            names = [f"{name} {labels[i]}" for i in kept]
            measured.append(self._measurement(metric, found, names, small, where))
            sure = 1 - 0.05 / len(tables)
            all_found = gap(counts[kept], RATES[metric], rng, replicates=self.replicates, confidence=sure)
            widened.append(self._measurement(metric, all_found, names, small, "all"))
        return [*measured, _worst(metric, measured, widened)]

    def _ratios(self, tables: dict[str, Any], rng: np.random.Generator) -> list[Measurement]:
        measured = []
        for name, (labels, counts) in tables.items():
            kept = np.flatnonzero(events(counts, "selection")[1] >= self.smallest)
            if len(kept) >= 2:
                sure = 1 - 0.05 / len(tables)
                found = ratio(counts[kept], "selection", rng, replicates=self.replicates, confidence=sure)
                measured.append(self._ratio(found, counts[kept], [f"{name} {labels[i]}" for i in kept]))
        if len(measured) < len(tables):
            reason = f"a column has fewer than two groups of {self.smallest} rows"
            return [missing(NAME, RATIO, Status.INCONCLUSIVE, reason, better=Better.HIGHER)]
        worst = min(measured, key=lambda m: m.value or 0.0)
        return [replace(worst, low=min(m.low or 0.0 for m in measured), high=min(m.high or 0.0 for m in measured))]

    def _ratio(self, found: tuple[float, float, float], counts: Any, names: Sequence[str]) -> Measurement:
        hits, rows = events(counts, "selection")
        rates = hits / rows
        return Measurement(
            plugin=NAME, metric=RATIO, value=found[0], low=found[1], high=found[2], n=int(rows.sum()), unit="ratio",
            better=Better.HIGHER, baseline=(("all alike", 1.0), ("four-fifths rule", 0.8)),
            method=f"multinomial bootstrap of logarithms, {self.replicates} replicates, simultaneous over all groups",
            caveats=(f"{names[int(rates.argmin())]} over {names[int(rates.argmax())]}",),
        )  # fmt: skip

    def _measurement(
        self, metric: str, found: Gap, names: Sequence[str], small: Sequence[str], where: str
    ) -> Measurement:
        left_out = (f"left out, fewer than {self.smallest} rows: {', '.join(small)}",) if small else ()
        chance = (f"permuted groups show as much (p = {found.p_value:.2f})",) if found.p_value > 0.05 else ()
        return Measurement(
            plugin=NAME,
            metric=metric,
            value=found.value,
            low=found.low,
            high=found.high,
            n=found.n,
            unit="difference of rates",
            better=Better.LOWER,
            slice=where,
            method=f"multinomial bootstrap, {self.replicates} replicates, simultaneous over {len(names)} groups",
            baseline=(("permuted groups, mean", found.null), ("permuted groups, 95 %", found.null_high)),
            caveats=(f"{names[found.highest]} above {names[found.lowest]}", *chance, *left_out),
        )


def _worst(metric: str, measured: Sequence[Measurement], widened: Sequence[Measurement]) -> Measurement:
    """The worst column's gap; its interval covers the largest true gap over all columns."""
    lost = next((m for m in measured if m.status is not Status.OK), None)
    if lost is not None:
        return missing(NAME, metric, Status.INCONCLUSIVE, lost.reason, better=Better.LOWER)
    worst = max(widened, key=lambda m: m.value or 0.0)
    return Measurement(
        plugin=NAME,
        metric=metric,
        value=worst.value,
        low=max(m.low or 0.0 for m in widened),
        high=max(m.high or 0.0 for m in widened),
        n=worst.n,
        unit=worst.unit,
        better=Better.LOWER,
        method=f"{worst.method}, over {len(widened)} columns",
        baseline=worst.baseline,
        caveats=worst.caveats,
    )


PLUGIN = Fairness
