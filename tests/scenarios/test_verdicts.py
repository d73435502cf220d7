"""What an assessment ends with: its exit code, the answer for machines, and how quickly it answers again."""

import json
import time

import pytest

from scenarios.story import refused

HOLDS = "id: ranks, metric: performance.auc, at_least: 0.6, reason: better than chance"
BREAKS = "id: ranks, metric: performance.auc, at_least: 0.999999, reason: perfection"
UNDECIDED = "id: ranks, metric: performance.auc, at_least: {value}, reason: a limit inside the interval"
CHECK = ("--only", "validation.performance")
SEARCH = ("--only", "evasion.random_search")


@pytest.fixture
def checked(system):
    """The system judged by its ranking alone: quick, and under control."""
    return system.requires(HOLDS)


def auc(system):
    return next(m for m in system.store.run().measurements if m.name == "performance.auc")


def test_a_model_that_meets_its_policy_leaves_with_0(desk, checked):
    told = desk.assess(checked, *CHECK)
    assert told.code == 0, told.all
    assert "PASS" in told.out


def test_a_broken_requirement_leaves_with_1_and_names_it(desk, checked):
    told = desk.assess(checked.requires(BREAKS), *CHECK)
    assert told.code == 1, told.all
    assert "FAIL" in told.out
    assert "ranks" in told.out


def test_an_undecided_requirement_leaves_with_3_unless_that_is_allowed(desk, checked):
    desk.assess(checked, *CHECK)
    checked.requires(UNDECIDED.format(value=auc(checked).value))
    told = desk.assess(checked, *CHECK)
    assert told.code == 3, told.all
    assert "INCONCLUSIVE" in told.out
    assert desk.assess(checked, *CHECK, "--allow-inconclusive").code == 0


def test_allowing_the_inconclusive_does_not_allow_a_failure(desk, checked):
    assert desk.assess(checked.requires(BREAKS), *CHECK, "--allow-inconclusive").code == 1


def test_a_policy_that_nothing_was_measured_for_is_no_pass(desk, checked):
    checked.requires("id: holds, metric: evasion.imaginary.success_rate, at_most: 0.5")
    told = desk.assess(checked, *CHECK)
    assert told.code == 3, told.all


def test_a_waived_breach_passes_in_words_that_say_waived(desk, checked):
    checked.requires(BREAKS + ', waiver: {by: the risk officer, reason: until the new model, until: "2999-01-01"}')
    told = desk.assess(checked, *CHECK)
    assert told.code == 0, told.all
    assert "WAIVED" in told.out
    assert "the risk officer" in told.out


def test_a_waiver_that_lapsed_accepts_nothing(desk, checked):
    checked.requires(BREAKS + ', waiver: {by: the risk officer, reason: then, until: "2001-01-01"}')
    assert desk.assess(checked, *CHECK).code == 1


def test_a_run_that_cannot_be_stored_leaves_with_4(desk, checked):
    (checked.path / ".temper").write_text("a file in the way")
    refused(desk.assess(checked, *CHECK), ".temper", code=4)


def test_a_store_that_is_no_database_is_told_and_left_as_it_is(desk, checked):
    (checked.path / ".temper").mkdir()
    database = checked.path / ".temper" / "temper.db"
    database.write_bytes(b"precious, but no database" * 100)
    refused(desk.assess(checked, *CHECK), "temper.db", code=4)
    assert database.read_bytes() == b"precious, but no database" * 100


def test_json_is_valid_alone_on_standard_output_and_keeps_its_schema(terminal, checked):
    import jsonschema

    from temper.report.json import schema

    told = terminal.assess(checked, "--json", *CHECK)
    assert told.code == 0, told.all
    document = json.loads(told.out)
    jsonschema.Draft202012Validator(schema()).validate(document)
    assert document["record"]["verdict"] == "pass"
    assert told.err == ""


def test_an_error_under_json_leaves_standard_output_empty(terminal, checked):
    (checked.path / "model.ubj").unlink()
    told = terminal.assess(checked, "--json", *CHECK)
    refused(told, "model.ubj")
    assert told.out == ""


def test_an_unchanged_assessment_is_answered_from_the_store_within_a_second(desk, checked, small):
    import temper

    desk.assess(checked, "--only", "evasion.coordinate", "--only", "inversion")
    system = temper.load(checked.config)
    before = checked.store.run()
    started = time.process_time()  # a busy machine is not held against it
    again = temper.assess(system, "quick", ["evasion.coordinate", "inversion"], engine="processes")
    assert time.process_time() - started < 1.0
    assert again.record.measurements == before.measurements
    assert again.record.findings == before.findings
    assert dict(again.record.facts)["answered from the store"] == f"{len(before.tasks)} of {len(before.tasks)} tasks"


def test_fresh_measures_again_what_the_store_could_answer(desk, checked):
    desk.assess(checked, *CHECK)
    told = desk.assess(checked, *CHECK, "--fresh")
    assert dict(checked.store.run().facts)["answered from the store"] == "0 of 1 tasks"
    assert "from the store" not in told.err


@pytest.mark.slow
@pytest.mark.parametrize("change", ["model", "threshold", "rows", "seed", "options", "budget"])
def test_whatever_changes_is_measured_again(desk, system, change):
    desk.assess(system, *SEARCH)
    more = ()
    if change == "model":
        retrain(system)
    elif change == "threshold":
        system.threshold(0.45)
    elif change == "rows":
        system.write(system.frame().iloc[:-1])
    elif change == "seed":
        more = ("--seed", "1")
    elif change == "options":
        system.line("policy:", "policy: default\nassess: {options: {evasion.random_search: {at_once: 3}}}")
    else:
        system.edit("queries: 200", "queries: 150")
    desk.assess(system, *SEARCH, *more)
    assert dict(system.store.run().facts)["answered from the store"].startswith("0 of ")


def test_a_policy_that_changes_is_judged_again_from_the_same_figures(desk, checked):
    assert desk.assess(checked, *CHECK).code == 0
    told = desk.assess(checked.requires(BREAKS), *CHECK)
    assert told.code == 1
    assert "from the store" in told.err


def test_a_callable_without_a_version_is_never_answered_from_the_store(desk, checked):
    from scenarios.story import WRAPPED

    checked.function(f"{WRAPPED}\nanswer = scored\n")
    for _ in range(2):
        assert desk.assess(checked, *CHECK).code == 0
        assert dict(checked.store.run().facts)["answered from the store"] == "0 of 1 tasks"


def retrain(system, rounds=10):
    """A model of another size in the place of the old one."""
    from xgboost import XGBClassifier

    from temper.demos import fraud

    learned = fraud.rows(system.frame("train"))
    model = XGBClassifier(n_estimators=rounds, max_depth=2, n_jobs=1).fit(learned.x, learned.y)
    model.save_model(system.path / "model.ubj")
