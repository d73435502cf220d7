"""The copy of a model of several classes: one student for all of them, on shares or on bare decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Array

Vector = np.ndarray[Any, Any]

_FEWEST, _CLEARLY, _END = 60, 0.9, 1e-4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Several:
    """A fitted copy; `model` is None when every answer was `constant` (k,). `bare`: fitted on decisions."""

    model: Any
    constant: Vector
    bare: bool

    def scores(self, x: Array) -> Vector:
        """Shares of the classes (n, k)."""
        flat = np.asarray(x, dtype=float).reshape((len(x), -1))
        if self.model is None:
            return np.tile(self.constant, (len(flat), 1))
        return shares_of(self.model, flat, len(self.constant), bare=self.bare)

    def flags(self, x: Array) -> Vector:
        """The class numbers (n,) it decides for."""
        return np.asarray(self.scores(x).argmax(axis=1))

    def distance(self, x: Array) -> Vector:
        """How far (n,) the second class is behind the first: what active sampling calls near."""
        ordered = np.sort(self.scores(x), axis=1)
        return np.asarray(ordered[:, -1] - ordered[:, -2])


def fit_several(x: Array, answers: Vector, *, bare: bool, categorical: Vector, seed: int) -> Several:
    """A student on shares (n, k), certain ones when `bare`: a network, or what does clearly better on the fifth it was
    not taught.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    flat = np.asarray(x, dtype=float).reshape((len(x), -1))
    if np.ptp(answers, axis=0).max() == 0.0:
        return Several(model=None, constant=answers[0], bare=bare)
    wanted = answers.argmax(axis=1) if bare else lines(answers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a student that needs longer loses on its own account
        model = _best(_students(categorical, seed, bare=bare), flat, wanted, answers, bare=bare).fit(flat, wanted)
    return Several(model=model, constant=answers.mean(axis=0), bare=bare)


def lines(shares: Vector) -> Vector:
    """Centred logarithms (n, k) of shares, cut near nought.

    >>> lines(np.array([[0.5, 0.5]]))
    array([[0., 0.]])
    """
    logs = np.log(np.clip(shares, _END, 1.0))
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


def shares_of(model: Any, x: Vector, classes: int, *, bare: bool) -> Vector:
    """What a fitted student says, as shares (n, k)."""
    if bare:
        shares = np.zeros((len(x), classes))
        shares[:, model.classes_] = model.predict_proba(x)
        return shares
    said = model.predict(x)
    raised = np.exp(said - said.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _students(categorical: Vector, seed: int, *, bare: bool) -> list[Any]:
    """Unfitted models on matrices whose categories are codes."""
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    net: dict[str, Any] = {
        "hidden_layer_sizes": (128,),
        "learning_rate_init": 3e-3,
        "max_iter": 100,
        "random_state": seed,
    }
    trees: dict[str, Any] = {"n_estimators": 100, "random_state": seed, "n_jobs": 1}
    models: list[Any] = [MLPRegressor(**net), ExtraTreesRegressor(**trees), Ridge(alpha=1.0)]
    if bare:
        models = [MLPClassifier(**net), ExtraTreesClassifier(**trees), LogisticRegression(max_iter=300)]
    return [spread(model, categorical) for model in models]


def spread(model: Any, categorical: Vector) -> Any:
    """The model behind numbers without gaps on one scale, and a column per category."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    levels = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = ColumnTransformer([("levels", levels, np.flatnonzero(categorical))], remainder=numbers)
    return make_pipeline(columns, model)


def _best(students: list[Any], x: Vector, wanted: Vector, answers: Vector, *, bare: bool) -> Any:
    """The network, unless another is clearly better on the fifth of the answers it was not taught."""
    from sklearn.base import clone

    kept = np.arange(len(x)) % 5 == 4
    if kept.sum() < _FEWEST or len(np.unique(answers[~kept].argmax(axis=1))) < 2:
        return students[0]
    missed = []
    for student in students:
        said = shares_of(clone(student).fit(x[~kept], wanted[~kept]), x[kept], answers.shape[1], bare=bare)
        missed.append(float(np.mean((said - answers[kept]) ** 2)))
    best = int(np.argmin(missed))
    return students[best if missed[best] < _CLEARLY * missed[0] else 0]
