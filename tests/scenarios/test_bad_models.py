"""Models that are broken, fail on some rows, hang or take their process with them: told, survived, never believed."""

import time
from dataclasses import replace

import pytest

from scenarios.story import ATTACKED, WRAPPED, fixed
from temper.engine.task import SUITES


def test_a_model_that_wants_other_columns_is_refused_with_the_difference(desk, system):
    import xgboost

    from temper.demos import fraud

    learned = fraud.rows(system.frame("train").rename_axis(None))
    other = xgboost.XGBClassifier(n_estimators=2).fit(learned.x[:, :5], learned.y)
    other.save_model(system.path / "model.ubj")
    fixed(desk.assess(system), "fitted on 5 columns", "22")


def test_a_model_that_names_other_columns_is_refused_with_the_names(desk, system):
    import xgboost

    frame = system.frame("train").select_dtypes("number").rename(columns={"amount": "money"})
    other = xgboost.XGBClassifier(n_estimators=2).fit(frame.drop(columns="is_fraud"), frame["is_fraud"])
    other.save_model(system.path / "model.ubj")
    fixed(desk.assess(system), "the schema lacks 'money'")


def test_a_file_that_is_no_model_is_refused(desk, system):
    (system.path / "model.ubj").write_bytes(b"{not a model")
    fixed(desk.assess(system), "model.ubj", "cannot be read as a model")


def test_an_ending_nobody_knows_is_answered_with_those_that_are(desk, system):
    (system.path / "model.xyz").write_bytes(b"x")
    system.model("path: model.xyz")
    fixed(desk.assess(system), "model.xyz", ".onnx", ".ubj")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("np.full((len(x), 2), np.nan)", "not finite"),
        ("np.column_stack([scored(x)[:, 0], np.full(len(x), np.inf)])", "not finite"),
        ("scored(x)[:, 1]", "returned (8,)"),
        ("scored(x)[:3]", "("),
        ("scored(x) * 2", "probabilities"),
        ("(scored(x) > 0.5).astype(float)", "labels, not scores"),
        ("scored(x + np.random.default_rng().normal(size=x.shape))", "then with"),
        ("scored(x - x.mean(axis=0))", "alone"),
        ("scored(x.__imul__(0))", "changed its input"),
        ("[][0]", "IndexError"),
        ("'a string'", "str and not numbers"),
        ("None", "returned ()"),
    ],
)
def test_a_model_that_breaks_its_contract_is_refused_before_anything_is_spent(desk, system, answer, says):
    system.function(f"{WRAPPED}\ndef answer(x):\n    return {answer}\n")
    fixed(desk.assess(system), says)
    assert not (system.path / "runs").exists()


def test_a_callable_that_is_not_there_is_answered_with_what_is(desk, system):
    system.function(f"{WRAPPED}\nanswers = scored\n")
    fixed(desk.assess(system), "has no 'answer'", "answers")


def test_a_file_of_code_that_does_not_run_is_told_in_one_sentence(desk, system):
    system.function("import nothing_of_this_name\n")
    fixed(desk.assess(system), "nothing_of_this_name")
    system.function("def answer(x:\n")
    fixed(desk.assess(system), "own2.py", "SyntaxError")
    system.function("raise SystemExit('bye')\n")
    fixed(desk.assess(system), "own3.py", "bye")


def test_a_regression_declared_as_classes_is_refused(desk, system):
    system.function(f"{WRAPPED}\ndef answer(x):\n    return scored(x)[:, 1:]\n", classes=3)
    fixed(desk.assess(system), "classes")


SOMETIMES = """
def answer(x):
    if len(x) > 8 or not np.isin(x[:, 0], FIRST).all():
        bad = (np.round(x[:, 0] * 100) % 7) == 3
        if bad.any():
            raise ValueError("no quote for this amount")
    return scored(x)
"""


def test_rows_on_which_the_model_raises_are_errors_and_the_run_goes_on(desk, system):
    first = [float(value) for value in system.frame()["amount"][:16]]
    system.function(f"{WRAPPED}\nFIRST = {first}\n{SOMETIMES}", version='"1"')
    told = desk.assess(system, "--only", "evasion.coordinate", "--only", "validation.performance")
    assert "Traceback" not in told.all
    assert told.code in (1, 4), told.all
    record = system.store.run()
    assert record.state == "finished"
    assert statuses(system)["performance"] == ("error", "ValueError: no quote for this amount")
    rate = next(m for m in record.measurements if m.name == "evasion.coordinate.success_rate")
    assert rate.undecided > 0
    assert any("no quote for this amount" in caveat for caveat in rate.caveats)


def test_rows_without_a_finite_answer_are_errors_and_the_run_goes_on(desk, system):
    system.function(
        f"""{WRAPPED}
def answer(x):
    found = scored(x)
    found[(np.round(x[:, 0] * 100) % 7 == 3) & ~np.isin(x[:, 0], FIRST)] = np.nan
    return found
FIRST = {[float(value) for value in system.frame()["amount"]]}
""",
        version='"1"',
    )
    told = desk.assess(system)
    assert told.code in (1, 3), told.all
    rate = system.store.run().measurements[0]
    assert rate.undecided > 0
    assert any("not finite" in caveat for caveat in rate.caveats)


def test_a_model_that_hangs_is_given_up_when_it_is_looked_at(desk, system, monkeypatch):
    from temper.config import order
    from temper.engine import assess

    monkeypatch.setattr(order, "_PATIENCE", 0.5)
    monkeypatch.setattr(assess, "_PATIENCE", 0.5)
    system.function("import time\ndef answer(x):\n    time.sleep(6)\n")
    started = time.monotonic()
    fixed(desk.assess(system), "did not answer", "0.5 s")
    assert time.monotonic() - started < 4


TWO = ("--only", "evasion.coordinate", "--only", "validation.calibration")


def statuses(system):
    """Status and reason of each plugin's first figure."""
    found = {}
    for m in system.store.run().measurements:
        found.setdefault(m.plugin.removeprefix("validation."), (m.status.value, m.reason))
    return found


@pytest.fixture
def impatient(monkeypatch):
    """Sets the seconds every task may take."""
    from temper.engine.task import Task

    return lambda seconds: monkeypatch.setitem(Task.__init__.__kwdefaults__, "seconds", seconds)


@pytest.mark.parametrize(
    ("engine", "seconds"), [("serial", 1.0), pytest.param("processes", 15.0, marks=pytest.mark.slow)]
)
def test_a_task_that_hangs_is_given_up_and_the_others_finish(desk, system, impatient, engine, seconds):
    impatient(seconds)
    told = f"{WRAPPED}{ATTACKED}\ndef answer(x):\n    time.sleep({seconds + 5} * attacked())\n    return scored(x)\n"
    system.function(told, version='"1"')
    told = desk.assess(system, *TWO, "--engine", engine)
    assert "Traceback" not in told.all
    status, reason = statuses(system)["evasion.coordinate"]
    assert status == "error"
    assert f"no answer within {seconds:g} s" in reason
    assert statuses(system)["calibration"] == ("ok", "")
    assert told.code in (1, 4), told.all


def test_a_model_that_ends_the_program_gives_no_verdict(desk, system):
    system.function(f"{WRAPPED}\ndef answer(x):\n    raise SystemExit(0)\n")
    fixed(desk.assess(system), "SystemExit: 0")
    system.function(f"{WRAPPED}{ATTACKED}\ndef answer(x):\n    return sys.exit(0) if attacked() else scored(x)\n")
    assert desk.assess(system).code == 4
    assert "SystemExit: 0" in statuses(system)["evasion.coordinate"][1]


@pytest.mark.slow
def test_a_model_that_kills_its_process_is_an_error_row_not_a_lost_run(desk, system, monkeypatch):
    monkeypatch.setitem(SUITES, "quick", replace(SUITES["quick"], attacked=12))
    system.function(
        f"{WRAPPED}{ATTACKED}\ndef answer(x):\n    return os._exit(7) if attacked() else scored(x)\n", version='"1"'
    )
    told = desk.assess(system, *TWO, "--engine", "processes")
    assert "Traceback" not in told.all
    status, reason = statuses(system)["evasion.coordinate"]
    assert status == "error"
    assert "exit code 7" in reason
    assert statuses(system)["calibration"] == ("ok", "")
