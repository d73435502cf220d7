"""Policies after texts: every metric and reference exists, mistakes are refused with their line, waivers lapse."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from temper.cli import app
from temper.config.metrics import checked, found
from temper.config.policy import SHIPPED, TEMPLATES, load_policy, policy_at, policy_text, template
from temper.core.errors import ConfigError, TemperError
from temper.core.measure import Measurement
from temper.core.requirement import Requirement, Verdict
from temper.core.room import Room
from temper.threats.taxonomies import taxonomies
from temper.validation.gate import judge

FAMILIES = ("evasion", "poisoning", "extraction", "inversion", "stress", "injection", "assistant", "load", "fuzz")


@pytest.mark.parametrize("name", SHIPPED)
def test_each_metric_a_policy_names_exists_and_so_does_each_text(name):
    checks = Room("temper.validation").names()
    for one in load_policy(name).requirements:
        assert any(found(one.metric)), one.metric
        assert one.metric.partition(".")[0] in (*checks, *FAMILIES), one.metric
        for reference in one.references:
            table, _, item = reference.partition(":")
            assert item in taxonomies()[table].titles, reference


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_says_what_it_is_for_and_that_the_text_has_to_be_read(name):
    policy = load_policy(name)
    assert policy.about
    assert all(one.references and one.reason for one in policy.requirements)
    assert policy.sources
    assert all(one.note == "check the official text" and date.fromisoformat(one.date) for one in policy.sources)


def of(tmp_path, text):
    path = tmp_path / "policy.yaml"
    path.write_text(f"name: mine\n{text}")
    return load_policy(path)


@pytest.mark.parametrize(("text", "what"), [
    ("requirements:\n  - {id: a, metric: performance.aucc, at_least: 0.7}", "3: .*did you mean 'performance.auc'"),
    ("requirements:\n  - {id: a, metric: preformance.auc, at_least: 0.7}", "3: .*did you mean 'performance.auc'"),
    ("requirements:\n  - {id: a, metric: calibration.banana, at_most: 0.7}", "3: calibration does not measure"),
    ("requirements:\n  - {id: a, metric: performance.auc, at_least: 70}", "3: .*impossible.*between 0 and 1"),
    ("requirements:\n  - {id: a, metric: evasion.*.success_rate, at_most: -0.1}", "3: .*impossible"),
    ("requirements:\n  - {id: a, metric: artifact.findings, at_most: -1}", "3: .*at or above 0"),
    ("requirements:\n  - {id: a, metric: performance.r2, at_least: 1.5}", "3: .*at or below 1"),
    ("requirements:\n  - {id: a, metric: performance.auc, at_least: 0.7}\n"
     "  - {id: a, metric: performance.f1, at_least: 0.7}", "4: duplicated requirement 'a'"),
    ("approvals: -1\nrequirements:\n  - {id: a, metric: performance.auc, at_least: 0.7}", "2: approvals is -1"),
    ("sources:\n  - {id: x, title: t}\nrequirements:\n  - {id: a, metric: performance.auc, at_least: 0.7, "
     "references: ['y:1']}", "5: 'a' refers to 'y'"),
])  # fmt: skip
def test_a_mistake_is_refused_with_its_line(tmp_path, text, what):
    with pytest.raises(ConfigError, match=f"policy.yaml:{what}"):
        of(tmp_path, text)


def test_what_a_plugin_of_somebody_else_measures_is_for_them_to_say():
    checked(Requirement(id="a", metric="our_own_check.surprise", at_most=7.0))


def test_a_waiver_works_until_its_day_and_says_that_it_lapsed(tmp_path):
    policy = of(tmp_path, "requirements:\n  - {id: a, metric: performance.auc, at_least: 0.9, "
                          "waiver: {by: pat, reason: known, until: 2026-06-30}}")  # fmt: skip
    low = Measurement(plugin="performance", metric="auc", value=0.5, low=0.4, high=0.6, n=100)
    before, after = (judge(policy, [low], date(2026, month, 1))[0] for month in (6, 7))
    assert (before.verdict, after.verdict) == (Verdict.WAIVED, Verdict.FAIL)
    assert "Its waiver by pat lapsed on 2026-06-30." in after.explanation


def test_a_policy_is_listed_shown_copied_and_says_how_many_approve(tmp_path):
    told = CliRunner().invoke(app, ["policy", "templates"]).output
    assert "bank-tier-1\t2\t24\t" in told
    assert "check the official text" in told
    assert CliRunner().invoke(app, ["policy", "templates", "--show", "image-safety"]).output == template("image-safety")
    with pytest.raises(ConfigError, match="did you mean 'bank-tier-"):
        template("bank-tier-9")
    config = tmp_path / "temper.yaml"
    config.write_text("policy: bank-tier-1\n")
    assert (policy_at(config).approvals, policy_text(config)) == (2, template("bank-tier-1"))
    config.write_text("policy: [{id: a, metric: performance.auc, at_least: 0.7}]\n")
    assert (policy_at(config).approvals, policy_text(config)) == (0, config.read_text())


def test_init_copies_the_policy_that_was_asked_for(tmp_path):
    import pandas as pd

    from temper.config.init import write

    pd.DataFrame({"amount": [1.0, 2.0] * 20, "y": [0, 1] * 20}).to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "m.py").write_text("def predict(x):\n    return x\n")
    out = tmp_path / "temper.yaml"
    text = write(f"{tmp_path}/m.py:predict", tmp_path / "rows.csv", "y", out, policy="high-stakes-tabular")
    assert "policy: policy.yaml  # after high-stakes-tabular" in text
    assert load_policy(tmp_path / "policy.yaml").approvals == 2
    with pytest.raises(ConfigError, match=r"policy.yaml is already there"):
        write(f"{tmp_path}/m.py:predict", tmp_path / "rows.csv", "y", tmp_path / "b.yaml", policy="image-safety")


def judged_run(verdict):
    """A run with this verdict that judged something."""
    from temper.testing.records import record

    return record(verdict=verdict)


def test_the_alias_of_a_registry_moves_on_a_pass_only():
    """The contract of MLflow's client, by name and version; `bench.governance.registry` holds it against a server."""
    from temper.engine.registry import publish
    from unit.test_approvals import record

    calls = []
    fake = SimpleNamespace(
        set_model_version_tag=lambda name, version, key, value: calls.append((name, version, key, value)),
        set_registered_model_alias=lambda name, alias, version: calls.append((name, alias, version)),
        get_model_version=lambda name, version: SimpleNamespace(aliases=["champion"] if version == "6" else []),
    )
    told = [*publish(judged_run("fail"), "fraud", "7", alias="champion", client=fake)]
    assert ("fraud", "7", "temper.verdict", "fail") in calls
    assert ("fraud", "7", "temper.simulated", "false") in calls
    assert ("fraud", "champion", "7") not in calls
    assert "only PASS moves it" in told[-1]
    assert "by hand" in [*publish(judged_run("fail"), "fraud", "6", alias="champion", client=fake)][-1]
    assert "only PASS" in [*publish(record(), "fraud", "7", alias="champion", client=fake)][-1], "it judged nothing"
    [*publish(judged_run("pass"), "fraud", "7", alias="champion", client=fake)]
    assert calls[-1] == ("fraud", "champion", "7")


def test_what_the_registry_refuses_is_one_sentence_and_a_fault_of_ours_is_not_hidden():
    from temper.engine.registry import publish

    refusal = type("MlflowException", (Exception,), {"__module__": "mlflow.exceptions"})

    def refuse(*words):
        raise refusal("Registered Model with name=fraud not found\nmore")

    with pytest.raises(TemperError) as told:
        [*publish(judged_run("pass"), "fraud", "7", client=SimpleNamespace(set_model_version_tag=refuse))]
    assert told.value.message == "the registry refused fraud version 7: Registered Model with name=fraud not found"
    with pytest.raises(AttributeError):
        [*publish(judged_run("pass"), "fraud", "7", client=SimpleNamespace())]
