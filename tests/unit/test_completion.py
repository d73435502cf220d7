"""What the tab key answers: names that are there; looking writes nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.startup import HEAVY, loaded
from temper.cli import _complete as complete
from temper.store.database import Store
from temper.testing.records import record


def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str) -> list[str]:
    """What bash is told after these words; those that end with a space ask for what may come next."""
    from temper.cli import app

    asked = {"_TEMPER_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        app(prog_name="temper")
    return capsys.readouterr().out.split()


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a store of one run, a temper.yaml, and another one below."""
    Store.open(tmp_path).save_run(record())
    for folder in (tmp_path, tmp_path / "demo" / "fraud"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "temper.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("temper assess --suite s", ["standard"]),
        ("temper attack --only stress.noise,evasion.squ", ["stress.noise,evasion.square"]),
        ("temper assess --config ", ["temper.yaml", "demo/fraud/temper.yaml"]),
        ("temper report ", ["0007", "last"]),
        ("temper replay ", ["F-1234"]),
        ("temper report --format j", ["json", "junit"]),
    ],
)
def test_values_are_completed(
    kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, told: list[str]
) -> None:
    assert ask(monkeypatch, capsys, words) == told


def test_looking_makes_no_store_and_a_store_of_another_version_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    context: Any = SimpleNamespace(params={"config": None})
    assert list(complete.runs(context, "")) == []
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".temper").mkdir()
    with sqlite3.connect(tmp_path / ".temper" / "temper.db") as database:
        database.execute("CREATE TABLE other (x)")
    assert list(complete.runs(context, "")) == list(complete.findings(context, "")) == []


def test_the_store_that_is_looked_into_is_that_of_the_config(kept: Path) -> None:
    elsewhere: Any = SimpleNamespace(params={"config": "demo/fraud/temper.yaml"})
    assert list(complete.runs(elsewhere, "")) == []
    told = list(complete.runs(SimpleNamespace(params={}), "00"))  # type: ignore[arg-type]
    assert told == [("0007", "a plain word, 2026-01-31, fail")]


def test_completing_a_run_loads_nothing_heavy(kept: Path) -> None:
    asked = "from temper.cli import _complete; list(_complete.runs(types.SimpleNamespace(params={}), ''))"
    assert sorted(loaded(f"import types; {asked}") & {*HEAVY, "numpy", "msgspec"}) == []


def test_a_start_builds_what_its_first_word_needs() -> None:
    from typer.main import get_command

    from temper.cli import _needed, app

    whole = get_command(app).commands
    for word in ("--help", "nonsense"):
        found = get_command(_needed(word)).commands
        assert {name: one.get_short_help_str() for name, one in found.items()} == {
            name: one.get_short_help_str() for name, one in whole.items()
        }
    ((name, group),) = get_command(_needed("monitor")).commands.items()
    assert (name, group.commands.keys()) == ("monitor", whole["monitor"].commands.keys())
