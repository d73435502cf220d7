"""The example systems can be prepared, and are what their documents say."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from temper.core.schema import Column, Mutability, Schema

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("TEMPER_DATA", ROOT.parent / "shared" / "data"))
CREDIT = DATA / "credit_default_uci" / "credit-card-clients.csv.gz"
DIGITS = DATA / "mnist_t10k"
MODELS = ("lightgbm", "pipeline", "onnx")
pytestmark = pytest.mark.slow


def run(script, *arguments, environment=None):
    """The finished process of one preparation script."""
    command = [sys.executable, str(ROOT / "examples" / script), *map(str, arguments)]
    settings = {k: v for k, v in os.environ.items() if k != "TEMPER_DATA"} | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=180, env=settings | (environment or {})
    )


def described(path):
    """The schema in a temper.yaml."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    columns = []
    for name, said in document["schema"]["columns"].items():
        attacker, categories = said.pop("attacker", "immutable"), tuple(said.pop("categories", ()))
        columns.append(Column(name=name, attacker=Mutability(attacker), categories=categories, **said))
    return Schema(columns=tuple(columns), relations=tuple(document["schema"]["relations"]))


@pytest.fixture(scope="module")
def credit(tmp_path_factory):
    if not CREDIT.is_file():
        pytest.skip("the credit-default data are absent: set TEMPER_DATA")
    out = tmp_path_factory.mktemp("credit")
    done = run("credit/prepare.py", "--data", DATA, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "note:" not in done.stdout
    return out


def rows(folder, part="test"):
    """(frame, matrix, schema) of one prepared system."""
    import pandas as pd

    from temper.targets.frame import to_matrix

    schema = described(folder / "temper.yaml")
    frame = pd.read_parquet(folder / f"{part}.parquet")
    return frame, to_matrix(frame, schema), schema


@pytest.mark.parametrize("name", MODELS)
def test_credit_rows_lie_in_the_described_domain(credit, name):
    frame, x, schema = rows(credit / name)
    assert list(frame.columns) == [*schema.names, "default"]
    assert schema.reason(x, x) == ""
    assert ((x >= schema.lows) & (x <= schema.highs)).all()


@pytest.mark.parametrize("name", MODELS)
def test_credit_derived_columns_follow_from_their_formulas(credit, name):
    from temper.core.expression import parse

    _, x, schema = rows(credit / name)
    now = {n: x[:, at] for at, n in enumerate(schema.names)}
    for column in schema.columns:
        if column.formula:
            np.testing.assert_allclose(parse(column.formula).value(now, now), now[column.name], rtol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_credit_attackers_cannot_change_who_they_are(credit, name):
    schema = described(credit / name / "temper.yaml")
    who = [schema.columns[schema.index(column)] for column in ("SEX", "AGE", "MARRIAGE", "LIMIT_BAL")]
    assert not any(column.movable for column in who)
    assert {c.name for c in schema.columns if c.movable} >= {"PAY_0", "BILL_AMT1", "PAY_AMT1"}


def test_credit_documents_on_the_same_codes_say_the_same(credit):
    assert described(credit / "lightgbm" / "temper.yaml") == described(credit / "onnx" / "temper.yaml")


def test_credit_train_and_test_share_no_row_position_and_the_same_base_rate(credit):
    train, _, _ = rows(credit / "lightgbm", "train")
    test, _, _ = rows(credit / "lightgbm")
    assert (len(train), len(test)) == (21_000, 9_000)
    assert train["default"].mean() == pytest.approx(test["default"].mean(), abs=1e-3)


def credit_scores(folder, name):
    """Scores of class 1 on the held-out rows, as the saved file gives them."""
    frame, x, _ = rows(folder)
    if name == "lightgbm":
        import lightgbm

        return frame["default"], lightgbm.Booster(model_file=folder / "model.txt").predict(x)
    if name == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
        probabilities = session.run(None, {"x": x.astype(np.float32)})[1]
        assert probabilities.shape == (len(x), 2)
        np.testing.assert_allclose(probabilities.sum(1), 1.0, atol=1e-5)
        return frame["default"], probabilities[:, 1]
    import skops.io

    foreign = skops.io.get_untrusted_types(file=folder / "model.skops")
    assert set(foreign) <= {"numpy.dtype"}
    model = skops.io.load(folder / "model.skops", trusted=foreign)
    return frame["default"], model.predict_proba(frame.drop(columns="default"))[:, 1]


@pytest.mark.parametrize("name", MODELS)
def test_credit_models_are_as_good_as_their_readme_says(credit, name):
    from sklearn.metrics import roc_auc_score

    y, score = credit_scores(credit / name, name)
    assert 0.755 < roc_auc_score(y, score) < 0.80


@pytest.mark.parametrize("name", MODELS)
def test_credit_systems_load_and_score_as_their_files_do(credit, name):
    from temper.config.system import load_system

    system = load_system(credit / name / "temper.yaml")
    assert not system.simulated
    assert {column.name for column in system.schema.columns if column.sensitive} == {
        "SEX",
        "AGE",
        "EDUCATION",
        "MARRIAGE",
    }
    y, score = credit_scores(credit / name, name)
    np.testing.assert_array_equal(system.data.y, y)
    np.testing.assert_allclose(system.target.scores(system.data.x)[:, 1], score, atol=1e-6)


def test_credit_joblib_and_skops_hold_the_same_pipeline(credit):
    import joblib

    frame, _, _ = rows(credit / "pipeline")
    _, safe = credit_scores(credit / "pipeline", "pipeline")
    pickled = joblib.load(credit / "pipeline" / "model.joblib").predict_proba(frame.drop(columns="default"))[:, 1]
    np.testing.assert_array_equal(safe, pickled)


def test_credit_without_data_says_where_the_original_is(tmp_path):
    done = run("credit/prepare.py", "--data", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "archive.ics.uci.edu" in done.stderr
    assert not (tmp_path / "out").exists()


def loaded(folder, part="test"):
    with np.load(folder / f"{part}.npz", allow_pickle=False) as arrays:
        return arrays["x"], arrays["y"]


def image_accuracy(folder):
    """Accuracy of the saved TorchScript file on the held-out images."""
    import torch

    x, y = loaded(folder)
    model = torch.jit.load(str(folder / "model.pt"))
    with torch.no_grad():
        logits = model(torch.from_numpy(x))
    return float((logits.argmax(1).numpy() == y).mean())


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    out = tmp_path_factory.mktemp("images")
    done = run("images/prepare.py", "--out", out, "--count", 1_600, "--epochs", 5)
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_shapes_are_told_apart_by_the_saved_network(images):
    # Eight classes: chance is 12.5 %.
    assert image_accuracy(images) > 0.8


def test_shapes_load_as_a_system_of_eight_classes(images):
    from temper.config.system import load_system

    system = load_system(images / "temper.yaml")
    scores = np.asarray(system.target.scores(system.data.x))
    assert scores.shape == (320, 8)
    assert (scores.argmax(1) == system.data.y).mean() > 0.8


def test_shapes_stay_in_the_box_of_the_document(images):
    document = yaml.safe_load((images / "temper.yaml").read_text(encoding="utf-8"))
    low, high = document["schema"]["box"]
    assert document["system"]["simulated"] is True
    for part, count in (("train", 1_280), ("test", 320)):
        x, y = loaded(images, part)
        assert x.shape == (count, 1, 24, 24)
        assert x.dtype == np.float32
        assert low <= x.min()
        assert x.max() <= high
        assert set(y) == set(range(8))


def test_no_shape_is_a_copy_of_another(images):
    x = np.concatenate([loaded(images, "train")[0], loaded(images)[0]])
    assert len(np.unique(x.reshape(len(x), -1), axis=0)) == len(x)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_digits_are_prepared_from_the_real_files(tmp_path):
    if not DIGITS.is_dir():
        pytest.skip("the MNIST test digits are absent: set TEMPER_DATA")
    done = run("images/prepare.py", "--data", DATA, "--out", tmp_path, "--epochs", 1)
    assert done.returncode == 0, done.stderr
    x, y = loaded(tmp_path)
    assert x.shape == (2_000, 1, 28, 28)
    assert set(y) == set(range(10))
    assert image_accuracy(tmp_path) > 0.85
    assert yaml.safe_load((tmp_path / "temper.yaml").read_text(encoding="utf-8"))["system"]["simulated"] is False


def test_digits_without_data_say_what_is_missing(tmp_path):
    done = run("images/prepare.py", "--data", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "t10k-images-idx3-ubyte.gz" in done.stderr
