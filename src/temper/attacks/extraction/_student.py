"""The copy an outsider fits to answers: boosted trees on the victim's scores, or on its bare decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.target import ScoreKind
from temper.judges.agreement import on_line

Vector = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Student:
    """A fitted copy. `model` is None when every answer was the same, then `constant` is all it says.

    `bare`: fitted on 0 and 1, so its scores are probabilities; `edge` is the decision, on the scale it was fitted on.
    """

    model: Any
    kind: ScoreKind
    edge: float
    bare: bool
    constant: float = 0.0

    def scores(self, x: Array) -> Vector:
        """Flagged-class scores (n,), on the victim's scale (a probability of "flagged" when fitted on decisions)."""
        raw = self._raw(np.asarray(x, dtype=float))
        return raw if self.bare else from_line(raw, self.kind)

    def flags(self, x: Array) -> Vector:
        """The decisions (n,) of the copy at the victim's operating threshold."""
        return self.distance(x) >= 0.0

    def distance(self, x: Array) -> Vector:
        """Signed distance (n,) to the decision: what active sampling calls near."""
        raw = self._raw(np.asarray(x, dtype=float))
        return raw - self.edge

    def _raw(self, x: Vector) -> Vector:
        if self.model is None:
            return np.full(len(x), self.constant)
        return np.asarray(self.model.predict_proba(x)[:, 1] if self.bare else self.model.predict(x), dtype=float)


def fit_student(
    x: Array, answers: Vector, kind: ScoreKind, edge: float, *, bare: bool, categorical: Vector, seed: int
) -> Student:
    """A student on `answers` (n,): 0 and 1 when `bare`, else flagged-class scores; it flags from `edge` up."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    wanted = np.asarray(answers, dtype=float) if bare else on_line(answers, kind)
    if np.ptp(wanted) == 0.0:
        return Student(model=None, kind=kind, edge=edge, bare=bare, constant=float(wanted[0]))
    settings: dict[str, Any] = {
        "max_iter": 200,
        "learning_rate": 0.1,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 5,
        "l2_regularization": 1.0,
        "early_stopping": False,
        "categorical_features": categorical if categorical.any() else None,
        "random_state": seed,
    }
    model = HistGradientBoostingClassifier(**settings) if bare else HistGradientBoostingRegressor(**settings)
    model.fit(np.asarray(x, dtype=float), wanted.astype(int) if bare else wanted)
    return Student(model=model, kind=kind, edge=edge, bare=bare)


def from_line(value: Vector, kind: ScoreKind) -> Vector:
    """The inverse of `on_line`."""
    return value if kind is ScoreKind.MARGIN else np.asarray(1.0 / (1.0 + np.exp(-np.clip(value, -700.0, 700.0))))


def edge(threshold: float | None, kind: ScoreKind) -> float:
    """The operating threshold on the line."""
    if kind is ScoreKind.MARGIN:
        return threshold or 0.0
    return float(on_line(np.array([0.5 if threshold is None else threshold]), kind)[0])
