"""An incident becomes a test: it fails on the model that let it happen and passes on its mended twin."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from typer.testing import CliRunner

import temper
from control_store import peopled
from temper import api
from temper.cli import app
from temper.core.errors import ConfigError, TemperError
from temper.core.incident import Severity, Symptom
from temper.core.requirement import Verdict
from temper.core.system import Protected
from temper.engine.recurrence.command import Sources, make
from temper.store.control import Control

YAML = """system: {{name: shop}}
model: {{callable: "{model}.py:score", kind: probabilities, threshold: 0.5, version: "{model}"}}
data: {{test: test.csv, target: y, positive: "1"}}
schema: {{columns: {{a: {{type: number, low: 0, high: 1}}, b: {{type: number, low: 0, high: 9, attacker: free}}}}}}
policy: default
monitor: {{feed: predictions.csv, time: at, id: request, score: score, labels: labels.csv, label: y}}
{more}"""
WEAK = "(x[:, 0] > 0.5) & (x[:, 1] < 5)"
MENDED = "x[:, 0] > 0.5"
MODEL = """import numpy as np

def score(x):
    p = np.where({rule}, 0.9, 0.1)
    return np.column_stack([1 - p, p])
"""
ROWS = "a,b,y\n0.9,7,1\n0.8,6.5,1\n0.9,7,1\n0.9,1,1\n0.2,8,0\n0.9,99,1\n"
"""Two that are missed, one of them twice; two that are right; one that cannot be."""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A model that stops flagging rows whose `b` is large, and its twin that does not look at it."""
    rng = np.random.Generator(np.random.Philox(key=1))
    a, b = rng.uniform(size=60), rng.uniform(0.0, 4.0, size=60)
    rows = "".join(f"{p:.4f},{q:.4f},{int(p > 0.5)}\n" for p, q in zip(a, b, strict=True))
    (tmp_path / "test.csv").write_text(f"a,b,y\n{rows}")
    (tmp_path / "rows.csv").write_text(ROWS)
    for name, rule in (("weak", WEAK), ("mended", MENDED)):
        (tmp_path / f"{name}.py").write_text(MODEL.format(rule=rule))
    written(tmp_path, "weak")
    return tmp_path


def written(folder: Path, model: str, more: str = "", name: str = "temper.yaml") -> Path:
    (folder / name).write_text(YAML.format(model=model, more=more))
    return folder / name


@pytest.fixture
def control(shop: Path) -> Iterator[Control]:
    control = peopled(shop / "control.db")
    control.incidents.open("Large b gets through", "major", "ann", 0.0)
    yield control
    control.close()


def made(shop: Path, control: Control, sources: Sources, most: int = 200, number: int = 1) -> list[str]:
    system = temper.load(shop / "temper.yaml")
    return list(make(system, control, number, sources, lambda: api.open_store(shop, system), None, most, "ann", 1e9))


def of_rows(shop: Path) -> Sources:
    return Sources(tables=(shop / "rows.csv",))


def opened(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_only_rows_that_the_model_decides_wrongly_are_kept_each_once(shop: Path, control: Control) -> None:
    told = made(shop, control, of_rows(shop))
    assert told[0] == (
        "2 cases, each decided wrongly by the model as it is now; left out: 2 that it decides rightly; "
        "1 outside of the schema; 1 that are there twice"
    )
    kept = json.loads((shop / "regressions" / "incident-1" / "cases.json").read_text())
    assert sorted(float.fromhex(one["row"][1]) for one in kept["cases"]) == [6.5, 7.0]
    (line,) = control.incidents.get(1).tests
    assert line.detail["test"].endswith(f"cases.json sha256:{kept['digest']}")
    made(shop, control, of_rows(shop))
    assert json.loads((shop / "regressions" / "incident-1" / "cases.json").read_text()) == kept
    assert "1 more than were asked for" in made(shop, control, of_rows(shop), most=1)[0]


def test_the_pytest_file_fails_on_the_old_model_and_passes_on_the_mended_one(
    shop: Path, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(shop, control, of_rows(shop))
    path = shop / "regressions" / "incident-1" / "test_incident_1.py"

    def outcomes() -> list[bool]:
        module = opened(path)
        said = module.answers()
        return [said[case["id"]] == case["expected"] for case in module.CASES]

    assert outcomes() == [False, False]
    monkeypatch.setenv("TEMPER_SYSTEM", str(written(shop, "mended", name="mended.yaml")))
    assert outcomes() == [True, True]
    monkeypatch.delenv("TEMPER_SYSTEM")
    written(shop, "mended")
    assert outcomes() == [True, True]


@pytest.mark.slow
def test_pytest_itself_runs_the_file(shop: Path, control: Control) -> None:
    made(shop, control, of_rows(shop))
    path = shop / "regressions" / "incident-1" / "test_incident_1.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(shop), str(path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    old = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (old.returncode, "2 failed" in old.stdout) == (1, True)
    written(shop, "mended")
    new = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (new.returncode, "2 passed" in new.stdout) == (0, True)


def assessed(shop: Path, model: str) -> tuple[Protected, api.Run]:
    written(shop, model, "assess: {recurrences: [regressions/incident-1/cases.json]}\n")
    system = temper.load(shop / "temper.yaml")
    return system, temper.assess(system, "quick", ["validation.recurrence"], engine="serial", store=shop)


def test_every_assessment_asks_again_and_a_replay_shows_it(shop: Path, control: Control) -> None:
    made(shop, control, of_rows(shop))
    system, run = assessed(shop, "weak")
    (figure,) = run.measurements
    assert (figure.name, figure.value, figure.n, figure.slice) == ("recurrence.wrong", 2.0, 2, "incident:1")
    (judged,) = [one for one in run.record.judgements if one.requirement.id == "never-happens-again"]
    assert judged.verdict is Verdict.FAIL
    (finding,) = run.findings
    assert finding.title.endswith("incident 1")
    assert api.replay(system, finding.id, store=shop).still_there
    mended, after = assessed(shop, "mended")
    assert (after.measurements[0].value, after.findings) == (0.0, ())
    (judged,) = [one for one in after.record.judgements if one.requirement.id == "never-happens-again"]
    assert judged.verdict is Verdict.PASS
    assert not api.replay(mended, finding.id, store=shop).still_there


def test_without_past_incidents_nothing_is_asked_and_nothing_is_required(shop: Path) -> None:
    system = temper.load(shop / "temper.yaml")
    with pytest.raises(TemperError, match="leaves nothing to do"):
        temper.assess(system, "quick", ["validation.recurrence"], engine="serial", store=shop)


def test_rows_of_its_windows_are_those_whose_label_the_model_missed(shop: Path, control: Control) -> None:
    day = 86_400.0
    seen = Symptom(
        source="monitor.f.attack", at=2 * day, start=day, since=day, title="It", text="w", severity=Severity.MAJOR
    )
    (number,) = control.incidents.follow("f", [seen], 2 * day, "temper monitor", 2 * day)
    rows = [("r1", day + 1, 0.9, 8), ("r2", day + 2, 0.9, 9), ("r3", day + 3, 0.7, 8), ("r4", 5.0, 0.8, 8)]
    lines = "".join(f"{name},{at},{a},{b},0.1\n" for name, at, a, b in rows)
    (shop / "predictions.csv").write_text(f"request,at,a,b,score\n{lines}")
    labels = f"request,y,at\nr1,0,{day}\nr1,1,{3 * day}\nr3,0,{day}\nr4,1,{day}\nr2,1,2e9\n"
    (shop / "labels.csv").write_text(labels)
    told = made(shop, control, Sources(windows=True), number=number)
    assert told[0].startswith("1 cases"), "r2's label has not come, r3 is right, r4 is of another window"
    kept = json.loads((shop / "regressions" / f"incident-{number}" / "cases.json").read_text())
    assert [float.fromhex(value) for value in kept["cases"][0]["row"]] == [0.9, 8.0]


def test_rows_of_cases_are_those_that_people_blocked_and_the_model_let_through(shop: Path, control: Control) -> None:
    for name, a, verdict in (("r1", 0.9, "block"), ("r2", 0.2, "allow")):
        control.reviews.enqueue(name, {"rows": [{"a": a, "b": 8.0}]}, 1.0)
        case = control.reviews.claim("bob", 2.0)
        assert case is not None
        control.reviews.decide(case.id, "bob", verdict, "seen", name, case.version, 3.0)
    assert made(shop, control, Sources(cases=True))[0].startswith("1 cases")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("a,b,y\n0.9,1,1\n", "none of 1 rows is decided wrongly"),
        ("a,b,y\n0.9,99,1\n", "none of 1 rows is decided wrongly"),
        ("a,b,y\n0.9,7,2\n", "none of the classes"),
        ("a,y\n0.9,1\n", "no column 'b'"),
    ],
)
def test_what_makes_no_test_is_refused_and_nothing_is_written(
    shop: Path, control: Control, rows: str, says: str
) -> None:
    (shop / "rows.csv").write_text(rows)
    with pytest.raises(TemperError, match=says):
        made(shop, control, of_rows(shop))
    assert control.incidents.get(1).tests == ()
    assert not (shop / "regressions").exists()


def test_cases_that_were_changed_or_are_of_other_columns_are_not_asked(shop: Path, control: Control) -> None:
    made(shop, control, of_rows(shop))
    path = shop / "regressions" / "incident-1" / "cases.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"cases": document["cases"][:1]}))
    with pytest.raises(ConfigError, match="is not what was written"):
        assessed(shop, "weak")
    path.write_text("{}")
    with pytest.raises(ConfigError, match="holds no cases"):
        assessed(shop, "weak")


def test_the_command(shop: Path, control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop)

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["incidents", "test", "1", "--store", str(shop / "control.db"), *words])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output

    with pytest.raises(TemperError, match="nothing says where rows come from"):
        run()
    said = run("--rows", "rows.csv")
    assert "assess: {recurrences: [regressions/incident-1/cases.json]}" in said
