"""The bank's two models: one answers, one is on trial. Both learn from what the bank knows, never from the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from temper.core.seed import Draws

Array = np.ndarray[Any, Any]
_HONEST = 60_000
"""Payments taken for honest that a fit looks at; more of them teach little and take long. Their weight makes up for
those left out.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a model is made: trees of a depth, so many rounds at a rate."""

    depth: int
    rounds: int
    rate: float


RECIPES = {"deep": Recipe(depth=6, rounds=60, rate=0.3), "shallow": Recipe(depth=3, rounds=140, rate=0.15)}
"""The champion begins as the first and the challenger as the second; a contest may change that."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """A recipe that was fitted on the day `made`, and the scores (n,) it gives to rows."""

    recipe: str
    made: int
    scores: Callable[[Array], Array]


NONE = Model(recipe="none", made=0, scores=lambda rows: np.zeros(len(rows)))
"""Where nothing asks for a score."""


def library() -> str:
    """What the models are made with, as it is told aloud."""
    if find_spec("xgboost") is not None:
        return "XGBoost"
    return "scikit-learn's boosted trees, since XGBoost is not installed (pip install 'temper-ml[xgboost]')"


def fitted(recipe: str, x: Array, y: Array, draws: Draws, made: int) -> Model:
    """A model of rows (n, d) and what the bank takes for their labels (n,)."""
    honest = np.flatnonzero(y == 0)
    lot = draws.child("honest").uniform(honest, 10_000 + made)
    kept = np.sort(honest[np.argsort(lot, kind="stable")[:_HONEST]])
    at = np.sort(np.concatenate([np.flatnonzero(y == 1), kept]))
    weight = np.where(y[at] == 1, 1.0, len(honest) / max(len(kept), 1))
    return Model(recipe=recipe, made=made, scores=_scores(RECIPES[recipe], x[at], y[at], weight))


def _scores(recipe: Recipe, x: Array, y: Array, weight: Array) -> Callable[[Array], Array]:
    model: Any
    if find_spec("xgboost") is not None:
        from xgboost import XGBClassifier

        model = XGBClassifier(
            n_estimators=recipe.rounds,
            max_depth=recipe.depth,
            learning_rate=recipe.rate,
            tree_method="hist",
            n_jobs=1,
            random_state=0,
        )
    else:
        from sklearn.ensemble import HistGradientBoostingClassifier

        model = HistGradientBoostingClassifier(
            max_iter=recipe.rounds, max_depth=recipe.depth, learning_rate=recipe.rate, random_state=0
        )
    model.fit(x, y, sample_weight=weight)
    return lambda rows: np.asarray(model.predict_proba(rows)[:, 1], dtype=np.float64)
