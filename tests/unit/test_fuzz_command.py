"""`temper fuzz` as a person uses it: the model, a service, cases shown again, and what it refuses to ask."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from temper.cli import app
from temper.core.errors import TemperError
from temper.engine.fuzz import run as running
from temper.fuzz._campaign import Effort
from temper.testing import planted, planted_served

_MODEL = """
from temper.testing.{where} import {kind}
score = {kind}()
"""


def written(folder: Path, kind: str, where: str = "planted") -> Path:
    """A temper.yaml with the planted scorer of this name as its model."""
    import pandas as pd

    frame = pd.DataFrame(planted.rows(), columns=planted.schema().names)
    frame["channel"] = [planted.CHANNELS[int(code)] for code in frame["channel"]]
    frame.assign(y=[0, 1] * 20).to_csv(folder / "test.csv", index=False)
    (folder / "model.py").write_text(_MODEL.format(kind=kind, where=where), encoding="utf-8")
    columns = "\n".join(f"    {json.dumps(c.name)}: {_column(c)}" for c in planted.schema().columns)
    (folder / "temper.yaml").write_text(
        f"system: {{name: toy}}\nmodel: {{callable: model.py:score, kind: probabilities, threshold: 0.5}}\n"
        f"data: {{test: test.csv, target: y, positive: '1'}}\nschema:\n  columns:\n{columns}\n",
        encoding="utf-8",
    )
    return folder / "temper.yaml"


def _column(column: planted.Column) -> str:
    told = {"type": column.type}
    if column.type in ("number", "integer"):
        told |= {"low": column.low, "high": column.high}  # type: ignore[dict-item]
    if column.categories:
        told |= {"categories": list(column.categories)}  # type: ignore[dict-item]
    return json.dumps(told | ({"missing": True} if column.missing else {}))


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(running.EFFORTS, "quick", Effort(cases=110, seconds=40.0, draws=False))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("temper_model_"):
            del sys.modules[name]


def asked(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["fuzz", *(str(word) for word in words)])
    if isinstance(done.exception, TemperError):
        raise done.exception
    return done.exit_code, done.stdout


def test_a_model_is_fuzzed_and_its_cases_shown_again_until_it_is_mended(tmp_path: Path) -> None:
    config = written(tmp_path, "LastWordFails")
    code, told = asked("--config", config, "--suite", "quick")
    assert code == 1
    assert "IndexError" in told
    cases = tmp_path / "runs/fuzz/001/cases.json"
    assert (tmp_path / "runs/fuzz/001/test_fuzz.py").exists()
    assert asked("--config", config, "--replay", cases)[0] == 1
    written(tmp_path, "Scorer")
    for name in [name for name in sys.modules if name.startswith("temper_model_")]:
        del sys.modules[name]
    code, told = asked("--config", config, "--replay", cases)
    assert (code, told.count("FIXED")) == (0, told.count("\n"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["CodesByAppearance", "FilledMeanwhile"])
def test_the_kept_test_of_what_was_asked_first_fails_until_it_is_mended(tmp_path: Path, kind: str) -> None:
    code, _ = asked("--config", written(tmp_path, kind, "planted_state"), "--suite", "quick")
    file = tmp_path / "runs/fuzz/001/test_fuzz.py"
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(file.parent), str(file)]
    assert code == 1
    assert subprocess.run(line, cwd=file.parent, capture_output=True, check=False).returncode == 1
    written(tmp_path, "Scorer")
    assert subprocess.run(line, cwd=file.parent, capture_output=True, check=False).returncode == 0


def test_a_service_is_fuzzed_and_json_says_the_same(tmp_path: Path) -> None:
    config = written(tmp_path, "Scorer")
    with planted_served.Served(planted_served.EmptyFails()) as served:
        code, told = asked(served.url, "--config", config, "--suite", "quick", "--json")
    document = json.loads(told)
    assert code == 1
    assert {one["law"] for one in document["defects"]} == {"answers"}
    assert "with nothing in it" in document["defects"][0]["smallest"][0]


def test_only_this_machine_is_asked_unless_its_host_is_named(tmp_path: Path) -> None:
    config = written(tmp_path, "Scorer")
    with pytest.raises(TemperError, match="not this machine"):
        asked("http://192.0.2.1/v1/score", "--config", config)
    with pytest.raises(TemperError, match="not this machine"):
        asked("http://192.0.2.1/v1/score", "--config", config, "--yes-this-host", "192.0.2.2")


def test_a_service_that_is_not_there_or_gives_no_score_is_told(tmp_path: Path) -> None:
    config = written(tmp_path, "Scorer")
    with pytest.raises(TemperError, match="takes no connection"):
        asked("http://127.0.0.1:1/v1/score", "--config", config, "--deadline", "0.2")
    with planted_served.Served(planted.Scorer()) as served, pytest.raises(TemperError, match="gave no score"):
        asked(served.url, "--config", config, "--answer", "elsewhere")


def test_a_key_that_is_not_set_is_told(tmp_path: Path) -> None:
    config = written(tmp_path, "Scorer")
    with pytest.raises(TemperError, match="NO_SUCH_KEY is not set"):
        asked("http://127.0.0.1:1/", "--config", config, "--key-env", "NO_SUCH_KEY")


def test_an_unknown_suite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemperError, match="unknown suite"):
        asked("--config", written(tmp_path, "Scorer"), "--suite", "huge")
