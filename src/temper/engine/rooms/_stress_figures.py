"""What one stressor costs at each severity: the drop, the decisions that change, and the first sure drop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.measure import Better, Curve, Measurement, Point
from temper.engine.rooms._stress_said import error
from temper.engine.rooms._stress_trial import GATED, Trial
from temper.kernels.loss import decide
from temper.kernels.rate import measure_rate, wilson
from temper.stress._choice import SEVERITIES
from temper.stress._drop import Drop


def loss(trial: Trial, answers: Sequence[Any]) -> Measurement:
    """The drop at severity 3 with its bootstrap interval, and the curve over all severities."""
    y, yard = trial.scene.y, trial.yardstick
    rng = trial.world.rng(trial.task).child("bootstrap").generator()
    gated = yard.bootstrap(y, trial.clean, answers[GATED - 1], rng, trial.world.sizes.replicates, 0.95)
    drops = [yard.drop(y, trial.clean, answer) for answer in answers]
    points = [Point(at=0, value=0.0, low=0.0, high=0.0, n=len(y))]
    points += [_point(s, d, len(y)) for s, d in zip(SEVERITIES, drops, strict=True)]
    clean = yard.figure(y, trial.clean)
    return Measurement(
        plugin=trial.name,
        metric="loss",
        value=gated.value,
        low=gated.low,
        high=gated.high,
        n=len(y),
        unit=f"drop in {yard.name}",
        better=Better.LOWER,
        method=f"{gated.method}; bands of the curve: {drops[0].method}",
        baseline=((f"clean {yard.name}", clean), ("severity 0", 0.0)),
        caveats=(f"at severity {GATED} of {len(SEVERITIES)}",),
        curve=Curve(name=f"{trial.plugin}: loss", axis="severity", unit=f"drop in {yard.name}", points=tuple(points)),
        simulated=trial.world.system.simulated,
    )


def flips(trial: Trial, answers: Sequence[Any]) -> Measurement:
    """The share of decisions that change, at severity 3 and over all severities."""
    kind, threshold = trial.scene.kind, trial.scene.threshold
    before = decide(trial.clean, kind, threshold)
    counts = [int((decide(answer, kind, threshold) != before).sum()) for answer in answers]
    n = len(before)
    points = [Point(at=0, value=0.0, low=0.0, high=0.0, n=n)]
    for severity, count in zip(SEVERITIES, counts, strict=True):
        low, high = wilson(count, n)
        points.append(Point(at=severity, value=count / n, low=low, high=high, n=n))
    return measure_rate(
        trial.name,
        "flip_rate",
        counts[GATED - 1],
        n,
        better=Better.LOWER,
        unit="share of decisions",
        baseline=(("severity 0", 0.0),),
        caveats=(f"at severity {GATED} of {len(SEVERITIES)}",),
        curve=Curve(name=f"{trial.plugin}: flips", axis="severity", unit="share of decisions", points=tuple(points)),
        simulated=trial.world.system.simulated,
    )


def first(loss: Measurement, trial: Trial, answers: Sequence[Any]) -> Measurement:
    """The first severity whose drop is significant, over five looks at 1 % each."""
    sure = 1 - 0.05 / len(SEVERITIES)
    drops = [trial.yardstick.drop(trial.scene.y, trial.clean, answer, sure) for answer in answers]
    found = [severity for severity, drop in zip(SEVERITIES, drops, strict=True) if drop.low > 0]
    return Measurement(
        plugin=trial.name,
        metric="first_severity",
        value=float(found[0]) if found else None,
        n=loss.n,
        unit="severity",
        better=Better.HIGHER,
        method=f"{drops[0].method}, Bonferroni over {len(SEVERITIES)} severities",
        caveats=() if found else (f"no significant drop up to severity {SEVERITIES[-1]} at n = {loss.n}",),
        simulated=loss.simulated,
    )


def fallen(trial: Trial, rows: Any, answers: Iterable[Array | str]) -> Any:
    """The drop of each answer on these rows, infinite where the model failed: what is compared to find the worst."""
    y, clean = trial.scene.y[rows], trial.clean[rows]
    before = trial.yardstick.figure(y, clean)
    return np.array([np.inf if isinstance(a, str) else before - trial.yardstick.figure(y, a) for a in answers])


def worst(trial: Trial, metric: str, answer: Array | str, rows: Any, how: str = "{}", **more: Any) -> Measurement:
    """The drop under what was found to be worst, on rows that had no part in finding it."""
    if isinstance(answer, str):
        return error(trial, metric, answer, slice=more["slice"])
    drop = trial.yardstick.drop(trial.scene.y[rows], trial.clean[rows], answer)
    return Measurement(
        plugin=trial.name,
        metric=metric,
        value=drop.value,
        low=drop.low,
        high=drop.high,
        n=len(rows),
        unit=f"drop in {trial.yardstick.name}",
        better=Better.LOWER,
        method=how.format(drop.method),
        simulated=trial.world.system.simulated,
        **more,
    )


def _point(severity: int, drop: Drop, n: int) -> Point:
    return Point(at=severity, value=drop.value, low=drop.low, high=drop.high, n=n)
