"""Labels that a model which never saw them contradicts: folds, out-of-fold answers, confident learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from temper.core.errors import Unsupported

Rows = np.ndarray[Any, Any]


def dealt(y: Rows, drawn: Rows, folds: int) -> Rows:
    """The fold (n,) of each row: every class is dealt out in the order of its random numbers `drawn` (n,).

    >>> dealt(np.array([0, 0, 0, 1, 1, 1]), np.array([0.3, 0.1, 0.2, 0.9, 0.8, 0.7]), 3)
    array([2, 0, 1, 2, 1, 0])
    """
    fold = np.empty(len(y), dtype=np.int64)
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        fold[rows[np.argsort(drawn[rows], kind="stable")]] = np.arange(len(rows)) % folds
    return fold


def out_of_fold(targets: Sequence[Any], x: Any, fold: Rows) -> Rows:
    """Scores (n, k) of each row by the target of its fold."""
    said: Rows | None = None
    for at, target in enumerate(targets):
        rows = np.flatnonzero(fold == at)
        if not len(rows):
            continue
        scores = np.asarray(target.scores(x[rows]), dtype=np.float64)
        said = np.empty((len(fold), scores.shape[1])) if said is None else said
        said[rows] = scores
    return np.empty((0, 0)) if said is None else said


def thresholds(y: Rows, probabilities: Rows) -> Rows:
    """Per class (k,) the mean probability of it among the rows that carry its label, by cleanlab."""
    return np.asarray(_cleanlab().get_confident_thresholds(y, probabilities), dtype=np.float64)


def contradicted(y: Rows, probabilities: Rows, limits: Rows) -> Rows:
    """The class (n,) that the model is confident of where it is another than the label, and -1 elsewhere.

    Confident of a class is a probability of at least its threshold in `limits` (k,); of several the likeliest counts.
    Source: Northcutt, Jiang & Chuang, "Confident learning: estimating uncertainty in dataset labels", 2021; by
    cleanlab.

    >>> p = np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.55, 0.45]])
    >>> contradicted(np.array([0, 0, 1, 1]), p, np.array([0.55, 0.675]))
    array([-1,  1, -1,  0])
    """
    joint = _cleanlab().compute_confident_joint
    _, rows = joint(y, probabilities, thresholds=limits, calibrate=False, return_indices_of_off_diagonals=True)
    said = np.full(len(y), -1)
    said[rows] = np.where(probabilities >= limits, probabilities, -1.0)[rows].argmax(axis=1)
    return said


def _cleanlab() -> Any:
    try:
        from cleanlab import count
    except ImportError as error:
        raise Unsupported("finding wrong labels takes cleanlab", fix="pip install 'temper-ml[labels]'") from error
    return count
