"""What each severity costs in wrong decisions, where temper.yaml says what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from temper.core.cost import CostMatrix
from temper.core.measure import Better, Curve, Measurement, Point
from temper.engine.rooms._stress_trial import GATED, Trial
from temper.kernels.loss import decide
from temper.kernels.weighted import resamples
from temper.stress._choice import SEVERITIES

_PER = 1_000  # rows
_UNIT = "extra cost per 1,000 rows"


def cost(trial: Trial, answers: Sequence[Any], matrix: CostMatrix) -> Measurement:
    """The expected extra cost per 1,000 rows at each severity, paired row by row with the cost on clean rows.

    Amounts are those of the clean rows: what is at stake does not change because a feed is wrong.
    """
    amounts = matrix.amounts(trial.scene.x, trial.scene.schema)
    before = _cost(trial, trial.clean, matrix, amounts)
    extra = np.stack([_cost(trial, answer, matrix, amounts) - before for answer in answers])
    rng = trial.world.rng(trial.task).child("cost").generator()
    n, replicates = len(before), max(trial.world.sizes.replicates, 200)
    drawn = np.concatenate([weights @ extra.T for weights in resamples(n, replicates, rng)]) * (_PER / n)
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    value = extra.mean(axis=1) * _PER
    points = [Point(at=0, value=0.0, low=0.0, high=0.0, n=n)]
    for at, severity in enumerate(SEVERITIES):
        ends = (min(low[at], value[at]), max(high[at], value[at]))
        points.append(Point(at=severity, value=float(value[at]), low=float(ends[0]), high=float(ends[1]), n=n))
    gated = points[GATED]
    return Measurement(
        plugin=trial.name,
        metric="cost",
        value=gated.value,
        low=gated.low,
        high=gated.high,
        n=n,
        unit=_UNIT,
        better=Better.LOWER,
        method=f"paired bootstrap, {replicates} replicates",
        baseline=(("clean cost per 1,000 rows", float(before.mean() * _PER)), ("severity 0", 0.0)),
        caveats=(f"at severity {GATED} of {len(SEVERITIES)}", f"{(extra[GATED - 1] > 0).sum():,} rows cost more"),
        curve=Curve(name=f"{trial.plugin}: cost", axis="severity", unit=_UNIT, points=tuple(points)),
        simulated=trial.world.system.simulated,
    )


def _cost(trial: Trial, scores: Any, matrix: CostMatrix, amounts: Any) -> Any:
    flagged = decide(np.asarray(scores), trial.scene.kind, trial.scene.threshold) == 1
    return matrix.per_row(trial.scene.y, flagged, amounts)
