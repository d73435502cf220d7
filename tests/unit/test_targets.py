"""Estimators, callables and ONNX graphs as targets; frames; the contract; what `open_target` tells about the rest."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC

from temper.core.data import Data
from temper.core.errors import ContractError, SchemaError, TemperError, Unsupported
from temper.core.schema import Column, Schema
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.targets import open_target
from temper.targets.contract import check
from temper.targets.frame import to_frame, to_matrix

RNG = np.random.default_rng(11)
X = RNG.normal(size=(200, 3))
Y = (X[:, 0] - X[:, 1] + RNG.normal(scale=0.4, size=200) > 0).astype(int)
Y3 = np.digitize(X[:, 0], [-0.4, 0.6])
SCHEMA = Schema(columns=tuple(Column(name=n) for n in "abc"))


# -- scikit-learn -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "kind", "own"),
    [
        (LogisticRegression(), ScoreKind.PROBABILITIES, "predict_proba"),
        (RandomForestClassifier(10, random_state=0), ScoreKind.PROBABILITIES, "predict_proba"),
        (make_pipeline(StandardScaler(), GaussianNB()), ScoreKind.PROBABILITIES, "predict_proba"),
        (SVC(), ScoreKind.MARGIN, "decision_function"),
        (RidgeClassifier(), ScoreKind.MARGIN, "decision_function"),
        (LinearRegression(), ScoreKind.VALUE, "predict"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_estimator_gives_its_own_scores(model: Any, kind: ScoreKind, own: str) -> None:
    model.fit(X, Y)
    target = open_target(model, schema=SCHEMA)
    scores = target.scores(X)
    assert isinstance(target, Target)
    assert (target.kind, target.access & ~Access.TREES) == (kind, Access.LABELS | Access.SCORES | Access.RETRAIN)
    np.testing.assert_array_equal(scores.squeeze(), np.asarray(getattr(model, own)(X)).squeeze())
    check(target, X, SCHEMA)
    copy = pickle.loads(pickle.dumps(target))
    assert copy.digest == target.digest
    np.testing.assert_array_equal(copy.scores(X), scores)
    again = target.refit(Data(x=X, y=Y), Recipe())
    np.testing.assert_allclose(again.scores(X), scores, atol=1e-9 if "Forest" not in type(model).__name__ else 0)


def test_a_margin_of_several_classes_is_one_column_each() -> None:
    target = open_target(SVC().fit(X, Y3))
    assert (target.kind, target.classes, target.scores(X).shape) == (ScoreKind.LOGITS, 3, (200, 3))


def test_an_estimator_that_only_predicts_gives_labels_only() -> None:
    model = VotingClassifier([("a", GaussianNB()), ("b", LogisticRegression())], voting="hard")
    model.fit(X, np.where(Y3 == 0, "low", np.where(Y3 == 1, "mid", "top")))
    target = open_target(model)
    assert target.access == Access.LABELS | Access.RETRAIN
    np.testing.assert_array_equal(model.classes_[target.scores(X).argmax(1)], model.predict(X))
    check(target, X)


def test_svc_one_against_one_is_not_taken_for_scores() -> None:
    assert (
        Access.SCORES
        not in open_target(SVC(decision_function_shape="ovo").fit(X, np.digitize(X[:, 0], [-1, 0, 1]))).access
    )


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (LogisticRegression(), "not fitted"),
        (IsolationForest(n_estimators=5).fit(X), "finds outliers"),
        (StandardScaler().fit(X), "no predict"),
    ],
    ids=["unfitted", "outliers", "transformer"],
)
def test_what_is_no_classifier_is_refused_in_words(model: Any, words: str) -> None:
    with pytest.raises(ContractError, match=words):
        open_target(model)


def test_the_digest_depends_on_the_content_and_not_on_the_process() -> None:
    model = RandomForestClassifier(5, random_state=0).fit(X, Y)
    code = (
        "import numpy as np\nfrom sklearn.ensemble import RandomForestClassifier\n"
        "from temper.targets import open_target\n"
        "g = np.random.default_rng(11); X = g.normal(size=(200, 3))\n"
        "Y = (X[:, 0] - X[:, 1] + g.normal(scale=0.4, size=200) > 0).astype(int)\n"
        "print(open_target(RandomForestClassifier(5, random_state=0).fit(X, Y)).digest)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert told.stdout.strip() == open_target(model).digest
    other = RandomForestClassifier(5, random_state=0).fit(X[:199], Y[:199])
    assert open_target(other).digest != open_target(model).digest


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src"), "PYTHONHASHSEED": "123"}


@pytest.mark.parametrize("model", [HistGradientBoostingClassifier(max_iter=8), RandomForestClassifier(10)])
def test_a_monotone_refit_is_monotone(model: Any) -> None:
    target = open_target(model.fit(X, Y)).refit(Data(x=X, y=Y), Recipe(monotone=(-1, 0, 0)))
    line = np.repeat(X[:20], 30, axis=0)
    line[:, 0] = np.tile(np.linspace(-3, 3, 30), 20)
    assert np.diff(target.scores(line)[:, 1].reshape(20, 30), axis=1).max() <= 1e-9


def test_constraints_pass_a_scaler_and_not_an_encoder() -> None:
    boosted = HistGradientBoostingClassifier(max_iter=5)
    scaled = open_target(make_pipeline(StandardScaler(), boosted).fit(X, Y))
    line = np.tile(X[:1], (30, 1))
    line[:, 0] = np.linspace(-3, 3, 30)
    refitted = scaled.refit(Data(x=X, y=Y), Recipe(monotone=(-1, 0, 0)))
    assert np.diff(refitted.scores(line)[:, 1]).max() <= 1e-9
    coded = open_target(make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(np.round(X), Y))
    with pytest.raises(Unsupported, match="no monotone constraints"):
        coded.refit(Data(x=np.round(X), y=Y), Recipe(monotone=(1, 0, 0)))


@pytest.mark.parametrize(
    ("model", "parameter"),
    [
        (LogisticRegression(C=2.0), "C"),
        (RandomForestClassifier(5), "min_samples_leaf"),
        (make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=0)), "sgdclassifier__alpha"),
        (HistGradientBoostingClassifier(max_iter=5), "learning_rate"),
    ],
    ids=["linear", "forest", "pipeline", "boosting"],
)
def test_regularising_moves_the_model_s_own_setting(model: Any, parameter: str) -> None:
    target = open_target(model.fit(X, Y))
    values = [target.refit(Data(x=X, y=Y), Recipe(regularise=r)).model.get_params()[parameter] for r in (0.0, 0.5, 1.0)]  # type: ignore[attr-defined]
    assert values[0] == model.get_params()[parameter]
    assert values == sorted(values, reverse=parameter in ("C", "learning_rate"))
    assert len(set(values)) == 3


def test_a_model_without_such_a_setting_says_so() -> None:
    target = open_target(GaussianNB().fit(X, Y))
    with pytest.raises(Unsupported, match="no setting that regularises"):
        target.refit(Data(x=X, y=Y), Recipe(regularise=0.5))
    with pytest.raises(TemperError, match="3 columns"):
        open_target(RandomForestClassifier(3).fit(X, Y)).refit(Data(x=X, y=Y), Recipe(monotone=(1,)))


def test_a_search_is_refitted_with_what_it_found() -> None:
    search = GridSearchCV(LogisticRegression(), {"C": [0.01, 5.0]}, cv=3).fit(X, Y)
    target: Any = open_target(search)
    np.testing.assert_array_equal(target.scores(X), search.predict_proba(X))
    again: Any = target.refit(Data(x=X, y=Y), Recipe())
    assert search.best_params_["C"] == again.model.C


# -- data frames --------------------------------------------------------------------------------------------------

PEOPLE = Schema(
    columns=(
        Column(name="age", type="integer", low=18, high=90),
        Column(name="job", type="category", categories=("clerk", "none", "smith")),
        Column(name="education", type="category", categories=("1", "2", "3")),
        Column(name="member", type="boolean"),
        Column(name="income"),
    )
)
N = 160
TABLE = pd.DataFrame(
    {
        "age": RNG.integers(18, 90, N),
        "job": np.array(["smith", "clerk", "none"])[RNG.integers(0, 3, N)],
        "education": RNG.integers(1, 4, N),
        "member": RNG.integers(0, 2, N).astype(bool),
        "income": RNG.normal(30.0, 9.0, N),
    }
)
RICH = ((TABLE["income"] > 30) ^ (TABLE["job"] == "none")).astype(int).to_numpy()


def pipeline() -> Any:
    coded = ColumnTransformer(
        [("one_hot", OneHotEncoder(), ["job", "education", "member"])], remainder=StandardScaler()
    )
    return make_pipeline(coded, LogisticRegression(max_iter=500))


def test_a_pipeline_fitted_on_a_frame_gets_the_frame_it_was_fitted_on() -> None:
    model = pipeline().fit(TABLE, RICH)
    target = open_target(model, schema=PEOPLE)
    matrix = to_matrix(TABLE, PEOPLE)
    np.testing.assert_array_equal(target.scores(matrix), model.predict_proba(TABLE))
    check(target, matrix, PEOPLE)
    again = target.refit(Data(x=matrix, y=RICH), Recipe())
    np.testing.assert_allclose(again.scores(matrix), target.scores(matrix), atol=1e-9)
    assert pickle.loads(pickle.dumps(target)).digest == target.digest


def test_a_model_with_categories_of_its_own_gets_pandas_categories() -> None:
    frame = TABLE[["income", "job"]].assign(job=TABLE["job"].astype("category"))
    model = HistGradientBoostingClassifier(max_iter=8, categorical_features="from_dtype").fit(frame, RICH)
    schema = Schema(columns=(PEOPLE.columns[4], PEOPLE.columns[1]))
    matrix = to_matrix(frame, schema)
    target = open_target(model, schema=schema)
    np.testing.assert_array_equal(target.scores(matrix), model.predict_proba(frame))
    np.testing.assert_allclose(target.refit(Data(x=matrix, y=RICH), Recipe()).scores(matrix), target.scores(matrix))


def test_numbered_categories_keep_their_numbers_where_no_encoder_stands_before_the_model() -> None:
    frame = TABLE[["education", "income"]]
    model = LogisticRegression().fit(frame, RICH)
    schema = Schema(columns=(PEOPLE.columns[2], PEOPLE.columns[4]))
    target = open_target(model, schema=schema)
    np.testing.assert_array_equal(target.scores(to_matrix(frame, schema)), model.predict_proba(frame))


def test_a_frame_comes_back_as_it_went() -> None:
    matrix = to_matrix(TABLE, PEOPLE)
    back = to_frame(matrix, PEOPLE, {"education": "number"})
    assert back["age"].dtype == np.int64
    assert back["member"].dtype == bool
    assert back["job"].tolist() == TABLE["job"].tolist()
    np.testing.assert_array_equal(back["education"], TABLE["education"])
    np.testing.assert_array_equal(to_matrix(back, PEOPLE), matrix)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(18, 90).map(float), st.just(np.nan)),
            st.sampled_from([0.0, 1.0, 2.0, np.nan]),
            st.sampled_from([0.0, 1.0, 2.0]),
            st.sampled_from([0.0, 1.0, np.nan]),
            st.floats(-1e9, 1e9),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_any_coded_rows_survive_the_way_through_a_frame(rows: list[tuple[float, ...]]) -> None:
    matrix = np.array(rows)
    np.testing.assert_array_equal(to_matrix(to_frame(matrix, PEOPLE), PEOPLE), matrix)


def test_a_bad_value_is_told_by_column_row_and_value() -> None:
    unseen = TABLE.assign(job=TABLE["job"].where(TABLE.index != 5, "baker"))
    with pytest.raises(SchemaError, match="'job', row 5: 'baker' is not one of its categories"):
        to_matrix(unseen, PEOPLE)
    text = TABLE.assign(income=TABLE["income"].astype(object).where(TABLE.index != 3, "lots"))
    with pytest.raises(SchemaError, match="'income', row 3: 'lots' is not a number"):
        to_matrix(text, PEOPLE)
    with pytest.raises(SchemaError, match="no column 'age'"):
        to_matrix(TABLE.drop(columns="age"), PEOPLE)
    with pytest.raises(SchemaError, match="'member', row 0: 7 is neither 0 nor 1"):
        to_matrix(TABLE.assign(member=7), PEOPLE)
    with pytest.raises(SchemaError, match="'income' holds times"):
        to_matrix(TABLE.assign(income=pd.Timestamp("2020-01-01")), PEOPLE)
    with pytest.raises(SchemaError, match="'job': 3 is not the code"):
        to_frame(np.array([[30.0, 3.0, 0.0, 1.0, 2.0]]), PEOPLE)


# -- callables ----------------------------------------------------------------------------------------------------


def fair(x: Any) -> Any:
    p = 1 / (1 + np.exp(-x[:, 0]))
    return np.column_stack([1 - p, p])


def test_a_callable_is_a_target_without_digest_until_it_has_a_version() -> None:
    target = open_target(fair)
    assert (target.access, target.digest) == (Access.LABELS | Access.SCORES, "")
    np.testing.assert_array_equal(target.scores(X), fair(X))
    assert len(open_target(fair, version="1").digest) == 64
    assert open_target(fair, version="1").digest != open_target(fair, version="2").digest
    with pytest.raises(Unsupported):
        target.refit(Data(x=X, y=Y), Recipe())
    with pytest.raises(Unsupported):
        target.gradient(X, lambda s: s)


@pytest.mark.parametrize("shape", [(200,), (200, 1)])
def test_one_column_of_probabilities_is_refused_with_the_fix(shape: tuple[int, ...]) -> None:
    target = open_target(lambda x: fair(x)[:, 1].reshape(shape))
    with pytest.raises(ContractError, match=r"column_stack\(\[1 - p, p\]\)"):
        target.scores(X)
    assert open_target(lambda x: x[:, 0].reshape(shape), kind=ScoreKind.MARGIN).scores(X).shape == (200, 1)
    assert open_target(lambda x: x[:, 0].reshape(shape), kind=ScoreKind.VALUE).classes == 1


def test_labels_are_accepted_where_they_are_declared() -> None:
    target = open_target(lambda x: (x[:, 0] > 0).astype(int), labels_only=True)
    assert target.access == Access.LABELS
    np.testing.assert_array_equal(target.scores(X).argmax(1), X[:, 0] > 0)
    check(target, X)
    with pytest.raises(ContractError, match="class number"):
        open_target(fair, labels_only=True).scores(X)


def test_a_callable_of_a_file_is_found_again_by_a_worker(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "import numpy as np\nclass Box:\n    pass\nbox = Box()\nbox.ask = lambda x: np.full((len(x), 2), 0.5)\n"
    )
    target = open_target(f"{file}:box.ask", version="3")
    assert target.scores(X[:2]).tolist() == [[0.5, 0.5]] * 2
    assert pickle.loads(pickle.dumps(target)).digest == target.digest
    with pytest.raises(ContractError, match="has no 'boxes'"):
        open_target(f"{file}:boxes")
    with pytest.raises(ContractError, match="cannot import"):
        open_target("no_such_package.models:score")


def test_a_class_that_counts_can_be_named() -> None:
    model = LogisticRegression().fit(X, np.where(Y == 1, "bad", "good"))
    assert open_target(model).scores(X).tolist() == model.predict_proba(X).tolist()
    turned = open_target(model, positive="bad")
    np.testing.assert_array_equal(turned.scores(X)[:, 1], model.predict_proba(X)[:, 0])
    again = turned.refit(Data(x=X, y=Y), Recipe())
    np.testing.assert_allclose(again.scores(X), turned.scores(X), atol=1e-9)
    assert turned.digest not in ("", open_target(model).digest)
    with pytest.raises(TemperError, match="no class 'ugly'"):
        open_target(model, positive="ugly")


def test_what_is_no_model_is_told() -> None:
    with pytest.raises(ContractError, match="a dict is no model"):
        open_target({})
    target = open_target(fair)
    assert open_target(target) is target


def test_opening_a_model_imports_no_other_framework() -> None:
    code = (
        "import sys, numpy as np\nfrom temper.targets import open_target\nopen_target(lambda x: x)\n"
        "assert not {'torch', 'xgboost', 'lightgbm', 'catboost', 'sklearn', 'pandas', 'onnx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=_environment())


# -- the contract -------------------------------------------------------------------------------------------------


class Noisy:
    """Another answer each time."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def __call__(self, x: Any) -> Any:
        return fair(x + self.rng.normal(scale=0.1, size=x.shape))


def scribble(x: Any) -> Any:
    x[:, 1] = 0.0
    return fair(x)


def fails_on_seven(x: Any) -> Any:
    if (x[:, 0] == X[7, 0]).any():
        raise RuntimeError("lamp is off")
    return fair(x)


BREACHES = {
    "sums": (lambda x: fair(x) * 0.9, "sum to 0.9"),
    "negative": (lambda x: fair(x) * [[-1, 1]], "no probabilities"),
    "gaps": (lambda x: fair(x) * np.nan, "not finite"),
    "labels": (lambda x: np.eye(2)[(x[:, 0] > 0).astype(int)], "labels, not scores"),
    "batch": (lambda x: fair(x - x.mean(axis=0)), "alone"),
    "random": (Noisy(), "and then with"),
    "scribbles": (scribble, "changed its input"),
    "crash": (fails_on_seven, "on row 7: RuntimeError: lamp is off"),
    "columns": (lambda x: np.full((len(x), 3), 1 / 3), "classes=3"),
    "rows": (lambda x: fair(x)[:-1], r"returned \(7, 2\) for 8 rows"),
    "text": (lambda x: ["yes"] * len(x), "not numbers"),
}


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_is_found_up_front_with_a_sentence_and_a_fix(name: str) -> None:
    call, words = BREACHES[name]
    before = X.copy()
    with pytest.raises(ContractError, match=words) as told:
        check(open_target(call), X, SCHEMA)
    assert told.value.fix
    np.testing.assert_array_equal(before, X)


def test_an_honest_model_passes_the_contract() -> None:
    check(open_target(fair), X, SCHEMA)
    check(open_target(fair), X[:1], SCHEMA)
    check(open_target(Noisy(), stochastic=True), X, SCHEMA)
    check(open_target(lambda x: x[:, :2], kind=ScoreKind.LOGITS), X, SCHEMA)


def test_a_sure_tree_is_not_taken_for_labels() -> None:
    """A fully grown forest answers 0 and 1 on its training rows, and these are its scores."""
    sure = RandomForestClassifier(1, bootstrap=False, random_state=0).fit(X, Y)
    assert set(np.unique(sure.predict_proba(X))) == {0.0, 1.0}
    check(open_target(sure), X, SCHEMA)


def test_labels_are_suspected_on_more_rows_than_the_first_few() -> None:
    x = np.concatenate([np.full((8, 3), 60.0), X])
    check(open_target(lambda x: np.where(x[:, :1] > 50, [[0.0, 1.0]], fair(x))), x, SCHEMA)


def test_logits_that_are_probabilities_and_wrong_widths_are_told() -> None:
    with pytest.raises(ContractError, match="sum to one"):
        check(open_target(fair, kind=ScoreKind.LOGITS), X)
    with pytest.raises(ContractError, match="the schema has 3 columns"):
        check(open_target(fair), X[:, :2], SCHEMA)
    with pytest.raises(ContractError, match="no rows"):
        check(open_target(fair), X[:0])


def test_missing_values_a_model_cannot_take_are_told_as_such() -> None:
    x = X.copy()
    x[2, 0] = np.nan
    with pytest.raises(ContractError, match=r"row 2.*NaN"):
        check(open_target(LogisticRegression().fit(X, Y)), x)


# -- ONNX ---------------------------------------------------------------------------------------------------------

skl2onnx = pytest.importorskip("skl2onnx")
pytest.importorskip("onnxruntime")


def exported(model: Any, **options: Any) -> Any:
    return skl2onnx.to_onnx(model, X[:1].astype(np.float32), **options)


@pytest.mark.parametrize("zipmap", [True, False])
def test_an_exported_estimator_answers_as_the_estimator(zipmap: bool, tmp_path: Path) -> None:
    model = LogisticRegression().fit(X, Y)
    proto = exported(model, options={id(model): {"zipmap": zipmap}})
    (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    targets = [open_target(thing, schema=SCHEMA) for thing in (proto, proto.SerializeToString(), tmp_path / "m.onnx")]
    for target in targets:
        assert (target.kind, target.classes, target.access) == (
            ScoreKind.PROBABILITIES,
            2,
            Access.LABELS | Access.SCORES,
        )
        np.testing.assert_allclose(target.scores(X), model.predict_proba(X), atol=1e-5)
        check(target, X, SCHEMA)
    assert len({target.digest for target in targets}) == 1
    copy = pickle.loads(pickle.dumps(targets[0]))
    np.testing.assert_array_equal(copy.scores(X), targets[0].scores(X))


def test_an_onnx_value_must_be_declared() -> None:
    model = LinearRegression().fit(X, X[:, 0])
    with pytest.raises(ContractError, match="may be logits"):
        open_target(exported(model))
    target = open_target(exported(model), kind=ScoreKind.VALUE)
    np.testing.assert_allclose(target.scores(X)[:, 0], model.predict(X), atol=1e-4)
    with pytest.raises(ContractError, match="fitted on 3 columns"):
        open_target(exported(model), kind=ScoreKind.VALUE, schema=Schema(columns=SCHEMA.columns[:2]))


def test_an_onnx_graph_with_an_input_per_column_gets_the_columns() -> None:
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    frame = TABLE[["job", "income"]]
    coded = ColumnTransformer([("one_hot", OneHotEncoder(), ["job"])], remainder="passthrough")
    model = make_pipeline(coded, LogisticRegression(max_iter=500)).fit(frame, RICH)
    proto = skl2onnx.to_onnx(
        model, initial_types=[("job", StringTensorType([None, 1])), ("income", FloatTensorType([None, 1]))]
    )
    schema = Schema(columns=(PEOPLE.columns[1], PEOPLE.columns[4]))
    target = open_target(proto, schema=schema)
    np.testing.assert_allclose(target.scores(to_matrix(frame, schema)), model.predict_proba(frame), atol=1e-4)


def test_bytes_that_are_no_model_are_told() -> None:
    with pytest.raises(ContractError, match="cannot load"):
        open_target(b"nonsense")


def test_an_ordinal_pipeline_and_a_dummy_pass_the_contract() -> None:
    model = make_pipeline(OrdinalEncoder(), DummyClassifier(strategy="prior")).fit(TABLE[["job"]], RICH)
    schema = Schema(columns=(PEOPLE.columns[1],))
    check(open_target(model, schema=schema), to_matrix(TABLE[["job"]], schema), schema)


# -- real tables --------------------------------------------------------------------------------------------------


def test_a_pipeline_on_real_categories_answers_as_on_its_own_frame() -> None:
    folder = Path(os.environ.get("TEMPER_DATA", Path(__file__).parents[3] / "shared" / "data")) / "german_credit"
    files = sorted([*folder.glob("*.parquet"), *folder.glob("*.csv*")])
    if not files:
        pytest.skip("german_credit is not there (set TEMPER_DATA)")
    table = pd.read_parquet(files[0]) if files[0].suffix == ".parquet" else pd.read_csv(files[0])
    y = (table.pop("class-label") == 1).astype(int).to_numpy()
    schema = Schema(columns=tuple(guessed(str(name), table[name]) for name in table.columns))
    texts = [c.name for c in schema.columns if c.type == "category"]
    assert len(texts) > 5
    coded = ColumnTransformer([("one_hot", OneHotEncoder(handle_unknown="ignore"), texts)], remainder="passthrough")
    model = make_pipeline(coded, RandomForestClassifier(10, random_state=0)).fit(table, y)
    matrix = to_matrix(table, schema)
    target = open_target(model, schema=schema)
    np.testing.assert_allclose(target.scores(matrix), model.predict_proba(table))
    check(target, matrix, schema)
    np.testing.assert_allclose(target.refit(Data(x=matrix, y=y), Recipe()).scores(matrix), target.scores(matrix))


def guessed(name: str, series: Any) -> Column:
    if pd.api.types.is_numeric_dtype(series):
        return Column(name=name)
    return Column(name=name, type="category", categories=tuple(sorted(series.astype(str).unique())))
