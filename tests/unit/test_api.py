"""The public functions, as a notebook uses them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import temper
from temper.cli._options import words
from temper.core.errors import TemperError
from temper.core.requirement import Verdict
from temper.core.schema import Column, Mutability, Schema
from temper.core.threat import Actor


def rows(n: int, seed: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (n, 4))
    return x, (x[:, 0] + 0.5 * x[:, 1] + rng.normal(0, 0.3, n) > 0).astype(int)


@pytest.fixture(scope="module")
def forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(20, max_depth=5, random_state=0).fit(*rows(400, 0))


@pytest.fixture
def system(forest: Any) -> Any:
    columns = tuple(Column(name=f"c{k}", low=-5, high=5, attacker=Mutability.COSTLY) for k in range(4))
    parts = {"data": rows(300, 1), "train": rows(400, 0), "schema": Schema(columns=columns), "threshold": 0.5}
    return temper.System(model=forest, name="toy", actors=(Actor(name="a", queries=40, cost=2.0),), **parts)


def test_a_raw_model_is_attacked_and_random_moves_stand_beside_it(forest: Any) -> None:
    x, y = rows(60, 2)
    budget = temper.Budget(norm="linf", radius=1.0, queries=60)
    result = temper.attack(forest, "evasion.random_search", x, y, budget=budget)
    broken = result.verdicts == "broken"
    assert broken.any()
    assert (np.abs(result.x_adv - x).max(axis=1) <= 1.0 + 1e-9).all()
    assert (forest.predict(result.x_adv[broken]) != y[broken]).all()
    assert (result.x_adv[~broken] == x[~broken]).all()
    assert result.queries.max() <= 60
    rate = result.success_rate
    assert rate.low is not None
    assert rate.value is not None
    assert rate.low < rate.value
    assert dict(rate.baseline)["random moves, equal budget"] <= rate.value + 0.1


def test_a_zero_radius_breaks_nothing(forest: Any) -> None:
    x, y = rows(30, 3)
    budget = temper.Budget(norm="linf", radius=0.0, queries=20)
    assert temper.attack(forest, "evasion.random_search", x, y, budget=budget).success_rate.value in (0.0, None)


@pytest.mark.parametrize(
    ("name", "words"),
    [("evasion.squares", "evasion"), ("poisoning.label_flip_random", "attacks a system, not single rows")],
)
def test_an_attack_that_does_not_fit_is_refused(forest: Any, name: str, words: str) -> None:
    with pytest.raises(TemperError, match=words):
        temper.attack(forest, name, *rows(5, 0), budget=temper.Budget(queries=5))


@pytest.mark.parametrize("name", ["evasion.square", "evasion.hopskipjump", "evasion.boundary"])
def test_the_value_of_a_regression_model_is_moved_beyond_the_tolerance(name: str) -> None:
    from sklearn.linear_model import LinearRegression

    x, y = rows(50, 0)
    model, budget = LinearRegression().fit(x, y), temper.Budget(queries=300, radius=0.5)
    found = temper.attack(model, name, x, y, budget=budget, tolerance=0.05)
    shift = np.abs(model.predict(found.x_adv) - model.predict(x))
    assert (shift[found.verdicts == "broken"] > 0.05).all()
    assert (found.verdicts == "broken").any()
    calm = temper.attack(model, name, x, y, budget=budget, tolerance=1e6)
    assert not (calm.verdicts == "broken").any()


def test_a_regression_that_shows_no_values_is_attacked_by_decisions_alone(tmp_path: Path) -> None:
    from sklearn.linear_model import LinearRegression

    from temper.core.system import Exposure

    x, y = rows(80, 0)
    columns = tuple(Column(name=f"c{k}", low=-5, high=5, attacker=Mutability.COSTLY) for k in range(4))
    parts = {"data": (x[:40], y[:40]), "train": (x[40:], y[40:]), "schema": Schema(columns=columns)}
    system = temper.System(
        model=LinearRegression().fit(x, y),
        name="value",
        actors=(Actor(name="a", queries=60, cost=2.0),),
        exposure=Exposure(returns="label"),
        **parts,
    )
    run = temper.assess(system, suite="quick", only=["evasion"], engine="serial", store=tmp_path)
    frame = run.to_frame()
    rates = frame[frame["metric"] == "success_rate"].set_index("plugin")["value"]
    assert rates["evasion.hopskipjump"] > 0.5
    assert rates["evasion.boundary"] > 0.2


def test_an_assessment_gives_a_verdict_a_frame_and_reports(system: Any, tmp_path: Path) -> None:
    run = temper.assess(system, suite="quick", only=["evasion", "validation"], engine="serial", store=tmp_path)
    assert run.verdict is Verdict.FAIL
    frame = run.to_frame()
    names = ["plugin", "metric", "value", "low", "high", "n", "unit", "status", "slice", "queries", "seconds"]
    assert list(frame.columns) == names
    assert set(frame["plugin"]) >= {"evasion.random_search", "evasion.coordinate", "performance"}
    assert json.loads(run.report(tmp_path / "r.json").read_text())["record"]["system"] == "toy"
    assert run.report(tmp_path / "r.html").read_text().startswith("<!")
    assert ElementTree.parse(run.report(tmp_path / "r.xml")).getroot().tag == "testsuites"
    assert json.loads(run.report(tmp_path / "r.sarif").read_text())["version"] == "2.1.0"
    with pytest.raises(TemperError, match=r"\.doc"):
        run.report(tmp_path / "r.doc")


def test_hardening_tells_before_and_after_on_the_same_rows(system: Any, tmp_path: Path) -> None:
    run = temper.assess(system, suite="quick", only=["evasion", "validation"], engine="serial", store=tmp_path)
    better = temper.harden(system, run, defences=["regularise", "augment"], engine="serial", store=tmp_path)
    table = better.table()
    assert {name.partition(" ")[0] for name in table["defence"]} == {"regularise", "augment"}
    union = table[table["metric"] == "evasion.any.success_rate"]
    assert len(set(union["before"])) == 1, "one before, whatever was tried"
    assert (union["low"] <= union["difference"]).all()
    assert (union["difference"] <= union["high"]).all()
    assert better.before.record == run.record
    kept = better.after.record.hardening
    assert (kept.taken if kept else ()) == better.taken
    assert kept is None or (kept.before, len(kept.effects)) == (run.record.id, len(table))


def test_what_is_measured_does_not_depend_on_the_store(system: Any, tmp_path: Path) -> None:
    first = temper.assess(system, suite="quick", only=["evasion"], engine="serial", store=tmp_path)
    again = temper.assess(system, suite="quick", only=["evasion"], engine="serial", store=tmp_path)
    fresh = temper.assess(system, suite="quick", only=["evasion"], engine="serial", store=tmp_path, fresh=True)
    values = [[(m.name, m.value, m.low, m.n) for m in run.measurements] for run in (first, again, fresh)]
    assert values[0] == values[1] == values[2]
    tasks = dict(again.record.facts)["tasks"]
    assert dict(again.record.facts)["answered from the store"] == f"{tasks} of {tasks} tasks"


def test_a_misspelt_family_is_no_empty_run(system: Any) -> None:
    with pytest.raises(TemperError, match="poisonning") as told:
        temper.assess(system, suite="quick", only=["evasion", "poisonning"], engine="serial")
    assert "'poisoning'" in str(told.value.fix)


def test_families_are_named_with_commas_or_one_by_one() -> None:
    assert words(["poisoning,extraction", "stress.missing", "inversion, artifact,"]) == [
        "poisoning",
        "extraction",
        "stress.missing",
        "inversion",
        "artifact",
    ]
    assert words(None) is None
