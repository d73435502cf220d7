"""The pytest plugin, as pytest itself runs it: a run as a fixture, the requirements of a policy as tests."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.startup import HEAVY, loaded
from temper.core.requirement import Judgement, Requirement, Verdict, Waiver
from temper.core.run import Record
from temper.testing.records import HOSTILE, record

ROOT = Path(__file__).parents[2]
pytest_plugins = ["pytester"]

POLICY = """
- {id: bounded, metric: evasion.noise.success_rate, at_most: 0.3, reason: refunds go to whoever evades}
- {id: fair, metric: fairness.tpr_gap, at_most: 0.01}
"""
SYSTEM = "model: {path: none}\ndata: {test: none}\npolicy: policy.yaml\n"
OBJECT = """
import numpy as np, pytest, temper.core.errors
from temper.testing.toys import Counted, Linear

TOY = Counted(inner=Linear(weights=(4.0, 0.0)))

@pytest.fixture(scope="session")
def system():
    x = np.random.default_rng(0).normal(0, 1, (80, 2))
    return temper.System(model=TOY, data=(x, (x[:, 0] > 0).astype(int)), version="1")

def test_first(temper_assess, system):
    run = temper_assess(system, suite="quick", only=["validation.performance"], engine="serial")
    assert {m.plugin for m in run.measurements} == {"performance"}
    TOY.asked.clear()

def test_second(temper_assess, system):
    temper_assess(system, suite="quick", only=["validation.performance"], engine="serial")
    assert TOY.rows == 0

def test_another_question(temper_assess, system):
    for _ in range(2):
        with pytest.raises(temper.core.errors.TemperError, match="no family"):
            temper_assess(system, suite="quick", only=["nonsense"], engine="serial")
"""


@pytest.fixture
def ask(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Run pytest in a folder of its own; the plugin is there by its entry point, where that is installed.

    What it imports stays: forgetting modules of NumPy's kind breaks every test after this one.
    """
    monkeypatch.setattr("_pytest.pytester.SysModulesSnapshot.restore", lambda _: None)
    there = any(one.value == "temper.testing.pytest_plugin" for one in entry_points(group="pytest11"))
    plugin = () if there else ("-p", "temper.testing.pytest_plugin")
    return lambda *words: pytester.runpytest_inprocess(*plugin, "-p", "no:hypothesispytest", *words)


@pytest.fixture
def policy(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[[Record], list[dict[str, Any]]]:
    """A temper.yaml in that folder, whose assessment gives this record; what was asked for it is kept."""
    pytester.path.joinpath("policy.yaml").write_text(f"name: p\nrequirements:{POLICY.replace(chr(10), chr(10) + '  ')}")
    pytester.path.joinpath("temper.yaml").write_text(SYSTEM)
    asked: list[dict[str, Any]] = []

    def gives(given: Record) -> list[dict[str, Any]]:
        def assess(system: Any, **how: Any) -> Any:
            asked.append(how)
            return SimpleNamespace(record=given)

        monkeypatch.setattr("temper.api.assess", assess)
        monkeypatch.setattr("temper.api.load", lambda path, **_: SimpleNamespace(source=str(path)))
        return asked

    return gives


def ruled(bounded: Verdict, fair: Verdict = Verdict.PASS, **more: Any) -> Record:
    """A run with these verdicts on both requirements."""
    rules = (
        Requirement(id="bounded", metric="evasion.noise.success_rate", at_most=0.3, reason="refunds"),
        Requirement(id="fair", metric="fairness.tpr_gap", at_most=0.01, **more),
    )
    figures = {"measured": "evasion.noise.success_rate", "value": 0.45, "low": 0.31, "high": 0.6, "n": 40}
    told = (
        Judgement(requirement=rules[0], verdict=bounded, needed=900, explanation="said so", **figures),
        Judgement(requirement=rules[1], verdict=fair, measured="fairness.tpr_gap", value=0.1, low=0.02, high=0.2, n=90),
    )
    return replace(record(verdict="fail"), judgements=told)


def test_the_same_question_is_asked_once_and_another_one_anew(
    ask: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(OBJECT)
    ask().assert_outcomes(passed=3)
    assert sorted(path.name for path in pytester.path.iterdir() if path.name.startswith(".")) == [".pytest_cache"]


def test_every_requirement_is_a_test_and_one_run_answers_them_all(
    ask: Callable[..., pytest.RunResult], policy: Any, pytester: pytest.Pytester
) -> None:
    asked = policy(ruled(Verdict.FAIL))
    words = ("--temper", "temper.yaml", "--temper-suite", "quick", "--temper-store", "kept", "-v")
    result = ask(*words)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "temper.yaml::bounded FAILED*",
            "temper.yaml::fair PASSED*",
            "FAIL: measured 45 % (31 % to 60 %, n = 40), asked ≤ 30 %: said so",
            "asked because: refunds (severity high)",
            "shown again by: temper replay F-1234",
            "run 0007, suite quick: temper report 0007*",
        ]
    )
    assert [(one["suite"], one["store"].name) for one in asked] == [("quick", "kept")]
    ask(*words, "-k", "fair", "-m", "temper").assert_outcomes(passed=1, deselected=1)


def test_what_is_not_decided_fails_in_its_own_words_and_an_error_too(
    ask: Callable[..., pytest.RunResult], policy: Any
) -> None:
    policy(ruled(Verdict.INCONCLUSIVE, Verdict.ERROR))
    result = ask("--temper", "temper.yaml")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "INCONCLUSIVE: * said so; No number of rows makes it pass at this value; "
            "about 900 would show that it fails.",
            "ERROR: *n = 90*",
        ]
    )


def test_a_waived_breach_is_an_expected_failure_with_owner_and_end(
    ask: Callable[..., pytest.RunResult], policy: Any
) -> None:
    waiver = Waiver(by="R. Ott", reason="replaced in May", until=date(2027, 5, 1))
    policy(ruled(Verdict.PASS, Verdict.WAIVED, waiver=waiver))
    result = ask("--temper", "temper.yaml", "-rx")
    result.assert_outcomes(passed=1, xfailed=1)
    result.stdout.fnmatch_lines(["XFAIL temper.yaml::fair - WAIVED: *waived by R. Ott until 2027-05-01: replaced*"])
    ask("--temper", "temper.yaml", "--runxfail").assert_outcomes(passed=1, failed=1)


def test_a_requirement_that_no_run_judged_does_not_pass(ask: Callable[..., pytest.RunResult], policy: Any) -> None:
    policy(record(empty=True))
    ask("--temper", "temper.yaml").assert_outcomes(failed=2)


def test_hostile_words_of_a_run_cannot_act_in_the_terminal(ask: Callable[..., pytest.RunResult], policy: Any) -> None:
    given = ruled(Verdict.FAIL)
    told = tuple(replace(one, explanation=HOSTILE) for one in given.judgements)
    policy(replace(given, judgements=told))
    text = ask("--temper", "temper.yaml").stdout.str()
    assert "<script>alert(1)</script>" in text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_a_mistake_in_the_file_is_one_sentence(ask: Callable[..., pytest.RunResult], pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("temper.yaml").write_text(
        "model: {path: none}\npolicy:\n- {id: a, metric: evasion.x, at_mst: 1}\n"
    )
    result = ask("--temper", "temper.yaml")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*temper.yaml:3: unknown key*at_most*"])
    assert "Traceback" not in result.stdout.str()
    pytester.path.joinpath("temper.yaml").write_text(SYSTEM)
    pytester.path.joinpath("policy.yaml").write_text(f"requirements:{POLICY.replace(chr(10), chr(10) + '  ')}")
    result = ask("--temper", "temper.yaml")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*temper.yaml:1: the model 'none' does not exist*"])


def test_other_tests_and_other_yaml_are_left_alone(
    ask: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    pytester.path.joinpath("temper.yaml").write_text("no: system")
    pytester.makepyfile("import sys\ndef test_own(): assert not {'numpy', 'temper.api'} & set(sys.modules) or True")
    ask("--strict-markers", "-W", "error").assert_outcomes(passed=1)
    assert not pytester.path.joinpath(".temper").exists()


def test_the_plugin_loads_nothing_heavy() -> None:
    assert sorted(loaded("import temper.testing.pytest_plugin") & {*HEAVY, "numpy"}) == []


def test_the_package_declares_it() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    assert declared["pytest11"] == {"temper": "temper.testing.pytest_plugin"}
