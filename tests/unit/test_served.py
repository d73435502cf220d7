"""A model served says what the target says, whoever computes it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

import temper
from temper.core.errors import ContractError
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


def test_what_is_no_tree_answers_itself() -> None:
    target = temper.target(LogisticRegression().fit(X, Y))
    found = served(target, X, 0.5)
    assert found.engine == "sklearn"
    assert not found.inline
    np.testing.assert_array_equal(found.score(X), np.asarray(target.scores(X))[:, 1])


def test_a_regression_gives_its_value() -> None:
    target = temper.target(LinearRegression().fit(X, X[:, 2]))
    np.testing.assert_allclose(served(target, X).score(X), X[:, 2], atol=1e-9)


def test_trees_that_say_something_else_than_the_target_are_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    target = temper.target(_models()[0])
    from temper.targets import served as module

    walk = module._walk
    monkeypatch.setattr(module, "_walk", lambda trees, kind: lambda rows: walk(trees, kind)(rows) + 1e-3)
    assert served(target, X, 0.5).engine == "xgboost"


def test_more_than_two_classes_are_refused_with_a_way_out() -> None:
    model = RandomForestClassifier(n_estimators=5, random_state=0).fit(X, RNG.integers(3, size=400))
    with pytest.raises(ContractError, match="3 classes"):
        served(temper.target(model), X)
