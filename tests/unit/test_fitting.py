"""Several fits at a time give the models that one at a time gives."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.target import Recipe
from temper.engine import fitting
from temper.engine.fitting import fit_each, fit_of
from temper.targets import open_target

RECIPE = Recipe(seed=3)


def _rows(n: int = 400) -> Data:
    random = np.random.default_rng(0)
    x = random.normal(size=(n, 3))
    return Data(x=x, y=(x[:, 0] + random.normal(size=n) > 0).astype(np.int64))


def _target(kind: str) -> Any:
    model: Any = RandomForestClassifier(5, random_state=0)
    if kind == "net":
        model = make_pipeline(StandardScaler(), MLPClassifier((5,), max_iter=10, random_state=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return open_target(model.fit(_rows().x, _rows().y))


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cores, and nothing too small for processes of its own."""
    monkeypatch.setattr(fitting, "_WORTH", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.mark.slow
@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize("kind", ["forest", "net"])
def test_models_fitted_together_are_those_fitted_alone(kind: str) -> None:
    target, rows = _target(kind), _rows()
    subsets = [rows.take(np.arange(at, at + 200)) for at in (0, 100, 200)]
    together = fit_each(target, subsets, RECIPE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone = [fit_of(target)(subset, RECIPE) for subset in subsets]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.scores(rows.x), other.scores(rows.x))
    assert not np.array_equal(together[0].scores(rows.x), together[1].scores(rows.x))


@pytest.mark.usefixtures("apart")
def test_what_a_process_of_its_own_refuses_comes_back_as_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(subset: Data, recipe: Recipe) -> None:
        raise Unsupported(f"process {os.getpid()} has no rows", fix="give some")

    monkeypatch.setattr(fitting, "fit_of", lambda target: refuses)
    with pytest.raises(Unsupported, match=r"process \d+ has no rows") as told:
        fit_each(_target("net"), [_rows(), _rows()], RECIPE)
    assert str(os.getpid()) not in told.value.message
    assert told.value.fix == "give some"


def test_small_nets_stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "fit_of", lambda target: lambda subset, recipe: os.getpid())
    assert fit_each(_target("net"), [_rows(), _rows()], RECIPE) == 2 * [os.getpid()]  # type: ignore[comparison-overlap]
