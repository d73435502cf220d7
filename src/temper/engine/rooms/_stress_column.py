"""The one column whose stress alone costs most: chosen on one half of the rows, measured on the other."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.measure import Measurement
from temper.engine.rooms._stress_figures import fallen, worst
from temper.engine.rooms._stress_trial import Trial, ask
from temper.stress._choice import SEVERITIES, features

_RANKED = 2_000  # rows on which columns are compared


def worst_column(trial: Trial) -> tuple[tuple[Measurement, ...], int]:
    """The column whose stress alone costs most: chosen on one half of the rows, measured on the other."""
    names = single(trial)
    y, (chosen, kept) = trial.scene.y, halves(trial)
    if not names or any(trial.yardstick.lack(y[rows]) for rows in (chosen, kept)):
        return (), 0
    values = fallen(trial, chosen, ask(trial.target, (_alone(trial, name, chosen) for name in names)))
    order = np.argsort(values)[::-1]
    found = names[order[0]]
    answer = next(ask(trial.target, iter([_alone(trial, found, kept)])))
    measured = worst(
        trial,
        "worst_column_loss",
        answer,
        kept,
        slice=f"column:{found}",
        baseline=tuple((names[i], float(values[i])) for i in order[1:5]),
        caveats=(f"severity {SEVERITIES[-1]}; worst of {len(names)} on {len(chosen):,} other rows",),
    )
    return (measured,), len(chosen) * len(names) + len(kept)


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
