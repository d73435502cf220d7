"""After a verdict: the report in every form, two runs side by side, a finding shown again, a defence that is proven."""

import json
import shutil
import xml.etree.ElementTree as ElementTree

import pytest

import temper
from scenarios.story import ATTACKED, WRAPPED, Folder, refused
from temper.engine.harden import ANY, harden
from temper.engine.plan import plan
from temper.engine.reattack import Reattack, deciding
from temper.engine.task import SUITES, Sizes
from temper.kernels.rate import wilson

ATTACK = ("--only", "evasion.coordinate")
SEARCHES = (*ATTACK, "--only", "evasion.random_search")
CHECK = ("--only", "validation.performance")
UNMOVED = "np.where(x[:, 15] > 0.01, 0.9, 0.2)"
"""A model that looks only at a column which no attacker can change: the share of frauds at the terminal."""
LIMIT = "id: holds, metric: evasion.coordinate.success_rate, at_most: 0.05, reason: a story"


def finding(system):
    return system.store.run().findings[0]


def answers(system, expression):
    """The model becomes this expression of the matrix `x`: the score of class 1."""
    code = f"import numpy as np\ndef answer(x):\n    p = {expression}\n    return np.column_stack([1 - p, p])\n"
    return system.function(code, version='"1"')


@pytest.mark.parametrize("form", ["html", "json", "junit", "sarif", "text"])
def test_a_report_comes_in_every_form_and_twice_the_same(desk, failed, form):
    first, again = (desk("report", "last", "-c", failed.config, "--format", form) for _ in range(2))
    assert first.code == 0, first.all
    assert first.out == again.out
    assert (finding(failed).id if form != "junit" else "holds") in first.out


def test_the_forms_for_machines_are_well_formed_and_keep_their_schemas(desk, failed):
    import jsonschema

    from temper.report.json import schema

    told = {form: desk("report", "-c", failed.config, "--format", form).out for form in ("json", "junit", "sarif")}
    jsonschema.Draft202012Validator(schema()).validate(json.loads(told["json"]))
    sarif = json.loads(told["sarif"])
    assert sarif["version"] == "2.1.0"
    assert [result["level"] for result in sarif["runs"][0]["results"]]
    suite = ElementTree.fromstring(told["junit"])
    assert any(case.find("failure") is not None for case in suite.iter("testcase"))


def test_a_report_is_written_into_a_new_folder(desk, failed, tmp_path):
    out = tmp_path / "a" / "new" / "report.html"
    told = desk("report", "-c", failed.config, "--out", out)
    assert told.code == 0, told.all
    assert str(out) in told.out
    assert finding(failed).id in out.read_text(encoding="utf-8")


def test_a_form_nobody_knows_is_answered_with_those_that_are(desk, failed):
    refused(desk("report", "-c", failed.config, "--format", "papyrus"), "papyrus", "sarif")


def test_the_page_needs_nothing_from_anywhere_else(desk, failed):
    page = desk("report", "-c", failed.config, "--format", "html").out
    assert "<svg" in page
    assert not [word for word in ('src="http', 'href="http', "@import", "url(http") if word in page]


def test_a_finding_of_the_same_model_is_still_there(desk, failed):
    told = desk("replay", finding(failed).id, "-c", failed.config)
    assert told.code == 1, told.all
    assert "STILL THERE" in told.out


def test_a_finding_may_be_named_by_its_first_letters(desk, failed):
    told = desk("replay", finding(failed).id[:5], "-c", failed.config)
    assert finding(failed).id in told.out


def test_a_finding_of_a_model_that_was_mended_is_fixed(desk, failed):
    mended = finding(failed).id
    told = desk("replay", mended, "-c", answers(failed, UNMOVED).config)
    assert told.code == 0, told.all
    assert "FIXED" in told.out


def test_rows_that_still_change_sides_are_still_there_even_when_the_attack_cannot_run(desk, failed):
    code = f"{WRAPPED}{ATTACKED}\ndef answer(x):\n    return [][0] if attacked() else scored(x)\n"
    told = desk("replay", finding(failed).id, "-c", failed.function(code, version='"1"').config)
    assert told.code == 1, told.all
    assert "STILL THERE" in told.out


def test_an_attack_that_cannot_run_again_does_not_read_as_fixed(desk, failed):
    code = f"{WRAPPED}{ATTACKED}\ndef answer(x):\n    if attacked():\n        return [][0]\n    p = {UNMOVED}\n"
    failed.function(code + "    return np.column_stack([1 - p, p])\n", version='"1"')
    told = desk("replay", finding(failed).id, "-c", failed.config)
    assert "FIXED" not in told.all
    refused(told, "could not show whether it is fixed", "IndexError", code=4)


def test_a_finding_is_shown_again_when_its_rows_are_gone(desk, failed):
    failed.write(failed.frame().iloc[300:].reset_index(drop=True))
    told = desk("replay", finding(failed).id, "-c", failed.config)
    assert told.code in (0, 1), told.all


def test_sample_numbers_of_ones_own_may_come_in_any_order(desk, system):
    """Whatever order the ids have, a finding names columns that its rows really changed."""
    for part in ("test", "train"):
        frame = system.frame(part)
        system.write(frame.assign(number=[(7919 * at) % 10_007 for at in range(len(frame))][::-1]), part)
    system.edit("target: is_fraud", "target: is_fraud, id: number").requires(LIMIT)
    told = desk.assess(system, *ATTACK)
    assert told.code == 1, told.all
    numbers = set(system.frame()["number"])
    immutable = ("tenure_months", "age_band", "n_30d", "terminal_n_28d")
    assert {example.sample for example in finding(system).examples} <= numbers
    assert not [name for name in immutable if name in finding(system).detail]
    told = desk("replay", finding(system).id, "-c", system.config)
    assert "still change sides: 0 of" not in told.out
    assert "STILL THERE" in told.out


def test_a_finding_of_a_check_can_be_shown_again(desk, system):
    answers(system, "np.where(x[:, -1] > 1, 0.9, 0.1) + 0.001 * (x[:, 0] % 7)")
    desk.assess(system, "--only", "validation.fairness")
    found = [f for f in system.store.run().findings if "fairness" in f.plugin]
    assert found, system.store.run().measurements
    told = desk("replay", found[0].id, "-c", system.config)
    assert told.code == 1, told.all
    assert "STILL THERE" in told.out


def test_a_finding_of_stress_can_be_shown_again(desk, system):
    code = f"{WRAPPED}\ndef answer(x):\n    p = np.where(np.isnan(x).any(1), 0.01, scored(x)[:, 1])\n"
    system.function(code + "    return np.column_stack([1 - p, p])\n", version='"1"')
    desk.assess(system, "--only", "stress")
    found = [f for f in system.store.run().findings if f.plugin.startswith("stress.")]
    assert found, system.store.run().measurements
    told = desk("replay", found[0].id, "-c", system.config)
    assert told.code == 1, told.all


def test_two_runs_of_one_model_differ_in_nothing(desk, failed):
    desk.assess(failed, *ATTACK, "--fresh")
    told = desk("compare", "0001", "0002", "-c", failed.config)
    assert told.code == 0, told.all
    assert "worse" not in told.out
    assert "unchanged" in told.out


def test_a_weaker_model_is_worse_in_the_comparison(desk, system):
    desk.assess(system, *CHECK)
    answers(system, "0.2 + 0.6 * ((x[:, 0] * 100 + x[:, 1]) % 5 / 5)")
    desk.assess(system, *CHECK)
    told = desk("compare", "1", "last", "-c", system.config)
    assert told.code == 0, told.all
    assert "worse" in told.out
    assert "new: The model hardly ranks better than chance" in told.out


def test_a_finding_nobody_looked_for_again_does_not_read_as_fixed(desk, failed):
    desk.assess(failed, *CHECK)
    told = desk("compare", "1", "2", "-c", failed.config)
    assert "fixed" not in told.out
    assert "not looked for again: " in told.out


def test_a_finding_that_was_looked_for_and_is_gone_is_fixed(desk, failed):
    desk.assess(answers(failed, UNMOVED), *ATTACK)
    told = desk("compare", "1", "2", "-c", failed.config)
    assert "fixed: " in told.out


@pytest.mark.slow
def test_hardening_writes_a_system_that_holds_better_and_says_how_much(desk, written, tmp_path, monkeypatch):
    sizes = Sizes(attacked=60, held_out=2_000, trained=3_000, doses=(0.02,), repeats=2, students=300, replicates=200)
    monkeypatch.setitem(SUITES, "quick", sizes)
    bank = Folder(shutil.copytree(written.parent / "full", tmp_path / "full"))
    before = desk.assess(bank, *SEARCHES)
    assert before.code == 1, before.all
    told = desk("harden", "-c", bank.config, "--engine", "serial")
    assert told.code == 0, told.all
    for defence in ("augment", "monotone", "regularise", "anchored", "coarse", "combined"):
        assert defence in told.out  # those that did not help are told as well
    assert "holds better" in told.out
    hardened = Folder(bank.path / "hardened")
    again = desk.assess(hardened, *SEARCHES)
    assert again.code in (0, 1, 3), again.all
    assert worst(bank, "last") < worst(bank, "0001")  # the hardened system shares the store around it


def worst(system, run):
    """The highest success rate of the evasions of a run."""
    return max(
        m.value for m in system.store.run(run).measurements if m.metric == "success_rate" and m.value is not None
    )


@pytest.mark.slow
def test_a_defence_carries_over_to_payments_of_another_make(tmp_path):
    """Everything together loses for certain, and of random search alone the two separate intervals do not touch."""
    from temper.demos import held_out

    system = temper.load(held_out.write(tmp_path, seed=0))
    planned = plan(system, "quick", ["evasion"], 0)
    found = harden(system, evaluate=Reattack(world=planned.world, tasks=deciding(planned.tasks)), defences=["anchored"])
    assert found.chosen is not None, [trial.outcome for trial in found.trials]
    assert found.chosen.p_holm < 0.01
    assert found.chosen.effect(ANY).high < 0
    alone = found.chosen.effect("evasion.random_search.success_rate")
    assert wilson(round(alone.after * alone.n), alone.n)[1] < wilson(round(alone.before * alone.n), alone.n)[0]


@pytest.mark.slow
def test_hardening_that_helps_nothing_says_so_and_changes_nothing(desk, system):
    """A callable cannot be fitted again, so no defence applies."""
    system.requires(LIMIT).function(f"{WRAPPED}\nanswer = scored\n", version='"1"')
    desk.assess(system, *ATTACK)
    told = desk("harden", "-c", system.config, "--engine", "serial")
    assert "Traceback" not in told.all
    assert "bug in Temper" not in told.all
    assert not (system.path / "hardened").exists()
    assert "no defence" in told.all.lower()


def test_hardening_without_training_rows_names_the_way_out(desk, failed):
    failed.edit("train: train.parquet, ", "")
    refused(desk("harden", "-c", failed.config, "--engine", "serial"), "data.train")


def test_hardening_for_a_finding_nobody_knows_is_refused(desk, failed):
    refused(desk("harden", "--for", "F-nothing", "-c", failed.config), "F-nothing")
