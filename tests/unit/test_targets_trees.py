"""XGBoost, LightGBM and CatBoost targets answer as the libraries do, and fit again as they were fitted."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from temper.core.data import Data
from temper.core.errors import ContractError, Unsupported
from temper.core.schema import Column, Schema
from temper.core.target import Access, Recipe, ScoreKind
from temper.targets import open_target
from temper.targets.contract import check

xgboost = pytest.importorskip("xgboost")
lightgbm = pytest.importorskip("lightgbm")
catboost = pytest.importorskip("catboost")

RNG = np.random.default_rng(7)
X = RNG.normal(size=(300, 4))
Y = (X[:, 0] + 0.5 * X[:, 1] ** 2 + RNG.normal(scale=0.3, size=300) > 0.5).astype(int)
Y3 = np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.7])
SCHEMA = Schema(columns=tuple(Column(name=n) for n in "abcd"))
FRAME = pd.DataFrame(X, columns=list("abcd"))


def xgb(**more: Any) -> Any:
    return xgboost.XGBClassifier(n_estimators=8, max_depth=3, learning_rate=0.3, n_jobs=1, **more)


def lgb(**more: Any) -> Any:
    return lightgbm.LGBMClassifier(n_estimators=8, num_leaves=7, n_jobs=1, verbose=-1, **more)


def cat(**more: Any) -> Any:
    return catboost.CatBoostClassifier(
        iterations=8, depth=3, learning_rate=0.3, thread_count=1, verbose=0, allow_writing_files=False, **more
    )


def xgb_booster() -> Any:
    settings = {"objective": "binary:logistic", "max_depth": 3, "eta": 0.3, "lambda": 2.0, "nthread": 1}
    return xgboost.train(settings, xgboost.DMatrix(X, Y), num_boost_round=8)


def lgb_booster() -> Any:
    settings = {"objective": "binary", "num_leaves": 7, "lambda_l2": 2.0, "num_threads": 1, "verbosity": -1}
    return lightgbm.train(settings, lightgbm.Dataset(X, Y), num_boost_round=8)


MAKERS = {"xgb": xgb, "lgb": lgb, "cat": cat}


@pytest.fixture(params=[*MAKERS, "xgb_booster", "lgb_booster"], scope="module")
def fitted(request: pytest.FixtureRequest) -> Any:
    if request.param in MAKERS:
        return MAKERS[request.param]().fit(X, Y)
    return {"xgb_booster": xgb_booster, "lgb_booster": lgb_booster}[request.param]()


def own_scores(model: Any, x: Any) -> Any:
    if isinstance(model, xgboost.Booster):
        p = model.predict(xgboost.DMatrix(x))
    elif isinstance(model, lightgbm.Booster):
        p = model.predict(x)
    elif isinstance(model, lightgbm.LGBMClassifier):
        p = model.booster_.predict(x)
    else:
        return model.predict_proba(x)
    return np.column_stack([1 - p, p])


def test_scores_are_the_library_s_own_probabilities(fitted: Any) -> None:
    target = open_target(fitted)
    assert target.kind is ScoreKind.PROBABILITIES
    assert target.classes == 2
    assert target.access == Access.LABELS | Access.SCORES | Access.RETRAIN | Access.TREES
    np.testing.assert_allclose(target.scores(X), own_scores(fitted, X), atol=1e-6)
    check(target, X, SCHEMA)


def test_missing_values_reach_the_model_as_missing(fitted: Any) -> None:
    x = X[:20].copy()
    x[::2, 0] = np.nan
    np.testing.assert_allclose(open_target(fitted).scores(x), own_scores(fitted, x), atol=1e-6)


def test_a_target_survives_the_way_to_a_worker(fitted: Any) -> None:
    target = open_target(fitted)
    copy = pickle.loads(pickle.dumps(target))
    assert copy.digest == target.digest == open_target(pickle.loads(pickle.dumps(fitted))).digest
    assert len(target.digest) == 64
    np.testing.assert_array_equal(copy.scores(X), target.scores(X))


def test_another_model_has_another_digest(fitted: Any) -> None:
    target = open_target(fitted)
    other = target.refit(Data(x=X[:250], y=Y[:250]), Recipe())
    assert other.digest != target.digest


def test_a_refit_on_the_same_rows_repeats_the_model(fitted: Any) -> None:
    """CatBoost draws by its seed, the others draw nothing here: the parameters must have been kept."""
    target = open_target(fitted)
    again = target.refit(Data(x=X, y=Y), Recipe())
    assert again.access == target.access
    np.testing.assert_allclose(again.scores(X), target.scores(X), atol=2e-2 if target.name == "catboost" else 1e-6)


def test_refits_with_one_seed_are_equal(fitted: Any) -> None:
    target = open_target(fitted)
    one, two = (target.refit(Data(x=X, y=Y), Recipe(seed=3, regularise=0.5)) for _ in range(2))
    np.testing.assert_array_equal(one.scores(X), two.scores(X))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_monotone_refit_is_monotone_in_that_column(fitted: Any, sign: int) -> None:
    """Column 1 enters squared, so an unconstrained fit goes both ways."""
    target = open_target(fitted)
    line = np.repeat(X[:40], 25, axis=0)
    line[:, 1] = np.tile(np.linspace(-3, 3, 25), 40)

    def steps(model: Any) -> Any:
        return np.diff(model.scores(line)[:, 1].reshape(40, 25), axis=1) * sign

    assert steps(target).min() < -1e-3
    assert steps(target.refit(Data(x=X, y=Y), Recipe(monotone=(0, sign, 0, 0)))).min() >= -1e-9


def test_regularising_brings_the_fit_closer_to_the_base_rate(fitted: Any) -> None:
    target = open_target(fitted)
    spread = [target.refit(Data(x=X, y=Y), Recipe(regularise=r)).scores(X)[:, 1].std() for r in (0.0, 0.5, 1.0)]
    assert spread[0] > spread[1] > spread[2]


def test_the_library_s_own_parameters_can_be_changed(fitted: Any) -> None:
    target = open_target(fitted)
    one = target.refit(
        Data(x=X, y=Y), Recipe(changes=(("n_estimators", 1),) if target.name != "catboost" else (("iterations", 1),))
    )
    assert len(np.unique(one.scores(X)[:, 1])) <= 8


def test_a_refit_without_one_class_is_refused(fitted: Any) -> None:
    with pytest.raises(Unsupported, match="no row of class 1"):
        open_target(fitted).refit(Data(x=X, y=np.zeros(300, int)), Recipe())


def test_trees_have_no_gradient(fitted: Any) -> None:
    with pytest.raises(Unsupported, match="no gradients"):
        open_target(fitted).gradient(X, lambda s: s)


@pytest.mark.parametrize("name", MAKERS)
def test_several_classes_give_a_column_each(name: str) -> None:
    model = MAKERS[name]().fit(X, Y3)
    target = open_target(model)
    assert target.classes == 3
    np.testing.assert_allclose(target.scores(X), np.asarray(model.predict_proba(X)), atol=1e-6)
    again = target.refit(Data(x=X, y=Y3), Recipe())
    assert again.scores(X).shape == (300, 3)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("name", MAKERS)
def test_columns_that_differ_from_the_schema_are_named(name: str) -> None:
    model = MAKERS[name]().fit(FRAME, Y)
    open_target(model, schema=SCHEMA)
    other = Schema(columns=tuple(Column(name=n) for n in ("a", "b", "c", "e")))
    with pytest.raises(ContractError, match="the schema lacks 'd'; the model does not know 'e'"):
        open_target(model, schema=other)
    with pytest.raises(ContractError, match="another order"):
        open_target(model, schema=Schema(columns=SCHEMA.columns[::-1]))
    with pytest.raises(ContractError, match="fitted on 4 columns"):
        open_target(MAKERS[name]().fit(X, Y), schema=Schema(columns=SCHEMA.columns[:3]))


@pytest.mark.parametrize("name", MAKERS)
def test_an_unfitted_model_is_refused(name: str) -> None:
    with pytest.raises(ContractError, match="not fitted"):
        open_target(MAKERS[name]())


def test_regressors_give_values() -> None:
    truth = X[:, 0] * 3
    models = [
        xgboost.XGBRegressor(n_estimators=5, n_jobs=1).fit(X, truth),
        lightgbm.LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1).fit(X, truth),
        catboost.CatBoostRegressor(iterations=5, verbose=0, thread_count=1, allow_writing_files=False).fit(X, truth),
    ]
    for model in models:
        target = open_target(model)
        own = model.booster_.predict(X) if hasattr(model, "booster_") else model.predict(X)
        assert (target.kind, target.classes) == (ScoreKind.VALUE, 1)
        np.testing.assert_allclose(target.scores(X)[:, 0], own, rtol=1e-5)
        assert target.refit(Data(x=X, y=truth), Recipe(regularise=0.3)).scores(X).shape == (300, 1)


def test_margins_are_given_where_declared() -> None:
    model = xgb().fit(X, Y)
    target = open_target(model, kind=ScoreKind.MARGIN)
    np.testing.assert_allclose(target.scores(X)[:, 0], model.predict(X, output_margin=True), rtol=1e-5)
    with pytest.raises(ContractError, match="no value"):
        open_target(model, kind=ScoreKind.VALUE)


def test_the_linear_booster_is_answered_and_not_constrained() -> None:
    model = xgboost.XGBClassifier(n_estimators=5, booster="gblinear", n_jobs=1).fit(X, Y)
    target = open_target(model)
    np.testing.assert_allclose(target.scores(X), model.predict_proba(X), atol=1e-6)
    with pytest.raises(Unsupported, match="linear booster"):
        target.refit(Data(x=X, y=Y), Recipe(monotone=(1, 0, 0, 0)))


def test_the_rounds_chosen_by_early_stopping_are_used_and_kept() -> None:
    model = xgboost.XGBClassifier(n_estimators=60, max_depth=4, n_jobs=1, early_stopping_rounds=2)
    model.fit(X[:200], Y[:200], eval_set=[(X[200:], Y[200:])], verbose=False)
    assert model.best_iteration < 50
    target = open_target(model)
    np.testing.assert_allclose(target.scores(X), model.predict_proba(X), atol=1e-6)
    again: Any = target.refit(Data(x=X, y=Y), Recipe())
    assert again.booster.num_boosted_rounds() == model.best_iteration + 1


@pytest.mark.parametrize("ending", ["json", "ubj"])
def test_xgboost_files_are_opened_by_path(tmp_path: Path, ending: str) -> None:
    booster = xgb_booster()
    booster.save_model(tmp_path / f"m.{ending}")
    target = open_target(tmp_path / f"m.{ending}")
    np.testing.assert_allclose(target.scores(X), own_scores(booster, X), atol=1e-6)
    again: Any = target.refit(Data(x=X, y=Y), Recipe())  # a file forgets eta, but not rounds and depth
    assert again.booster.num_boosted_rounds() == 8
    assert max(line.count("\t") for tree in again.booster.get_dump() for line in tree.splitlines()) == 3


def test_lightgbm_and_catboost_files_are_opened_by_path(tmp_path: Path) -> None:
    lgb_booster().save_model(tmp_path / "m.txt")
    cat().fit(X, Y).save_model(str(tmp_path / "m.cbm"))
    for name in ("m.txt", "m.cbm"):
        target = open_target(str(tmp_path / name))
        check(target, X, SCHEMA)
        again = target.refit(Data(x=X, y=Y), Recipe())
        np.testing.assert_allclose(again.scores(X), target.scores(X), atol=3e-2)


def test_a_damaged_model_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text("{")
    with pytest.raises(ContractError, match="cannot be read as a model"):
        open_target(tmp_path / "m.json")
    with pytest.raises(ContractError, match="does not exist"):
        open_target(tmp_path / "none.json")
    (tmp_path / "m.bin").write_text("{")
    with pytest.raises(ContractError, match="ending"):
        open_target(tmp_path / "m.bin")


# -- categories ---------------------------------------------------------------------------------------------------

NAMES = np.array(["red", "green", "blue"])
COLOUR = RNG.integers(0, 3, 300)
MIXED = Schema(columns=(Column(name="size"), Column(name="colour", type="category", categories=tuple(NAMES))))
CODES = np.column_stack([X[:, 0], COLOUR]).astype(float)
SHADES = pd.DataFrame({"size": X[:, 0], "colour": pd.Categorical(NAMES[COLOUR])})  # pandas sorts: blue, green, red
YC = ((COLOUR == 0) ^ (X[:, 0] > 0)).astype(int)


@pytest.mark.parametrize("name", MAKERS)
def test_category_codes_reach_the_model_as_the_categories_it_was_fitted_on(name: str) -> None:
    model = {"xgb": xgb(enable_categorical=True), "lgb": lgb(), "cat": cat(cat_features=["colour"])}[name]
    frame = SHADES.assign(colour=SHADES["colour"].astype(str)) if name == "cat" else SHADES
    model.fit(frame, YC)
    target = open_target(model, schema=MIXED)
    np.testing.assert_allclose(target.scores(CODES), model.predict_proba(frame), atol=1e-6)
    again = target.refit(Data(x=CODES, y=YC), Recipe())
    np.testing.assert_allclose(again.scores(CODES), target.scores(CODES), atol=0.1 if name == "cat" else 1e-6)


def test_numbered_categories_of_a_bare_matrix_are_the_numbers_themselves() -> None:
    """A model fitted on education = 1, 2, 3 saw these numbers, not the positions 0, 1, 2."""
    values = COLOUR + 1.0
    model = xgb().fit(values[:, None], YC)
    schema = Schema(columns=(Column(name="education", type="category", categories=("1", "2", "3")),))
    np.testing.assert_allclose(
        open_target(model, schema=schema).scores(COLOUR[:, None].astype(float)), model.predict_proba(values[:, None])
    )
