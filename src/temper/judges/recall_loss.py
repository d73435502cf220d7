"""What poisoned training data costs: recall at the operating point, with the area beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.attack import Outcome, Scene
from temper.core.errors import TemperError
from temper.core.measure import Better, Measurement, Status
from temper.judges._pooled import paired_area_loss, paired_loss, placements
from temper.kernels.loss import decide, flagged_score


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """How a poisoned twin was made: `flipped` of `rows` training labels, whose attacked class has `eligible` rows.

    `alerts`: held-out rows the deployed model flags, the review capacity every twin gets. `label`: the slice.
    """

    share: float
    flipped: int
    rows: int
    eligible: int
    alerts: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallLoss:
    """Recall lost by the poisoned twins against clean twins fitted on the same rows with the same seeds.

    `recall_loss` gives every twin the deployed model's number of alerts, so a shifted score scale is not mistaken for
    damage; `recall_loss_at_threshold` keeps the operating threshold, as a pipeline that refits and redeploys does.
    Misleads when few held-out rows are of the attacked class: read the interval, not the value.
    Source: Goldblum et al., "Dataset security for machine learning", 2022; intervals in `judges/_pooled.py`.

    >>> RecallLoss(plugin="poisoning.label_flip_random").charged
    False
    """

    charged: ClassVar[bool] = False
    plugin: str = "poisoning"
    source: int | None = 1
    confidence: float = 0.95

    def judge(self, scene: Scene, outcome: Outcome) -> tuple[Measurement, ...]:
        """`outcome.clean`, `outcome.scores`: (repeats, n, k) of clean and poisoned twins; `payload`: the `Dose`."""
        dose, clean = outcome.payload, outcome.clean
        if not isinstance(dose, Dose) or clean is None:
            raise TemperError("recall loss needs the dose and the scores of clean twins", fix="pass payload and clean")
        stake = np.ones(len(outcome.y), dtype=bool) if self.source is None else outcome.y == self.source
        if not stake.any():
            return self._undecided(dose, "no held-out row is of the attacked class")
        if scene.classes != 2:
            right = [np.stack([_right(scene, one, outcome.y) for one in twins]) for twins in (clean, outcome.scores)]
            return (self._recall(dose, "recall_loss", right[0][:, stake], right[1][:, stake], ()),)
        ranked = [np.stack([flagged_score(one, scene.kind) for one in twins]) for twins in (clean, outcome.scores)]
        area = () if stake.all() else (self._area(dose, outcome.y, ranked[0], ranked[1]),)
        if dose.alerts == 0:
            return *self._undecided(dose, "the deployed model flags no held-out row at its threshold"), *area
        capped = [np.stack([within(score, dose.alerts) for score in twins]) for twins in ranked]
        kept = [np.stack([_flags(scene, one) for one in twins]) for twins in (clean, outcome.scores)]
        volume = (("clean alerts", float(kept[0].mean())), ("poisoned alerts", float(kept[1].mean())))
        return (
            self._recall(dose, "recall_loss", capped[0][:, stake], capped[1][:, stake], ()),
            self._recall(dose, "recall_loss_at_threshold", kept[0][:, stake], kept[1][:, stake], volume),
            *area,
        )

    def _recall(
        self, dose: Dose, metric: str, before: Any, after: Any, more: tuple[tuple[str, float], ...]
    ) -> Measurement:
        figure = paired_loss(before, after, self.confidence)
        baseline = (
            ("refit noise", noise(before.mean(1))),
            ("clean recall", float(before.mean())),
            ("poisoned recall", float(after.mean())),
            *more,
        )
        return self._measured(dose, metric, figure, before.shape, baseline)

    def _area(self, dose: Dose, y: Any, before: Any, after: Any) -> Measurement:
        y = (np.asarray(y) == 1).astype(int)
        figure = paired_area_loss(y, before, after, self.confidence)
        areas = np.array([placements(y, one)[0].mean() for one in before])
        baseline = (("refit noise", noise(areas)), ("clean AUC", float(areas.mean())))
        return self._measured(dose, "auc_loss", figure, before.shape, baseline)

    def _measured(
        self,
        dose: Dose,
        metric: str,
        figure: tuple[float, float, float],
        shape: tuple[int, ...],
        baseline: tuple[tuple[str, float], ...],
    ) -> Measurement:
        repeats, n = shape[:2]
        value, low, high = figure
        return Measurement(
            plugin=self.plugin,
            metric=metric,
            value=value,
            low=max(low, -1.0),
            high=min(high, 1.0),
            confidence=self.confidence,
            n=n,
            better=Better.LOWER,
            slice=dose.label,
            method="DeLong over rows and repeats" if metric == "auc_loss" else "paired t over rows and repeats",
            baseline=tuple(part for part in baseline if np.isfinite(part[1])),
            caveats=(_amount(dose, repeats), *_narrow(repeats)),
        )

    def _undecided(self, dose: Dose, reason: str) -> tuple[Measurement, ...]:
        return tuple(
            Measurement(
                plugin=self.plugin,
                metric=metric,
                value=None,
                better=Better.LOWER,
                slice=dose.label,
                status=Status.INCONCLUSIVE,
                reason=reason,
            )
            for metric in ("recall_loss", "recall_loss_at_threshold")
        )


def within(score: Any, alerts: int) -> Any:
    """For each row (n,) whether it is among the `alerts` highest scores; rows tied at the edge share what is left.

    >>> within(np.array([0.9, 0.5, 0.5, 0.1]), 2)
    array([1. , 0.5, 0.5, 0. ])
    """
    edge = np.sort(score)[-min(alerts, len(score))]
    above, tied = score > edge, score == edge
    return above + tied * (min(alerts, len(score)) - above.sum()) / tied.sum()


def noise(repeats: Any) -> float:
    """Mean absolute difference between clean twins of different seeds; NaN with one twin only.

    >>> noise(np.array([0.5, 0.4, 0.5])).__round__(3)
    0.067
    """
    apart = np.abs(repeats[:, None] - repeats[None, :])[np.triu_indices(len(repeats), 1)]
    return float(apart.mean()) if len(apart) else float("nan")


def _flags(scene: Scene, scores: Any) -> Any:
    return (decide(scores, scene.kind, scene.threshold) == 1).astype(float)


def _right(scene: Scene, scores: Any, y: Any) -> Any:
    return (decide(scores, scene.kind, scene.threshold) == y).astype(float)


def _amount(dose: Dose, repeats: int) -> str:
    whole = f"{dose.flipped:,} of {dose.rows:,} training labels flipped ({dose.flipped / dose.rows:.2%})"
    return f"{whole}, {dose.eligible:,} rows in the attacked class; {repeats} repeat{'s' * (repeats > 1)}"


def _narrow(repeats: int) -> tuple[str, ...]:
    return () if repeats > 1 else ("one repeat: the spread between refits is not in the interval",)


PLUGIN = RecallLoss
