"""What a defence changed: paired differences of evasion success and of clean quality on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.defence import Effect
from temper.core.errors import TemperError
from temper.core.target import ScoreKind
from temper.kernels.bootstrap import paired
from temper.kernels.clustered import paired_means
from temper.kernels.loss import decide, flagged_score
from temper.kernels.ranking import auc
from temper.kernels.rate import mcnemar, paired_rates

REPLICATES = 300


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """What one model did: `broken` per evasion plugin, a boolean per attacked row, and `scores` on held-out rows.

    The attacked rows are the same for every model, so a row the model already gets wrong counts as broken: leaving it
    out would let a model win by giving rows up. `scores` (m, classes) as the target gives them, `y` (m,).
    """

    broken: dict[str, Array]
    scores: Array
    y: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Clean loss that a defence may cost: points of AUC, of recall at the threshold, of accuracy (several classes).

    `alerts` is the share by which alerts may grow: a model that alerts on more rows is evaded less for that alone.
    """

    auc: float = 0.01
    recall: float = 0.05
    accuracy: float = 0.02
    alerts: float = 0.25


def effects(
    defence: str,
    before: Evaluation,
    after: Evaluation,
    threshold_before: float | None,
    threshold_after: float | None,
    kind: ScoreKind,
    rng: np.random.Generator,
) -> tuple[Effect, ...]:
    """Paired effects: success of every evasion, then AUC, recall and alert rate (accuracy for several classes).

    Raises `TemperError` when the two evaluations are not about the same rows and attacks.
    """
    _same_rows(before, after)
    found = [
        rates(defence, f"{name}.success_rate", before.broken[name], after.broken[name], "lower")
        for name in before.broken
    ]
    return (*found, *clean(defence, before, after, threshold_before, threshold_after, kind, rng))


def clean(
    defence: str,
    before: Evaluation,
    after: Evaluation,
    threshold_before: float | None,
    threshold_after: float | None,
    kind: ScoreKind,
    rng: np.random.Generator,
) -> tuple[Effect, ...]:
    """What honest users lose or gain: AUC, recall and alert rate (accuracy for several classes)."""
    if before.scores.shape[1] > 2:
        right = [decide(part.scores, kind, None) == part.y for part in (before, after)]
        return (rates(defence, "accuracy", right[0], right[1], "higher"),)
    score = [np.asarray(flagged_score(part.scores, kind), dtype=float) for part in (before, after)]
    middle = 0.0 if kind is ScoreKind.MARGIN else 0.5
    cuts = [middle if cut is None else cut for cut in (threshold_before, threshold_after)]
    alert = [values >= cut for values, cut in zip(score, cuts, strict=True)]
    positive = np.asarray(before.y) == 1
    found = [_auc(defence, before.y, score[0], score[1], rng)]
    if positive.any():
        found.append(rates(defence, "recall", alert[0][positive], alert[1][positive], "higher"))
    return (*found, rates(defence, "alert_rate", alert[0], alert[1], "neither"))


def within(found: Sequence[Effect], tolerance: Tolerance) -> bool:
    """Whether no clean loss is significantly beyond the tolerance: its whole interval lies on the far side."""
    limits = {"auc": tolerance.auc, "recall": tolerance.recall, "accuracy": tolerance.accuracy}
    lost = any(effect.high < -limits[effect.metric] for effect in found if effect.metric in limits)
    more = any(effect.low > tolerance.alerts * effect.before for effect in found if effect.metric == "alert_rate")
    return not (lost or more)


def price(found: Sequence[Effect], tolerance: Tolerance) -> float:
    """What was lost or gained in clean quality and alerts, as a share of what is tolerated; the dearest counts."""
    limits = {"auc": tolerance.auc, "recall": tolerance.recall, "accuracy": tolerance.accuracy}
    lost = [-effect.difference / limits[effect.metric] for effect in found if effect.metric in limits]
    alerts = [e.difference / (tolerance.alerts * e.before) for e in found if e.metric == "alert_rate" and e.before]
    return max([*lost, *alerts], default=0.0)


def rates(defence: str, metric: str, before: Array, after: Array, better: str) -> Effect:
    """A paired difference of rates with Tango's interval and McNemar's exact p-value."""
    first, second = np.asarray(before, dtype=bool), np.asarray(after, dtype=bool)
    p = mcnemar(int((first & ~second).sum()), int((second & ~first).sum()))
    return replace(_of_means(defence, metric, first, second, paired_rates(first, second), better), p_value=p)


def shares(defence: str, metric: str, before: Array, after: Array, better: str) -> Effect:
    """A paired difference of mean shares, a pair for each cluster: trials of one attack are alike and count once."""
    first, second = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    return _of_means(defence, metric, first, second, paired_means(first, second), better)


def _of_means(
    defence: str, metric: str, first: Array, second: Array, found: tuple[float, float, float], better: str
) -> Effect:
    difference, low, high = found
    return Effect(
        defence=defence,
        metric=metric,
        before=float(first.mean()),
        after=float(second.mean()),
        difference=difference,
        low=low,
        high=high,
        n=len(first),
        better=better,
        verdict=_verdict(low, high, better),
    )


def _auc(defence: str, y: Array, before: Array, after: Array, rng: np.random.Generator) -> Effect:
    """The paired bootstrap of the AUC; NaN, and no clear change, where one class is missing."""
    difference, low, high = paired(auc, (y, before), (y, after), rng=rng, replicates=REPLICATES, method="percentile")
    return Effect(
        defence=defence,
        metric="auc",
        before=auc(y, before),
        after=auc(y, after),
        difference=difference,
        low=low,
        high=high,
        n=len(y),
        better="higher",
        verdict=_verdict(low, high, "higher"),
    )


def _verdict(low: float, high: float, better: str) -> str:
    """In words: which side of zero the whole interval lies on."""
    if not (high < 0 or low > 0):
        return "no clear change"
    way = "lower" if high < 0 else "higher"
    if better == "neither":
        return way
    return "better" if way == better else "worse"


def _same_rows(before: Evaluation, after: Evaluation) -> None:
    def outline(part: Evaluation) -> Any:
        return part.scores.shape, {name: len(rows) for name, rows in part.broken.items()}

    if outline(before) != outline(after) or not np.array_equal(before.y, after.y):
        raise TemperError(
            "the evaluations before and after are not about the same rows and attacks",
            fix="let evaluate use one fixed set of rows and plugins",
        )
