"""The copy an outsider fits to answers: trees, a line or a small network, on the victim's scores or bare decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.attacks.extraction._several import spread
from temper.core.data import Array
from temper.core.target import ScoreKind
from temper.judges.agreement import on_line

Vector = np.ndarray[Any, Any]

_FEWEST, _CLEARLY, _MANY = 60, 0.9, 3_000
_BATCHES = (50, 200)


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
        if self.model is None or not len(x):
            return np.full(len(x), self.constant)
        x = x.reshape((len(x), -1))
        return np.asarray(self.model.predict_proba(x)[:, 1] if self.bare else self.model.predict(x), dtype=float)


def fit_student(
    x: Array,
    answers: Vector,
    kind: ScoreKind,
    edge: float,
    *,
    bare: bool,
    categorical: Vector,
    seed: int,
    compared: bool = True,
) -> Student:
    """A student on `answers` (n,): 0 and 1 when `bare`, else flagged-class scores; it flags from `edge` up.

    Trees, a linear model and a small network are taught four fifths of the answers; where one of the others does
    clearly better on the rest than trees, it is taught all of them, the network a larger one and for longer. Nothing is
    `compared`, and trees it is, where copies are made again and again: that takes a quarter of the time.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    wanted = np.asarray(answers, dtype=float) if bare else on_line(answers, kind)
    if np.ptp(wanted) == 0.0:
        return Student(model=None, kind=kind, edge=edge, bare=bare, constant=float(wanted[0]))
    x = np.asarray(x, dtype=float).reshape((len(x), -1))
    wanted = wanted.astype(int) if bare else wanted
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a student that needs longer loses on its own account
        students = _students(categorical, seed, bare=bare, n=len(x))
        model = (_best(students, x, wanted, bare=bare) if compared else students[0][1]).fit(x, wanted)
    return Student(model=model, kind=kind, edge=edge, bare=bare)


def _students(categorical: Vector, seed: int, *, bare: bool, n: int) -> list[tuple[Any, Any]]:
    """Unfitted models on matrices whose categories are codes, each as it is compared and as it is taught in earnest;
    what is missing stays missing for the trees alone. More than `_MANY` answers are worth more trees.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    many = n >= _MANY
    settings: dict[str, Any] = {
        "max_iter": 800 if many else 200,
        "learning_rate": 0.05 if many else 0.1,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 5,
        "l2_regularization": 1.0,
        "early_stopping": False,
        "categorical_features": categorical if categorical.any() else None,
        "random_state": seed,
    }
    trees = (HistGradientBoostingClassifier if bare else HistGradientBoostingRegressor)(**settings)
    line = spread(LogisticRegression(max_iter=500) if bare else Ridge(alpha=1e-3), categorical)
    net = MLPClassifier if bare else MLPRegressor
    tried, taught = (
        spread(net(random_state=seed, batch_size=min(n // 2, _BATCHES[many]), **how), categorical)
        for how in (
            {"hidden_layer_sizes": (128, 64) if many else (64,), "learning_rate_init": 3e-3, "max_iter": 60},
            # Steps too large for a network's last digits leave it biased where it decides, however many answers.
            {"hidden_layer_sizes": (128, 64), "max_iter": 120 if many else 200},
        )
    )
    return [(trees, trees), (line, line), (tried, taught)]


def _best(students: list[tuple[Any, Any]], x: Vector, wanted: Vector, *, bare: bool) -> Any:
    """Trees, unless another is clearly better on the fifth of the answers it was not taught."""
    from sklearn.base import clone

    kept = np.arange(len(x)) % 5 == 4
    taught = (x[~kept], wanted[~kept])
    if kept.sum() < _FEWEST or len(np.unique(taught[1])) < 2:
        return students[0][1]
    missed = [_missed(clone(student).fit(*taught), x[kept], wanted[kept], bare) for student, _ in students]
    best = int(np.argmin(missed))
    return students[best if missed[best] < _CLEARLY * missed[0] else 0][1]


def _missed(model: Any, x: Vector, wanted: Vector, bare: bool) -> float:
    """The mean error of scores, which few rows far out do not decide; of decisions the Brier score."""
    if bare:
        return float(np.mean((model.predict_proba(x)[:, 1] - wanted) ** 2))
    return float(np.mean(np.abs(model.predict(x) - wanted)))


def from_line(value: Vector, kind: ScoreKind) -> Vector:
    """The inverse of `on_line`."""
    return value if kind is ScoreKind.MARGIN else np.asarray(1.0 / (1.0 + np.exp(-np.clip(value, -700.0, 700.0))))


def edge(threshold: float | None, kind: ScoreKind) -> float:
    """The operating threshold on the line."""
    if kind is ScoreKind.MARGIN:
        return threshold or 0.0
    return float(on_line(np.array([0.5 if threshold is None else threshold]), kind)[0])
