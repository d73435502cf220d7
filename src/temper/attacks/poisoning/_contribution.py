"""What each column adds to a model's score, by the model's own library where it can say, else by shap."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Target
from temper.kernels.loss import flagged_score

Vector = np.ndarray[Any, Any]
_ROWS, _BACKGROUND = 40, 20


def contributions(target: Target, x: Vector, into: int, rng: Draws) -> tuple[Vector, str]:
    """Contributions (rows, columns) towards class `into` on a sample of `x`, and who computed them.

    `Unsupported` where neither the model's library nor `shap` can: nothing weaker takes their place.
    """
    rows = np.sort(rng.generator(7).permutation(len(x))[:2_000])
    if target.name == "xgboost" and Access.TREES in target.access:
        return _xgboost(target, x[rows], into), "XGBoost's own tree contributions"
    if target.name == "lightgbm" and Access.TREES in target.access:
        raw = target.booster.predict(target.codes.apply(x[rows]), pred_contrib=True)  # type: ignore[attr-defined]
        return _class(np.asarray(raw), x.shape[1], target.classes, into), "LightGBM's own tree contributions"
    return _permuted(target, x[rows[:_ROWS]], x, into, rng), "shap's permutation explainer"


def _xgboost(target: Any, x: Vector, into: int) -> Vector:
    import xgboost

    booster = target.booster
    matrix = xgboost.DMatrix(
        target.codes.apply(x).astype(np.float32),
        feature_names=booster.feature_names,
        feature_types=booster.feature_types,
    )
    raw = np.asarray(booster.predict(matrix, pred_contribs=True))
    return _class(raw.reshape(len(x), -1), x.shape[1], target.classes, into)


def _class(raw: Vector, width: int, classes: int, into: int) -> Vector:
    """The columns' part for one class; two classes share one score, which speaks for class 1."""
    parts = raw.reshape(len(raw), -1, width + 1)[:, :, :width]
    found: Vector = parts[:, into] if parts.shape[1] == classes else parts[:, 0] * (1.0 if into == 1 else -1.0)
    return found


def _permuted(target: Target, part: Vector, x: Vector, into: int, rng: Draws) -> Vector:
    shap = _shap(target)

    def ask(rows: Vector) -> Vector:
        scores = np.asarray(target.scores(rows))
        if target.classes > 2:
            return np.asarray(scores[:, into])
        return np.asarray(flagged_score(scores, target.kind) * (1.0 if into == 1 else -1.0))

    background = x[rng.generator(8).permutation(len(x))[:_BACKGROUND]]
    explainer = shap.PermutationExplainer(ask, background, seed=rng.integer(9))
    return np.asarray(explainer(part, max_evals=2 * x.shape[1] + 1, silent=True).values)


def _shap(target: Target) -> Any:
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it imports plots, whose library warns of its own future
            import shap
    except ImportError as absent:
        raise Unsupported(
            f"contributions of a {target.name} model need shap, which is not installed",
            fix="pip install 'temper[explain]'",
        ) from absent
    return shap
