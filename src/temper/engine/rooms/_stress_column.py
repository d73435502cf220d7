"""The one column whose stress alone costs most: chosen on one half of the rows, measured on the other."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.measure import Better, Measurement
from temper.engine.rooms._stress_said import error
from temper.engine.rooms._stress_trial import Trial, ask
from temper.stress._choice import SEVERITIES, features

_RANKED = 2_000  # rows on which columns are compared


def worst_column(trial: Trial) -> tuple[tuple[Measurement, ...], int]:
    """The column whose stress alone costs most: chosen on one half of the rows, measured on the other."""
    names = single(trial)
    y, (chosen, kept) = trial.scene.y, halves(trial)
    if not names or any(trial.yardstick.lack(y[rows]) for rows in (chosen, kept)):
        return (), 0
    answers = list(ask(trial.target, (_alone(trial, name, chosen) for name in names)))
    values = [_drop_or_worst(trial, answer, chosen) for answer in answers]
    order = np.argsort(values)[::-1]
    worst = names[order[0]]
    answer = next(ask(trial.target, iter([_alone(trial, worst, kept)])))
    asked = len(chosen) * len(names) + len(kept)
    if isinstance(answer, str):
        return (error(trial, "worst_column_loss", answer, slice=f"column:{worst}"),), asked
    drop = trial.yardstick.drop(y[kept], trial.clean[kept], answer)
    others = tuple((names[i], float(values[i])) for i in order[1:5])
    measured = Measurement(
        plugin=trial.name,
        metric="worst_column_loss",
        value=drop.value,
        low=drop.low,
        high=drop.high,
        n=len(kept),
        unit=f"drop in {trial.yardstick.name}",
        better=Better.LOWER,
        slice=f"column:{worst}",
        method=drop.method,
        baseline=others,
        caveats=(f"severity {SEVERITIES[-1]}; worst of {len(names)} on {len(chosen):,} other rows",),
        simulated=trial.world.system.simulated,
    )
    return (measured,), asked


def single(trial: Trial) -> list[str]:
    """The features on which the stressor can work alone."""
    if not {"schema", "columns"} <= {field.name for field in fields(trial.stressor)}:
        return []
    if trial.scene.x.ndim != 2 or not trial.scene.schema.columns:
        return []
    chosen = getattr(trial.stressor, "columns", ())
    names = [feature.name for feature in features(trial.scene.schema, trial.scene.x[:2], chosen)]
    return [name for name in names if _works(trial, name)]


def _works(trial: Trial, name: str) -> bool:
    try:
        _alone(trial, name, np.arange(2))
    except Unsupported:
        return False
    return True


def _alone(trial: Trial, name: str, rows: Any) -> Array:
    stressor = replace(trial.stressor, columns=(name,))
    draws = trial.world.rng(trial.task, trial.scene.ids[rows])
    stressed: Array = stressor.apply(trial.scene.x[rows], SEVERITIES[-1], draws)
    return stressed


def halves(trial: Trial) -> tuple[Any, Any]:
    """Every second row, thinned to what a comparison needs (the rarer class first), and all the others."""
    even, odd = np.arange(0, len(trial.scene.y), 2), np.arange(1, len(trial.scene.y), 2)
    if len(even) <= _RANKED:
        return even, odd
    rare = trial.scene.y[even] == 1 if trial.yardstick.name == "AUC" else np.zeros(len(even), dtype=bool)
    if rare.mean() > 0.5:
        rare = ~rare
    ones = even[rare][: _RANKED // 2]
    rest = even[~rare]
    thinned = rest[:: max(1, len(rest) // (_RANKED - len(ones)))]
    return np.sort(np.concatenate((ones, thinned))), odd


def _drop_or_worst(trial: Trial, answer: Array | str, rows: Any) -> float:
    if isinstance(answer, str):
        return np.inf
    y = trial.scene.y[rows]
    return trial.yardstick.figure(y, trial.clean[rows]) - trial.yardstick.figure(y, answer)
