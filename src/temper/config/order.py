"""Whether the model and the data mean the same class by 1: a silent swap would turn every figure around."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.data import Data
from temper.core.deadline import TooLate, within
from temper.core.errors import ConfigError
from temper.core.target import ScoreKind, Target
from temper.kernels.loss import flagged_score
from temper.kernels.ranking import auc

_FEWEST, _MOST = 30, 500
_PATIENCE = 60.0
_REVERSED = 0.3  # with 30 rows of each class, chance alone goes below this in less than one of 200 cases


def refuse_swapped(target: Target, data: Data, classes: tuple[str, ...]) -> None:
    """A `ConfigError` when the score of class 1 is clearly lower on rows of class 1 (two classes, local models)."""
    if len(classes) != 2 or target.kind is ScoreKind.VALUE or target.name == "http":
        return
    ones, zeros = (np.flatnonzero(data.y == each)[:_MOST] for each in (1, 0))
    if min(len(ones), len(zeros)) < _FEWEST:
        return
    sample = data.take(np.concatenate([ones, zeros]))
    score = _scores(target, sample)
    found = auc(sample.y, score) if score is not None else 1.0
    if found < _REVERSED:
        raise ConfigError(
            f"the model scores rows of {classes[1]!r} lower than rows of {classes[0]!r} (AUC {found:.2f}): "
            "its score 1 seems to mean the other class",
            fix=f"set data.positive to {classes[0]!r}, or fit the model on 0 and 1 with 1 for {classes[1]!r}",
        )


def _scores(target: Target, sample: Data) -> Any:
    """Scores of class 1, or None where the model cannot be asked: the contract of targets says why, and better."""
    try:
        score = np.asarray(flagged_score(within(_PATIENCE, lambda: target.scores(sample.x)), target.kind))
    except TooLate:
        raise ConfigError(
            f"the model did not answer {len(sample)} rows within {_PATIENCE:g} s",
            fix="call it on a few rows by hand; it must answer, and fast enough to be asked thousands of times",
        ) from None
    except (Exception, SystemExit):
        return None
    return score if score.shape == sample.y.shape and np.isfinite(score).all() else None
