"""scikit-learn's linear models and small nets as arrays, what stands before them folded into the first layer.

What comes before the model is not read but asked: it is made of parts that treat each column by itself, numbers by a
scale and codes by a table, so that a row and its neighbours in every column say all there is to know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.target import ScoreKind
from temper.kernels.dense import HIDDEN, Dense

Array = np.ndarray[Any, Any]
_LINES = (
    *("LogisticRegression", "LogisticRegressionCV", "SGDClassifier", "RidgeClassifier", "RidgeClassifierCV"),
    *("LinearSVC", "Perceptron", "LinearDiscriminantAnalysis", "LinearRegression", "Ridge", "RidgeCV", "Lasso"),
    *("LassoCV", "ElasticNet", "ElasticNetCV", "LinearSVR", "SGDRegressor", "HuberRegressor", "BayesianRidge"),
)
_NETS = ("MLPClassifier", "MLPRegressor")
_SCALES = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")
_TABLES = ("OneHotEncoder", "OrdinalEncoder", "SimpleImputer")


def readable(model: Any, kind: ScoreKind, method: str) -> bool:
    """Whether it is a linear model or a net of one output, alone or behind scalers, encoders and plain imputers."""
    before, core = parts(model)
    title = type(core).__name__
    if not _home(core) or title not in _LINES + _NETS or not (before is None or _plain(before)):
        return False
    if title in _NETS:
        one = core.n_outputs_ == 1 and (method == "predict_proba" or kind is ScoreKind.VALUE)
        return bool(one and core.activation in HIDDEN and core.out_activation_ in ("identity", "logistic"))
    return bool(np.asarray(core.coef_).size == core.n_features_in_ and np.asarray(core.intercept_).size == 1)


def parts(model: Any) -> tuple[Any, Any]:
    """(what stands before the model, None for nothing; the model)."""
    model = getattr(model, "best_estimator_", model)
    if type(model).__name__ != "Pipeline":
        return None, model
    return (model[:-1] if len(model.steps) > 1 else None), model.steps[-1][1]


def dense(model: Any, kind: ScoreKind, shown: Callable[[Array], Any], codes: dict[int, int], rows: Array) -> Dense:
    """The model over the Schema's columns. `shown` gives the rows (n, d) as the model takes them, `codes` is the number
    of codes of each column that has any, and `rows` are real ones, from which it is asked.
    """
    before, core = parts(model)
    weights, bias, layers, hidden = _core(core)

    def fed(x: Array) -> Array:
        """What the first layer makes of these rows, NaN where the model refuses one."""
        given = shown(x) if before is None else before.transform(shown(x))
        return np.asarray(given.toarray() if hasattr(given, "toarray") else given, dtype=float) @ weights + bias

    first = _asked(fed, codes, rows)
    links = kind is ScoreKind.PROBABILITIES
    return Dense(**first, layers=layers, hidden=hidden, sigmoid=links)


def _core(core: Any) -> tuple[Array, Array, tuple[tuple[Array, Array], ...], str]:
    """(first weights (m, h), their bias, the layers behind, what lies between)."""
    if type(core).__name__ in _NETS:
        coefs = [np.ascontiguousarray(one, dtype=float) for one in core.coefs_]
        biases = [np.asarray(one, dtype=float) for one in core.intercepts_]
        return coefs[0], biases[0], tuple(zip(coefs[1:], biases[1:], strict=True)), str(core.activation)
    coef = np.asarray(core.coef_, dtype=float).reshape((-1, 1))
    return coef, np.asarray(core.intercept_, dtype=float).reshape(1), (), "identity"


def _asked(fed: Callable[[Array], Array], codes: dict[int, int], rows: Array) -> dict[str, Array]:
    """The first layer of the Schema's columns, from what becomes of one row and of its neighbours."""
    whole = rows[np.isfinite(rows).all(axis=1)]
    base = whole[0] if len(whole) else np.zeros(rows.shape[1])
    middle = fed(base[None])[0]
    made = _First(fed, base, middle, len(base))
    for at in range(len(base)):
        if at in codes:
            made.codes(at, codes[at])
        else:
            made.number(at, whole[:, at] if len(whole) else np.zeros(1))
    table = np.concatenate(made.table) if made.table else np.zeros((0, len(middle)))
    return {
        "weights": made.weights,
        "gaps": made.gaps,
        "starts": made.starts,
        "counts": made.counts,
        "table": table,
        "bias": middle - made.taken,
    }


@dataclass(slots=True, eq=False, init=False)
class _First:
    """The first layer while it is being asked for, column by column."""

    weights: Array
    gaps: Array
    starts: Array
    counts: Array
    taken: Array
    table: list[Array]
    _fed: Callable[[Array], Array]
    _base: Array
    _middle: Array

    def __init__(self, fed: Callable[[Array], Array], base: Array, middle: Array, columns: int) -> None:
        self._fed, self._base, self._middle = fed, base, middle
        self.weights, self.gaps = np.zeros((columns, len(middle))), np.zeros((columns, len(middle)))
        self.starts, self.counts = np.full(columns, -1), np.zeros(columns, dtype=np.int64)
        self.taken, self.table = np.zeros(len(middle)), []

    def number(self, at: int, values: Array) -> None:
        """Its slope, over the range it has in real rows."""
        low, high = float(values.min()), float(values.max())
        high = high if high > low else low + 1.0
        ends = self._moved(at, np.array([low, high]))
        own = (ends[1] - ends[0]) / (high - low)
        self.weights[at] = own
        self.taken += self._base[at] * own
        self.gaps[at] = self._moved(at, np.array([np.nan]))[0] - self._middle + self._base[at] * own

    def codes(self, at: int, many: int) -> None:
        """What each code counts beside that of the row it is asked from."""
        told = self._moved(at, np.array([*range(many), np.nan])) - self._middle
        self.starts[at], self.counts[at] = sum(map(len, self.table)), many
        self.table.append(told[:many])
        self.gaps[at] = told[many]

    def _moved(self, at: int, values: Array) -> Array:
        """What becomes of the row with these values in one column; NaN where the model takes no such value."""
        x = np.repeat(self._base[None], len(values), axis=0)
        x[:, at] = values
        try:
            return self._fed(x)
        except ValueError:
            if len(values) == 1:
                return np.full((1, len(self._middle)), np.nan)
        return np.concatenate([self._moved(at, values[one : one + 1]) for one in range(len(values))])


def _plain(step: Any) -> bool:
    """Whether a part treats every column by itself: numbers by a scale that does not bend, codes by a table."""
    if isinstance(step, str) or step is None:
        return step in (None, "passthrough", "drop")
    title = type(step).__name__
    if not _home(step):
        return False
    if title == "Pipeline":
        return all(_plain(one) for _, one in step.steps)
    if title == "ColumnTransformer":
        return all(_plain(one) for _, one, _ in step.transformers_)
    if title == "FunctionTransformer":  # what a passed-through column becomes
        return step.func is None
    return (title in _SCALES and not getattr(step, "clip", False)) or title in _TABLES


def _home(part: Any) -> bool:
    return bool(type(part).__module__.startswith("sklearn."))
