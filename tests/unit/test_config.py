"""temper.yaml and systems from Python: what is right is read, what is wrong is answered with its line."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from temper.config.build import build_system
from temper.config.policy import load_policy
from temper.config.system import load_system
from temper.core.errors import ConfigError, TemperError
from temper.core.requirement import Policy
from temper.core.schema import Column, Mutability, Schema
from temper.core.target import ScoreKind

MODEL = """
import numpy as np
def predict(x):
    x = np.asarray(x, dtype=float)
    p = 1 / (1 + np.exp(-(x[:, 0] - 50) / 10))
    return np.column_stack([1 - p, p])
def swapped(x):
    return predict(x)[:, ::-1]
"""

YAML = """\
system: {name: card-fraud, purpose: stop fraud, harmed: card holders, criticality: high, simulated: true}
model: {callable: "scorer.py:predict", kind: probabilities, threshold: 0.5, version: "1"}
data: {test: test.csv, train: train.parquet, target: is_fraud, positive: "1", drop: [note], id: id}
exposure: {returns: label, public: false}
actors:
  - {name: fraudster, knowledge: grey-box, queries: 500, cost: 5.0, writes: [input]}
schema:
  columns:
    amount: {type: number, low: 0, high: 1e3, attacker: free, scale: 20, direction: fall}
    limit: {type: number, low: 0}
    country: {type: category, categories: [DE, NO, NA], attacker: costly, cost: 2, missing: true}
    share: {type: number, attacker: derived, formula: "amount / limit"}
    vip: {type: boolean, sensitive: true}
  relations: ["amount <= limit"]
policy:
  - {id: auc, metric: performance.auc, at_least: 0.7, reason: it must rank}
assess: {options: {evasion.square: {share: 0.1, steps: 3}}, plugins: [other.attack]}
"""


def table(n: int = 60, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    amount = rng.uniform(0, 100, n).round(2)
    frame = pd.DataFrame(
        {
            "id": np.arange(1000, 1000 + n),
            "amount": amount,
            "limit": 200.0,
            "country": np.resize(["DE", "NO", "NA", None], n),
            "share": amount / 200,
            "vip": np.resize([True, False], n),
            "note": "hello",
            "is_fraud": (amount + rng.normal(0, 10, n) > 50).astype(int),
        }
    )
    return frame


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scorer.py").write_text(MODEL)
    table().to_csv(tmp_path / "test.csv", index=False)
    table(seed=1).to_parquet(tmp_path / "train.parquet")
    (tmp_path / "temper.yaml").write_text(YAML)
    return tmp_path


def rewrite(folder: Path, old: str, new: str) -> Path:
    assert old in YAML
    (folder / "temper.yaml").write_text(YAML.replace(old, new))
    return folder / "temper.yaml"


def test_everything_that_is_written_arrives(folder: Path) -> None:
    system = load_system(folder / "temper.yaml")
    assert (system.name, system.harmed, system.criticality, system.simulated) == (
        "card-fraud",
        "card holders",
        "high",
        True,
    )
    assert (system.threshold, system.positive, system.classes, system.version) == (0.5, "1", ("0", "1"), "1")
    assert (system.exposure.returns, system.exposure.public, system.exposure.retrained) == ("label", False, True)
    (actor,) = system.actors
    assert (actor.name, actor.knowledge, actor.queries, actor.cost, actor.writes) == (
        "fraudster",
        "grey-box",
        500,
        5.0,
        ("input",),
    )
    assert system.options["evasion.square"] == {"share": 0.1, "steps": 3}
    assert set(system.options) == {"evasion.square", "validation.documentation"}
    assert system.plugins == ("other.attack",)
    assert system.target.kind is ScoreKind.PROBABILITIES
    amount, limit, country, share, vip = system.schema.columns
    assert (amount.high, amount.attacker, amount.scale, amount.direction) == (1000.0, Mutability.FREE, 20.0, "fall")
    assert limit.high == float("inf")
    assert (country.categories, country.cost, country.missing) == (("DE", "NO", "NA"), 2.0, True)
    assert (share.formula, vip.sensitive, system.schema.relations) == ("amount / limit", True, ("amount <= limit",))


def test_rows_are_the_tables_rows(folder: Path) -> None:
    system, frame = load_system(folder / "temper.yaml"), table()
    assert system.train is not None
    assert system.data.x.dtype == np.float64
    np.testing.assert_array_equal(system.data.x[:, 0], frame["amount"])
    np.testing.assert_array_equal(system.data.x[:4, 2], [0, 1, 2, np.nan])
    np.testing.assert_array_equal(system.data.x[:2, 4], [1, 0])
    np.testing.assert_array_equal(system.data.y, frame["is_fraud"])
    np.testing.assert_array_equal(system.data.ids, frame["id"])
    np.testing.assert_array_equal(system.train.y, table(seed=1)["is_fraud"])


def test_suppliers_and_an_accepted_table_arrive(folder: Path) -> None:
    frame = pd.read_parquet(folder / "train.parquet")
    frame.iloc[:40].to_parquet(folder / "accepted.parquet")
    frame.assign(branch=np.where(np.arange(len(frame)) < 40, "north", "west")).to_parquet(folder / "train.parquet")
    text = (folder / "temper.yaml").read_text()
    text = text.replace("train: train.parquet", "train: train.parquet, accepted: accepted.parquet, supplier: branch")
    (folder / "temper.yaml").write_text(text)

    system = load_system(folder / "temper.yaml")

    assert system.train is not None
    assert system.train.supplier is not None
    assert list(system.train.take([39, 40]).supplier) == ["north", "west"]
    assert system.accepted is not None
    assert len(system.accepted) == 40
    assert system.accepted.supplier is None
    assert system.data.supplier is None
    assert system.train.x.shape[1] == system.data.x.shape[1]


@pytest.mark.parametrize(
    ("given", "says"),
    [({"accepted": 1}, "none to compare"), ({"supplier": "branch"}, "no column 'branch'")],
)
def test_what_cannot_be_told_of_training_rows_is_refused(given: dict[str, Any], says: str) -> None:
    frame = table()[["amount", "limit", "is_fraud"]]
    given = {key: frame if value == 1 else value for key, value in given.items()}
    train = {"train": frame} if "supplier" in given else {}
    with pytest.raises(ConfigError, match=says):
        build_system(lambda x: np.full((len(x), 2), 0.5), frame, target="is_fraud", **train, **given)


def test_every_answer_keeps_its_line(folder: Path) -> None:
    system = load_system(folder / "temper.yaml")
    lines = YAML.splitlines()
    for path, line in system.lines.items():
        assert path.split(".")[-1] in lines[line - 1] or path == "assess.options.evasion.square"
    assert system.lines["exposure.returns"] == 4
    assert system.lines["actors.fraudster"] == 6
    assert system.lines["schema.columns.country.cost"] == 11
    assert system.policy.requirements[0].line == system.lines["policy.auc"] == 16
    assert system.source.endswith("temper.yaml")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("columns:\n", "colums:\n", r"temper.yaml:8: unknown key 'colums' in schema; did you mean 'columns'\?"),
        ("exposure:", "exposures:", r":4: unknown key 'exposures'; did you mean 'exposure'\?"),
        ("queries: 500", "querys: 500", r":6: unknown key 'querys'.*'queries'"),
        ("queries: 500", "queries: many", r":6: actors.0.queries is 'many', expected a number"),
        ("queries: 500", "queries: 0.5", r":6: actors.0.queries is 0.5, expected a whole number"),
        ("knowledge: grey-box", "knowledge: grybox", r":6: .*'grybox', expected one of .*did you mean 'grey-box'"),
        ("public: false", "public: perhaps", r":4: exposure.public is 'perhaps', expected true or false"),
        ("public: false", "public: [1]", r":4: exposure.public is a list, expected true or false"),
        ("actors:\n  - {name", "actors:\n  {name", r":5: actors is a mapping, expected a list"),
        ("high: 1e3", "high: .inf", r":9: schema.columns.amount.high is '.inf', expected a number"),
        ("high: 1e3", "high: -5", r":9: column 'amount': low 0.0 is above high -5.0"),
        ("attacker: free", "attacker: fre", r":9: .*did you mean 'free'"),
        ("categories: [DE, NO, NA], ", "", r":11: the category 'country' lists no categories"),
        ('formula: "amount / limit"', 'formula: "amount / limt"', r"unknown column 'limt'"),
        ("amount <= limit", "amount <= limitt", r":14: .*unknown column 'limitt'"),
        ('callable: "scorer.py:predict"', "path: nowhere.json", r":2: the model 'nowhere.json' does not exist"),
        ("kind: prob", "path: a, kind: prob", r":2: model names 2 of path, callable and url"),
        (
            'callable: "scorer.py:predict"',
            'url: "https://bank.example/score"',
            r":2: a remote model needs `authorised_by`",
        ),
        ("kind: probabilities", "kind: probability", r":2: .*did you mean 'probabilities'"),
        ("threshold: 0.5", "threshold: 5", r"threshold 5 is no probability"),
        ("test: test.csv", "test: tset.csv", r":3: the table .*tset.csv does not exist"),
        ("target: is_fraud", "target: isfraud", r":3: test.csv has no column 'isfraud'"),
        ("target: is_fraud, ", "", r":3: data.target is missing"),
        ("drop: [note]", "drop: []", r":3: test.csv has columns the schema does not know: note"),
        ("drop: [note]", "drop: [notes]", r":3: test.csv has no column 'notes'"),
        ('positive: "1"', "positive: fraud", r"positive is 'fraud', the classes are 0, 1"),
        ("at_least: 0.7", "at_leest: 0.7", r":16: unknown key 'at_leest'.*'at_least'"),
        ("at_least: 0.7, ", "", r":16: requirement 'auc' needs exactly one"),
        ("simulated: true}", "simulated: true, name: x}", r":1: duplicated key 'name', first on line 1"),
        ("assess: {", "assess: !!python/object/apply:os.system {", r":17: the tag .* is not accepted"),
        ("actors:", "actors: ]", r":5: not YAML"),
    ],
)
def test_a_mistake_is_answered_with_its_line(folder: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(TemperError) as caught:
        load_system(rewrite(folder, old, new))
    assert re.search(says, str(caught.value)), str(caught.value)


def test_a_suggestion_is_given_as_the_fix(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_system(rewrite(folder, "target: is_fraud", "target: isfraud"))
    assert caught.value.fix == "did you mean 'is_fraud'?"


def test_a_category_the_schema_does_not_list_is_named(folder: Path) -> None:
    with pytest.raises(TemperError, match="'NA'"):
        load_system(rewrite(folder, "categories: [DE, NO, NA]", "categories: [DE, NO]"))


def test_a_model_whose_classes_are_swapped_is_refused(folder: Path) -> None:
    table(400).to_csv(folder / "test.csv", index=False)
    load_system(folder / "temper.yaml")
    with pytest.raises(ConfigError, match="lower than rows of '0'"):
        load_system(rewrite(folder, "scorer.py:predict", "scorer.py:swapped"))


def test_a_module_beside_the_yaml_is_found(folder: Path) -> None:
    (folder / "beside_the_yaml.py").write_text(MODEL)
    rewrite(folder, "scorer.py:predict", "beside_the_yaml:predict")
    code = "import sys; from temper.config.system import load_system; load_system(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(folder / "temper.yaml")], check=True, cwd=folder.parent)


def test_a_system_without_schema_assumes_the_worst(folder: Path) -> None:
    start, end = YAML.index("schema:"), YAML.index("policy:")
    (folder / "temper.yaml").write_text(YAML[:start] + YAML[end:])
    system = load_system(folder / "temper.yaml")
    assert system.schema.names == ("amount", "limit", "country", "share", "vip")
    assert {column.attacker for column in system.schema.columns} == {Mutability.COSTLY}
    assert system.data.x.shape == (60, 5)


# -- images -----------------------------------------------------------------------------------------------------------

IMAGES = """\
model: {callable: "eyes.py:see", kind: probabilities}
data: {test: digits.npz}
schema: {box: [0, 1]}
"""
EYES = """
import numpy as np
def see(x):
    p = np.asarray(x, dtype=float).reshape(len(x), -1).mean(axis=1)
    return np.column_stack([1 - p, p / 2, p / 2])
"""


def test_arrays_in_a_box_are_a_system(tmp_path: Path) -> None:
    (tmp_path / "eyes.py").write_text(EYES)
    (tmp_path / "temper.yaml").write_text(IMAGES)
    x = np.random.default_rng(0).uniform(size=(20, 1, 4, 4)).astype(np.float32)
    np.savez(tmp_path / "digits.npz", x=x, y=np.resize([0, 2], 20))
    system = load_system(tmp_path / "temper.yaml")
    assert (system.schema.low, system.schema.high, system.schema.columns) == (0.0, 1.0, ())
    assert system.data.x.dtype == np.float32
    assert system.classes == ("0", "1", "2")  # class 1 never occurs and still is class 1
    np.testing.assert_array_equal(system.data.y, np.resize([0, 2], 20))
    np.savez(tmp_path / "digits.npz", x=x * 255, y=np.resize([0, 2], 20))
    with pytest.raises(ConfigError, match=r"box is \[0, 1\]"):
        load_system(tmp_path / "temper.yaml")
    np.savez(tmp_path / "digits.npz", images=x)
    with pytest.raises(ConfigError, match=r":2: .*no array 'x', it has: images"):
        load_system(tmp_path / "temper.yaml")


# -- from Python ------------------------------------------------------------------------------------------------------


def scorer() -> Any:
    names: dict[str, Any] = {}
    exec(MODEL, names)  # noqa: S102
    return names["predict"]


def test_a_frame_and_a_pair_make_the_same_system() -> None:
    frame = table()[["amount", "limit", "is_fraud"]]
    schema = Schema(columns=(Column(name="amount"), Column(name="limit")))
    one = build_system(scorer(), frame, target="is_fraud", schema=schema, kind="probabilities")
    two = build_system(scorer(), (frame[["amount", "limit"]], frame["is_fraud"]), schema=schema, kind="probabilities")
    three = build_system(
        scorer(),
        (frame[["amount", "limit"]].to_numpy(), frame["is_fraud"].to_numpy()),
        schema=schema,
        kind="probabilities",
    )
    for other in (two, three):
        np.testing.assert_array_equal(one.data.x, other.data.x)
        np.testing.assert_array_equal(one.data.y, other.data.y)
    assert one.policy == load_policy("default")


def test_text_classes_keep_their_names_and_positive_is_class_one() -> None:
    frame = table(200)[["amount", "is_fraud"]]
    frame["is_fraud"] = np.where(frame["is_fraud"] == 1, "fraud", "genuine")
    system = build_system(scorer(), frame, target="is_fraud", positive="fraud", kind="probabilities")
    assert (system.classes, system.positive) == (("genuine", "fraud"), "fraud")
    np.testing.assert_array_equal(system.data.y, frame["is_fraud"] == "fraud")


def test_a_model_fitted_on_words_is_turned_to_its_positive_class() -> None:
    from sklearn.linear_model import LogisticRegression

    frame = table(200)[["amount", "is_fraud"]]
    frame["is_fraud"] = np.where(frame["is_fraud"] == 1, "bad", "good")
    model = LogisticRegression().fit(frame[["amount"]].to_numpy(), frame["is_fraud"])
    assert list(model.classes_) == ["bad", "good"]
    for positive, at in (("bad", 0), ("good", 1)):
        system = build_system(model, (frame[["amount"]].to_numpy(), frame["is_fraud"]), positive=positive)
        assert system.classes[1] == system.positive == positive
        np.testing.assert_array_equal(system.data.y, frame["is_fraud"] == positive)
        expected = model.predict_proba(frame[["amount"]].to_numpy())[:, at]
        np.testing.assert_allclose(system.target.scores(system.data.x)[:, 1], expected)
    with pytest.raises(ConfigError, match=r"holds 3 classes \(0, 1, 2\), the model scores 2"):
        build_system(model, (frame[["amount"]].to_numpy(), np.arange(len(frame)) % 3))


def test_a_regression_keeps_its_values() -> None:
    frame = table()[["amount", "limit"]]
    system = build_system(lambda x: x[:, :1], frame, target="amount", kind="value")
    assert system.classes == ()
    np.testing.assert_array_equal(system.data.y, frame["amount"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f.head(3), "3 row"),
        (lambda f: f.head(0), "0 row"),
        (lambda f: f[f["is_fraud"] == 0], "only one class: 0"),
        (lambda f: f.rename(columns={"is_fraud": "isfraud"}), "no column 'is_fraud'"),
        (lambda f: f.set_axis(["amount", "amount", "is_fraud"], axis=1), "duplicated columns: amount"),
        (lambda f: f.assign(is_fraud=f["is_fraud"].where(f.index > 0)), "empty in 1 row"),
        (lambda f: f.assign(extra=1.0), "does not know: extra"),
        (lambda f: f.drop(columns="limit"), "no column 'limit'"),
        (lambda f: f.to_dict(), "data is a dict"),
        (lambda f: (f[["amount", "limit"]], f["is_fraud"].head(5)), "60 rows and y has 5"),
        (lambda f: (f[["amount"]].to_numpy(), f["is_fraud"]), r"shape \(60, 1\)"),
    ],
)
def test_data_that_cannot_be_assessed_is_refused_with_the_fix(change: Any, says: str) -> None:
    frame = table()[["amount", "limit", "is_fraud"]]
    schema = Schema(columns=(Column(name="amount"), Column(name="limit")))
    with pytest.raises(ConfigError, match=says) as caught:
        build_system(scorer(), change(frame), target="is_fraud", schema=schema, kind="probabilities")
    assert caught.value.fix or "shape" in says


def test_unknown_arguments_get_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="no 'purpos'") as caught:
        build_system(scorer(), table(), target="is_fraud", purpos="x")
    assert "purpose" in caught.value.fix


def test_a_remote_model_needs_permission() -> None:
    with pytest.raises(ConfigError, match="need permission"):
        build_system("https://bank.example/score", table(), target="is_fraud")


# -- policies ---------------------------------------------------------------------------------------------------------


def test_the_shipped_policy_gives_a_reason_for_every_limit() -> None:
    policy = load_policy()
    assert policy.name == "default"
    assert len(policy.requirements) >= 10
    assert all(requirement.reason and requirement.line for requirement in policy.requirements)
    assert len({requirement.line for requirement in policy.requirements}) == len(policy.requirements)


def test_a_policy_file_beside_the_system_is_read_with_its_waiver(folder: Path) -> None:
    (folder / "ours.yaml").write_text(
        "name: ours\nrequirements:\n  - id: a\n    metric: stress.*.loss\n    at_most: 0.1\n    slice: 'country=*'\n"
        "    confidence: 0.9\n    waiver: {by: risk, reason: known, until: 2027-01-31}\n"
    )
    start, end = YAML.index("policy:"), YAML.index("assess:")
    (folder / "temper.yaml").write_text(YAML[:start] + "policy: ours.yaml\n" + YAML[end:])
    policy = load_system(folder / "temper.yaml").policy
    (requirement,) = policy.requirements
    assert (policy.name, requirement.line, requirement.slice, requirement.confidence) == ("ours", 3, "country=*", 0.9)
    assert requirement.waiver is not None
    assert requirement.waiver.until == date(2027, 1, 31)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ([], "needs a list"),
        ([{"id": "a", "metric": "m"}], "needs exactly one"),
        ([{"id": "a", "metric": "m", "at_most": float("nan")}], "expected a number"),
        ([{"id": "a", "metric": "m", "at_most": 0.1}] * 2, "duplicated requirement 'a'"),
        ([{"id": "a", "metric": "m", "at_most": 0.1, "waiver": {"by": "x", "reason": "y"}}], "waiver.until is missing"),
        (
            [{"id": "a", "metric": "m", "at_most": 0.1, "waiver": {"by": "x", "reason": "y", "until": "soon"}}],
            "a date like",
        ),
        (["auc"], "a requirement is a mapping"),
        ("nowhere.yaml", "cannot read nowhere.yaml"),
    ],
)
def test_a_wrong_policy_is_refused(spec: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_policy(spec)


def test_a_policy_that_is_one_is_taken_as_it_is() -> None:
    policy = Policy(name="mine")
    assert load_policy(policy) is policy


def with_model(folder: Path, model: str) -> Path:
    """The yaml with another model line."""
    lines = [f"model: {model}" if line.startswith("model:") else line for line in YAML.splitlines()]
    (folder / "temper.yaml").write_text("\n".join(lines) + "\n")
    return folder / "temper.yaml"


def test_a_url_is_asked_with_the_headers_and_limits_the_file_names(folder: Path) -> None:
    settings = "headers: {X-Key: BANK_KEY}, timeout: 3, batch: 64, max_requests: 500"
    model = f'{{url: "http://127.0.0.1:9/score", authorised_by: me, kind: probabilities, threshold: 0.5, {settings}}}'
    target: Any = load_system(with_model(folder, model)).target
    assert (target.headers, target.timeout, target.batch, target.max_requests) == ({"X-Key": "BANK_KEY"}, 3, 64, 500)


def test_settings_of_a_url_are_refused_for_a_model_in_code(folder: Path) -> None:
    model = '{callable: "scorer.py:predict", batch: 64}'
    with pytest.raises(ConfigError, match="batch is for a model behind a url"):
        load_system(with_model(folder, model))
