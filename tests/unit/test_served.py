"""A model served says what the target says, whoever computes it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import LinearSVC

import temper
from temper.core.errors import ContractError
from temper.core.schema import Column, Schema
from temper.targets.served import served

RNG = np.random.default_rng(5)
X = RNG.normal(size=(400, 6))
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)


def _models() -> list[Any]:
    import lightgbm
    import xgboost

    return [
        xgboost.XGBClassifier(n_estimators=20, n_jobs=1).fit(X, Y),
        lightgbm.LGBMClassifier(n_estimators=20, n_jobs=1, verbose=-1).fit(X, Y),
        RandomForestClassifier(n_estimators=10, random_state=0).fit(X, Y),
    ]


@pytest.mark.parametrize("model", _models(), ids=lambda model: type(model).__name__)
def test_trees_are_walked_and_say_the_same_alone_and_together(model: Any) -> None:
    target = temper.target(model)
    found = served(target, X, 0.5)
    assert found.engine == "compiled trees"
    assert found.inline
    assert found.checked == 400
    assert found.difference < 1e-6
    real = np.asarray(target.scores(X))[:, 1]
    np.testing.assert_allclose(found.score(X), real, atol=1e-6)
    alone = np.concatenate([found.score(row[None]) for row in X])
    np.testing.assert_allclose(alone, found.score(X), atol=1e-12)


def test_what_is_neither_trees_nor_products_answers_itself() -> None:
    target = temper.target(KNeighborsClassifier().fit(X, Y))
    found = served(target, X, 0.5)
    assert found.engine == "sklearn"
    assert not found.inline
    np.testing.assert_array_equal(found.score(X), np.asarray(target.scores(X))[:, 1])


def _net(model: type = MLPClassifier, **options: Any) -> Any:
    return model(hidden_layer_sizes=(9, 5), max_iter=30, random_state=0, **options)


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(RobustScaler(), MinMaxScaler(), SGDClassifier(loss="log_loss", random_state=0)),
        LinearSVC(),
        RidgeClassifier(),
        *(make_pipeline(StandardScaler(), _net(activation=one)) for one in ("relu", "tanh", "logistic", "identity")),
    ],
    ids=str,
)
def test_linear_models_and_nets_are_products_and_say_the_same(model: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        target = temper.target(model.fit(X, Y))
    found = served(target, X, 0.5)
    assert (found.engine, found.inline) == ("matrix products", True)
    assert found.difference < 1e-9
    column = min(1, np.asarray(target.scores(X)).shape[1] - 1)
    far = np.concatenate([X, 50.0 * X, X - 1e4])
    np.testing.assert_allclose(found.score(far), np.asarray(target.scores(far))[:, column], atol=1e-9, rtol=1e-9)
    alone = np.concatenate([found.score(row[None]) for row in X])
    np.testing.assert_allclose(alone, found.score(X), atol=1e-12)


@pytest.mark.parametrize("core", [LogisticRegression(), _net()], ids=["line", "net"])
def test_tables_of_words_gaps_and_numbers_are_folded_in(core: Any) -> None:
    """Every code, also the one no row has, and what is missing counts what the pipeline makes of it."""
    frame = pd.DataFrame({"age": X[:, 0] * 10 + 40, "sum": np.where(X[:, 1] > 1, np.nan, X[:, 1] * 1e5 + 2e6),
                          "town": np.array(["a", "b", "c"])[(X[:, 2] > 0).astype(int) + (X[:, 3] > 1)]})  # fmt: skip
    before = ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "sum"]),
        ("words", OneHotEncoder(handle_unknown="ignore"), ["town"]),
    ])  # fmt: skip
    town = Column(name="town", type="category", categories=("a", "b", "c", "never seen"))
    schema = Schema(columns=(Column(name="age", type="number"), Column(name="sum", type="number"), town))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        target = temper.target(make_pipeline(before, core).fit(frame, Y), schema=schema)
    x = np.column_stack([frame["age"], frame["sum"], RNG.integers(3, size=len(frame))])
    found = served(target, x, 0.5)
    assert found.engine == "matrix products"
    x[:, 2] = np.arange(len(x)) % 4
    x[::5, 0] = np.nan
    np.testing.assert_allclose(found.score(x), np.asarray(target.scores(x))[:, 1], atol=1e-9)


@pytest.mark.parametrize("form", ["default", "pandas"])
def test_a_search_and_nested_parts_are_looked_through(form: str) -> None:
    """Rare words that share a column, a word left out, a column that says what was missing, a scaler for the rest."""
    words = np.array(["a", "b", "rare", "b"])[RNG.integers(4, size=400) * (RNG.random(400) < 0.5)]
    frame = pd.DataFrame({"gone": np.where(X[:, 0] > 1, np.nan, X[:, 0]), "word": words, "rest": X[:, 1] * 900 + 1e4})
    before = ColumnTransformer(
        [
            ("gone", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["gone"]),
            ("word", OneHotEncoder(min_frequency=60, drop="first", sparse_output=False), ["word"]),
        ],
        remainder=MinMaxScaler(),
    ).set_output(transform=form)
    model = GridSearchCV(make_pipeline(before, LogisticRegression()), {"logisticregression__C": [0.1, 1.0]}, cv=2)
    word = Column(name="word", type="category", categories=("a", "b", "rare"))
    schema = Schema(columns=(Column(name="gone", type="number"), word, Column(name="rest", type="number")))
    target = temper.target(model.fit(frame, Y), schema=schema)
    x = np.column_stack([frame["gone"], np.unique(words, return_inverse=True)[1], frame["rest"]])
    found = served(target, x, 0.5)
    assert found.engine == "matrix products"
    np.testing.assert_allclose(found.score(x), np.asarray(target.scores(x))[:, 1], atol=1e-9)


def test_what_the_model_refuses_has_no_score() -> None:
    found = served(temper.target(LogisticRegression().fit(X, Y)), X, 0.5)
    row = X[:1].copy()
    for wrong in (np.nan, np.inf, -np.inf):
        row[0, 2] = wrong
        assert np.isnan(found.score(row)).all()


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (MinMaxScaler(clip=True), "sklearn"),
        (QuantileTransformer(n_quantiles=50), "sklearn"),
        (PolynomialFeatures(2), "sklearn"),
        (FunctionTransformer(np.tanh), "sklearn"),
    ],
    ids=str,
)
def test_what_bends_is_not_taken_for_straight(before: Any, said: str) -> None:
    target = temper.target(make_pipeline(before, LogisticRegression()).fit(X, Y))
    assert served(target, X, 0.5).engine == said


def test_products_that_say_something_else_are_not_served_and_that_is_said() -> None:
    """An encoder that reads a number as words is no scale: asked at its ends it looks like one."""
    whole = np.column_stack([RNG.integers(5, size=400), X[:, 0]]).astype(float)
    before = ColumnTransformer([("words", OneHotEncoder(handle_unknown="ignore"), [0])], remainder="passthrough")
    target = temper.target(make_pipeline(before, LogisticRegression()).fit(whole, whole[:, 0] % 2))
    found = served(target, whole, 0.5)
    assert found.engine == "sklearn (matrix products decided otherwise)"
    np.testing.assert_array_equal(found.score(whole), np.asarray(target.scores(whole))[:, 1])


@pytest.mark.parametrize("model", [LinearRegression(), _net(MLPRegressor)], ids=str)
def test_a_regression_gives_its_value(model: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        target = temper.target(model.fit(X, X[:, 2]))
    found = served(target, X)
    assert found.engine == "matrix products"
    np.testing.assert_allclose(found.score(X), np.asarray(target.scores(X))[:, 0], atol=1e-9)


def test_trees_that_say_something_else_than_the_target_are_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    target = temper.target(_models()[0])
    from temper.targets import served as module

    walk = module._walk
    monkeypatch.setattr(module, "_walk", lambda trees, kind: lambda rows: walk(trees, kind)(rows) + 1e-3)
    assert served(target, X, 0.5).engine == "xgboost (compiled trees were off by 1e-03)"


def test_more_than_two_classes_are_refused_with_a_way_out() -> None:
    model = RandomForestClassifier(n_estimators=5, random_state=0).fit(X, RNG.integers(3, size=400))
    with pytest.raises(ContractError, match="3 classes"):
        served(temper.target(model), X)
