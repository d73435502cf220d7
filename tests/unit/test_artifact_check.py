"""The check of the model's file, what it finds kept, and the copy that keeps less and predicts the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.measure import Measurement, Status
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.hardening.predict_only import PredictOnly
from temper.targets import open_target
from temper.targets.artifact import scan
from temper.targets.save import save
from temper.targets.stripped import strip
from temper.validation.artifact import Artifact
from unit.artifact_opcodes import call

RANDOM = np.random.default_rng(11)
X = RANDOM.normal(size=(240, 4))
Y = (X[:, 0] + 0.4 * RANDOM.normal(size=240) > 0).astype(int)
TRAIN = Data(x=X[:160], y=Y[:160])


def measured(model: Any, file: str = "", **more: Any) -> dict[str, Measurement]:
    rows = {"x": X[160:], "y": Y[160:], "ids": np.arange(80), "schema": Schema.box(-9, 9), "train": TRAIN}
    scene = Scene(**(rows | {"target": open_target(model)} | more))
    return {m.metric: m for m in Artifact(file=file).measure(scene)}


def fitted(model: Any) -> Any:
    return model.fit(TRAIN.x, TRAIN.y)


def test_neighbours_keep_every_row_vectors_some_a_line_none() -> None:
    shares = {
        type(model).__name__: measured(fitted(model))["rows_kept"].value
        for model in (KNeighborsClassifier(algorithm="kd_tree"), SVC(), LogisticRegression(), RandomForestClassifier(5))
    }
    vectors = len(fitted(SVC()).support_) / len(TRAIN.x)
    assert shares == {
        "KNeighborsClassifier": 1.0,
        "SVC": vectors,
        "LogisticRegression": 0.0,
        "RandomForestClassifier": 0.0,
    }


def test_rows_are_found_behind_a_scaler() -> None:
    assert measured(fitted(make_pipeline(StandardScaler(), KNeighborsClassifier())))["rows_kept"].value == 1.0


def test_small_leaves_are_counted() -> None:
    forest = fitted(RandomForestClassifier(4, bootstrap=False, random_state=0))
    sizes = np.concatenate([t.tree_.n_node_samples[t.tree_.children_left < 0] for t in forest.estimators_])
    found = measured(forest)["small_leaves"]
    assert (found.count, found.n) == ((sizes < 5).sum(), len(sizes))
    assert measured(fitted(RandomForestClassifier(4, min_samples_leaf=20, bootstrap=False)))["small_leaves"].count == 0


def test_the_file_is_scanned_and_a_hostile_one_is_a_finding(tmp_path: Path) -> None:
    model = fitted(LogisticRegression())
    joblib.dump(model, tmp_path / "m.joblib")
    clean = measured(model, str(tmp_path / "m.joblib"))
    assert (clean["findings"].value, clean["needs_review"].value) == (0.0, 0.0)
    assert "SHA-256" in clean["findings"].method
    (tmp_path / "m.pkl").write_bytes(call("os", "system", "true"))
    assert measured(model, str(tmp_path / "m.pkl"))["findings"].value == 1.0
    assert measured(model)["not_applicable"].status is Status.UNTRIED
    assert measured(model, train=None)["rows_kept"].status is Status.UNTRIED
    assert measured(lambda x: np.column_stack([x[:, 0], 1 - x[:, 0]]))["statistics_kept"].status is Status.UNTRIED


def boosters() -> list[Any]:
    lightgbm, xgboost = pytest.importorskip("lightgbm"), pytest.importorskip("xgboost")
    return [
        fitted(lightgbm.LGBMClassifier(n_estimators=20, n_jobs=1, verbose=-1)),
        fitted(xgboost.XGBClassifier(n_estimators=20, n_jobs=1)),
        fitted(xgboost.XGBClassifier(n_estimators=20, n_jobs=1, booster="dart", rate_drop=0.2)),
    ]


def test_a_stripped_model_predicts_the_same_and_tells_nothing(tmp_path: Path) -> None:
    models = [*boosters(), fitted(RandomForestClassifier(9)), fitted(GradientBoostingClassifier(n_estimators=9))]
    for model in models:
        target = open_target(model)
        bare = strip(target, X[160:])
        assert (bare.difference, bare.n) == (0.0, 80)
        np.testing.assert_array_equal(target.scores(X), bare.target.scores(X))
        assert bare.target.digest != target.digest
    forest, was = strip(open_target(models[3]), X).target.model, models[3]  # type: ignore[attr-defined]
    assert all(
        (tree.tree_.n_node_samples == 0).all() and (tree.tree_.impurity == 0).all() for tree in forest.estimators_
    )
    assert all((tree.tree_.n_node_samples > 0).all() for tree in was.estimators_)
    text = strip(open_target(models[0]), X).target.booster.model_to_string()  # type: ignore[attr-defined]
    assert "feature_infos=[-1:1] [-1:1] [-1:1] [-1:1]" in text
    assert all(set(line.split("=")[1]) <= {"0", " "} for line in text.splitlines() if line.startswith("leaf_count="))
    (tmp_path / "m.txt").write_text(text)
    assert scan(tmp_path / "m.txt").safe


def test_the_file_of_a_predict_only_copy_is_checked_again_and_keeps_less(tmp_path: Path) -> None:
    """As `temper harden` does it: apply, write, open the file, run the check on that."""
    forests = [fitted(RandomForestClassifier(9)), fitted(GradientBoostingClassifier(n_estimators=9))]
    for at, model in enumerate([*boosters(), *forests]):
        target = open_target(model)
        path = save(PredictOnly().apply(target, TRAIN, Draws(0, "hardening.predict_only")), tmp_path / str(at))
        opened = open_target(str(path))
        np.testing.assert_allclose(opened.scores(X), target.scores(X), rtol=1e-12)
        before, after = measured(model), measured(opened, file=str(path))
        assert before["statistics_kept"].value > 0
        assert after["statistics_kept"].value == 0, after["statistics_kept"].caveats
        assert "small_leaves" not in after
        assert after["findings"].value == 0
    leaves = measured(forests[0])["small_leaves"]
    assert leaves.value > 0.5


def test_predict_only_refuses_what_has_no_counts() -> None:
    for model in (KNeighborsClassifier(), LogisticRegression()):
        with pytest.raises(Unsupported, match="no trees"):
            PredictOnly().apply(open_target(fitted(model)), TRAIN, Draws(0, "t"))


@pytest.mark.parametrize("model", [KNeighborsClassifier(), SVC()])
def test_a_model_that_needs_its_rows_is_not_stripped(model: Any) -> None:
    with pytest.raises(Unsupported, match="no trees"):
        strip(open_target(fitted(model)), X)


def test_no_rows_no_figure() -> None:
    target = open_target(fitted(LogisticRegression()))
    scene = Scene(x=X[:0], y=Y[:0], ids=np.arange(0), schema=Schema.box(-9, 9), target=target)
    assert [m.status for m in Artifact().measure(replace(scene))] == [Status.INCONCLUSIVE]
