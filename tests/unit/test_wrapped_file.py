"""Wrapped models as files: what comes back answers bit for bit as what was written."""

import json
from dataclasses import replace

import numpy as np
import pytest

import temper
from temper.api import Hardening, save_hardened
from temper.core.data import Data
from temper.core.errors import ContractError, Unsupported
from temper.core.event import silent
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.core.target import Access
from temper.engine.harden import Hardened, Trial
from temper.engine.saving import as_saved
from temper.hardening.adaptive_misinformation import AdaptiveMisinformation
from temper.hardening.detector import Detector
from temper.hardening.noise import Noise
from temper.hardening.query_budget import QueryBudget
from temper.hardening.smoothing import Smoothing
from temper.hardening.squeezing import Squeezing
from temper.targets._digest import of_object
from temper.targets._flipped import Flipped
from temper.targets.answers import Decided, Masked, Rounded
from temper.targets.load import open_target
from temper.targets.private import Private
from temper.targets.save import save
from temper.testing.toys import Constant

xgboost = pytest.importorskip("xgboost")

SCHEMA = Schema(
    columns=(
        Column(name="a", low=-4, high=4, attacker=Mutability.COSTLY),
        Column(name="b", low=-4, high=4, attacker=Mutability.COSTLY, scale=0.7),
        Column(name="c", type="integer", low=0, high=9, attacker=Mutability.COSTLY),
    )
)
DEFENCES = {
    "budgeted": QueryBudget(rows=30, volumes=(5, 12)),
    "misled": AdaptiveMisinformation(schema=SCHEMA, misled=0.1),
    "noised": Noise(spread=0.7),
    "refusing": Detector(schema=SCHEMA, refused=0.05),
    "smoothed": Smoothing(schema=SCHEMA, samples=20, threshold=0.3),
    "squeezed": Squeezing(schema=SCHEMA, width=0.3),
}


def rows(n=400, seed=0):
    numbers = np.random.default_rng(seed)
    x = np.column_stack([numbers.normal(size=n), numbers.normal(size=n), numbers.integers(0, 10, n)]).clip(-4, 9)
    x[:, :2] = x[:, :2].clip(-4, 4)
    return Data(x=x, y=(x[:, 0] + x[:, 1] + 0.3 * numbers.normal(size=n) > 0.5).astype(int))


@pytest.fixture(scope="module")
def booster():
    data = rows()
    settings = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1}
    return open_target(xgboost.train(settings, xgboost.DMatrix(data.x, data.y), 20), schema=SCHEMA)


def there_and_back(target, folder, **how):
    return open_target(save(target, folder, **how), schema=SCHEMA, positive=0 if how.get("turned") else 1)


@pytest.mark.parametrize("name", DEFENCES)
@pytest.mark.parametrize("turned", [False, True])
def test_a_wrapped_model_answers_alike_after_the_round_trip(booster, tmp_path, name, turned):
    target = Flipped(inner=booster) if turned else booster
    wrapped = DEFENCES[name].apply(target, rows(), Draws(0, name))
    again = there_and_back(wrapped, tmp_path, turned=turned)
    strange = np.vstack([rows(60, seed=1).x, [[4, -4, 0], [-4, 4, 9]]])
    np.testing.assert_array_equal(again.scores(strange), wrapped.scores(strange))
    assert again.access == wrapped.access
    assert turned or again.digest == wrapped.digest
    if Access.TREES in wrapped.access:
        np.testing.assert_array_equal(again.trees().threshold, wrapped.trees().threshold)


def test_one_wrapper_around_another_comes_back(booster, tmp_path):
    data = rows()
    inner = DEFENCES["squeezed"].apply(booster, data, Draws(0, "inner"))
    both = DEFENCES["refusing"].apply(inner, data, Draws(0, "outer"))
    again = there_and_back(both, tmp_path)
    np.testing.assert_array_equal(again.scores(data.x), both.scores(data.x))
    assert again.digest == both.digest


def test_a_turned_model_is_written_as_whoever_opens_it_turns_it(booster, tmp_path):
    turned = Flipped(inner=booster)
    again = there_and_back(turned, tmp_path, turned=True)
    np.testing.assert_array_equal(again.scores(rows().x), turned.scores(rows().x))


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"wrapper": "pickled"},
        {"model": "../model.ubj"},
        {"model": "model.wrapped"},
        {"settings": {}},
    ],
    ids=str,
)
def test_a_document_that_does_not_fit_is_refused(booster, tmp_path, change):
    path = save(DEFENCES["squeezed"].apply(booster, rows(), Draws(0, "x")), tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(ContractError, match=r"model\.wrapped"):
        open_target(path, schema=SCHEMA)


def test_a_detector_whose_arrays_do_not_fit_is_refused(booster, tmp_path):
    path = save(DEFENCES["refusing"].apply(booster, rows(), Draws(0, "x")), tmp_path)
    document = json.loads(path.read_text(encoding="utf-8"))
    document["settings"]["region"]["mean"] = [0.0]
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ContractError, match="shapes"):
        open_target(path, schema=SCHEMA)


def test_a_wrapper_that_needs_the_schema_says_so(booster, tmp_path):
    path = save(DEFENCES["squeezed"].apply(booster, rows(), Draws(0, "x")), tmp_path)
    with pytest.raises(ContractError, match="schema"):
        open_target(path)


def test_what_has_no_file_is_said_so(tmp_path):
    with pytest.raises(Unsupported, match="cannot be written"):
        save(DEFENCES["squeezed"].apply(Constant(), rows(), Draws(0, "x")), tmp_path)


YAML = """
system: {name: small}
model: {path: model.ubj, kind: probabilities, threshold: 0.5}
data: {test: test.csv, train: train.csv, target: y, positive: "POSITIVE"}
exposure: {returns: score, public: true}
actors: [{name: someone, knowledge: black-box, queries: 20, cost: 1.0, writes: [input]}]
schema:
  columns:
    a: {type: number, low: -4, high: 4, attacker: costly}
    b: {type: number, low: -4, high: 4, attacker: costly, scale: 0.7}
    c: {type: integer, low: 0, high: 9, attacker: costly}
"""


@pytest.mark.parametrize("positive", ["1", "0"])
@pytest.mark.parametrize("name", DEFENCES)
def test_a_hardened_system_with_a_wrapper_is_opened_and_assessed(booster, tmp_path, name, positive):
    booster.booster.save_model(tmp_path / "model.ubj")
    for part, seed in (("test", 1), ("train", 0)):
        data = rows(seed=seed)
        table = np.column_stack([data.x, data.y])
        np.savetxt(tmp_path / f"{part}.csv", table, delimiter=",", header="a,b,c,y", comments="", fmt="%.17g")
    (tmp_path / "temper.yaml").write_text(YAML.replace("POSITIVE", positive), encoding="utf-8")
    system = temper.load(tmp_path / "temper.yaml")
    handed = {"schema": system.schema} if hasattr(DEFENCES[name], "schema") else {}
    target = replace(DEFENCES[name], **handed).apply(system.target, system.train, Draws(0, name))
    better = replace(system, target=target, threshold=0.45)
    trial = Trial(defence=name, target=target, threshold=0.45, evaluation=None, effects=())
    result = Hardened(system=better, was=system.target, trials=(trial,), chosen=trial)
    better = as_saved(better, (result,), silent)
    path = save_hardened(Hardening(better, None, None, (result,)), tmp_path / "hardened")
    again = temper.load(path)
    assert again.target.digest == better.target.digest
    assert again.threshold == 0.45
    np.testing.assert_array_equal(again.target.scores(system.data.x), target.scores(system.data.x))
    if name == "squeezed":
        run = temper.assess(again, "quick", ["evasion.random_search"], engine="serial")
        assert [m for m in run.record.measurements if m.metric == "success_rate" and m.value is not None]


def test_a_scikit_learn_model_is_written_and_opened_again(tmp_path):
    from sklearn.ensemble import RandomForestClassifier

    data = rows(seed=0)
    model = RandomForestClassifier(n_estimators=5, random_state=0).fit(data.x, data.y)
    target = open_target(model)
    path = save(target, tmp_path)
    assert path.suffix == ".skops"
    np.testing.assert_array_equal(open_target(path).scores(data.x), target.scores(data.x))


LESS = [
    Rounded(inner=None, digits=2),
    Decided(inner=None, threshold=0.4),
    Masked(inner=None, temperature=3.0, clip=0.05),
    Private(inner=None, epsilon=2.0, delta=1e-5),
]


@pytest.mark.parametrize("wrapper", LESS, ids=lambda wrapper: type(wrapper).__name__)
def test_a_model_that_tells_less_is_written_and_opened_again(booster, tmp_path, wrapper):
    target = replace(wrapper, inner=booster)
    path = save(target, tmp_path)
    x = rows(seed=2).x
    np.testing.assert_array_equal(open_target(path).scores(x), target.scores(x))


def test_what_training_has_left_of_its_random_numbers_is_no_part_of_a_digest():
    one, other = (of_object({"state": np.random.RandomState(seed), "weights": [1.0]}) for seed in (0, 1))
    assert one == other != of_object({"state": np.random.RandomState(0), "weights": [2.0]})
