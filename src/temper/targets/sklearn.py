"""A fitted scikit-learn estimator or pipeline as a target."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from temper.core.data import Array, Data
from temper.core.errors import ContractError, Unsupported
from temper.core.schema import Schema
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.core.trees import TreeEnsemble
from temper.kernels.dense import Dense
from temper.targets import _dense_sklearn, _digest, _estimator, _trees_sklearn
from temper.targets._score import one_hot, shaped
from temper.targets._trees_build import TREELESS
from temper.targets.frame import Coding, agree, coding, to_frame

_BOTH = Access.LABELS | Access.SCORES


@dataclass(frozen=True, kw_only=True, eq=False)
class Sklearn:
    """An estimator that was fitted on a matrix or, with a schema, on a data frame.

    Scores are `predict_proba` where there is one, else `decision_function` (MARGIN for two classes, LOGITS for more),
    else the one-hot decisions of `predict` with LABELS access only; regressors give VALUE. `schema` decodes the matrix
    into the frame the estimator was fitted on.

    >>> from sklearn.dummy import DummyClassifier
    >>> model = DummyClassifier(strategy="prior").fit(np.zeros((4, 1)), [0, 0, 0, 1])
    >>> Sklearn(model=model, method="predict_proba").scores(np.zeros((1, 1)))
    array([[0.75, 0.25]])
    """

    model: Any
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False
    schema: Schema | None = None
    method: str = "predict_proba"

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "sklearn"

    @cached_property
    def access(self) -> Access:
        """Labels and refits always, scores where the estimator has any, trees where it is made of them."""
        if self.method == "predict" and self.kind is not ScoreKind.VALUE:
            return Access.LABELS | Access.RETRAIN
        trees = _trees_sklearn.readable(self.model, self.kind, self.method)
        return _BOTH | Access.RETRAIN | (Access.TREES if trees else Access.NONE)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the estimator's content."""
        return _digest.of_object(self.model)

    def scores(self, x: Array) -> Array:
        """Scores (n, classes) or (n, 1)."""
        raw = getattr(self.model, self.method)(self._input(x))
        if self.method == "predict" and self.kind is not ScoreKind.VALUE:
            return one_hot(np.searchsorted(self.model.classes_, raw), self.classes)
        return shaped(raw, self.kind, self.classes, len(x), type(self.model).__name__)

    def gradient(self, x: Array, cotangent: object) -> tuple[Array, Array]:
        """Estimators have no gradients."""
        raise Unsupported("scikit-learn estimators have no gradients", fix="use an attack that needs scores or labels")

    def trees(self) -> TreeEnsemble:
        """The model as arrays, read once per process."""
        if Access.TREES not in self.access:
            raise Unsupported(f"{type(self.model).__name__} is no tree model that can be read", fix=TREELESS)
        return self._trees

    def dense(self, rows: Array) -> Dense | None:
        """The model as a few products over the Schema's columns, asked for around real `rows`; None for a model that
        does not come down to that. Whoever uses it holds it against `scores` first.
        """
        if self.classes > 2 or not _dense_sklearn.readable(self.model, self.kind, self.method):
            return None
        columns = self.schema.columns if self.schema else ()
        codes = {at: len(c.categories) or 2 for at, c in enumerate(columns) if c.type in ("category", "boolean")}
        return _dense_sklearn.dense(self.model, self.kind, self._input, codes, np.asarray(rows, dtype=np.float64))

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """The same estimator with its parameters, single threaded and seeded, fitted on `data`."""
        fresh = _estimator.fresh(self.model, recipe, np.asarray(data.x).shape[1])
        y = _estimator.truth(data, self.kind, self.classes, type(self.model).__name__)
        fresh.fit(self._input(data.x), y)
        return Sklearn(
            model=fresh,
            kind=self.kind,
            classes=self.classes,
            stochastic=self.stochastic,
            schema=self.schema,
            method=self.method,
        )

    def _input(self, x: Array) -> Any:
        names = self._names
        if names is None:
            return self._coding.apply(np.asarray(x, dtype=np.float64))
        if self.schema is not None and self.schema.columns and not self._floats:
            return to_frame(x, self.schema, self._forms)
        import pandas as pd

        return pd.DataFrame(np.asarray(x, dtype=np.float64), columns=list(names))

    @cached_property
    def _trees(self) -> TreeEnsemble:
        columns = self.schema.columns if self.schema else ()
        levels = {at: len(c.categories) for at, c in enumerate(columns) if c.type == "category"}
        return _trees_sklearn.ensemble(self.model, self.kind, self._input, levels)

    @cached_property
    def _names(self) -> tuple[str, ...] | None:
        return _estimator.names(self.model)

    @cached_property
    def _forms(self) -> dict[str, str]:
        return _estimator.forms(self.model, self.schema) if self.schema else {}

    @cached_property
    def _floats(self) -> bool:
        return self.schema is None or _estimator.takes_floats(self.model, self.schema)

    @cached_property
    def _coding(self) -> Coding:
        return coding(self.schema)


def open_sklearn(
    model: Any, schema: Schema | None, kind: ScoreKind | None, classes: int | None, stochastic: bool
) -> Sklearn:
    """The adapter of a fitted estimator; a `ContractError` says what is missing."""
    title = type(model).__name__
    if not hasattr(model, "predict"):
        raise ContractError(f"{title} has no predict", fix="give the whole fitted pipeline, ending in the model")
    _refuse_unfitted(model)
    agree(_estimator.names(model), getattr(model, "n_features_in_", None), schema, title)
    found, method, count = _how(model, kind)
    if classes is not None and classes != count:
        raise ContractError(f"{title} was fitted on {count} classes, not {classes}", fix=f"leave out classes={classes}")
    return Sklearn(model=model, kind=found, classes=count, stochastic=stochastic, schema=schema, method=method)


def _refuse_unfitted(model: Any) -> None:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(model)
    except NotFittedError:
        raise ContractError(f"{type(model).__name__} is not fitted", fix="call fit before opening it") from None
    except TypeError:  # an estimator without scikit-learn's base class: its first answer will tell
        return


def _how(model: Any, kind: ScoreKind | None) -> tuple[ScoreKind, str, int]:
    """(kind, method, classes) by what the estimator offers and what the user declared."""
    from sklearn.base import is_outlier_detector, is_regressor

    title = type(model).__name__
    if is_outlier_detector(model):
        raise ContractError(
            f"{title} finds outliers and has no classes",
            fix="open lambda x: -model.decision_function(x) with kind=ScoreKind.MARGIN",
        )
    if is_regressor(model) or kind is ScoreKind.VALUE:
        return ScoreKind.VALUE, "predict", 1
    if not hasattr(model, "classes_"):
        raise ContractError(f"{title} is neither a classifier nor a regressor", fix="open a callable around it")
    if isinstance(model.classes_, list):
        raise ContractError(
            f"{title} has {len(model.classes_)} outputs", fix="open a callable that returns one of them"
        )
    count = len(model.classes_)
    offered = _offered(model, count)
    wanted = next(iter(offered)) if kind is None else kind
    if wanted not in offered:
        raise ContractError(
            f"{title} has no scores of kind {wanted.value}",
            fix=f"declare {' or '.join(k.value for k in offered)}, or leave kind out",
        )
    return wanted, offered[wanted], count


def _offered(model: Any, count: int) -> dict[ScoreKind, str]:
    """Score kinds and the method that gives each, best first."""
    offered = {ScoreKind.PROBABILITIES: "predict_proba"} if hasattr(model, "predict_proba") else {}
    one_against_one = getattr(model, "decision_function_shape", "") == "ovo" and count > 2
    if hasattr(model, "decision_function") and not one_against_one:
        offered[ScoreKind.MARGIN if count == 2 else ScoreKind.LOGITS] = "decision_function"
    return offered or {ScoreKind.PROBABILITIES: "predict"}
