"""The page for developers: its Python runs and prints what it shows; its commands and options exist."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guides" / "developers.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def shape(text: str) -> list[str]:
    """The lines of an output with their numbers left out: figures may differ by a row on another processor."""
    return [re.sub(r"\d+(\.\d+)?", "#", line).strip() for line in text.strip().splitlines()]


class Registry:
    """As much of MLflow as the page uses; the real one is met by `bench.governance.registry`."""

    def __init__(self, **_: Any) -> None:
        self.aliases: list[str] = []

    def set_model_version_tag(self, name: str, version: str, key: str, value: str) -> None:
        assert (name, version, key[:7]) == ("fraud", "1", "temper.")

    def get_model_version(self, name: str, version: str) -> Any:
        return SimpleNamespace(aliases=self.aliases)


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    package, part = types.ModuleType("mlflow"), types.ModuleType("mlflow.sklearn")
    package.MlflowClient = Registry  # type: ignore[attr-defined]
    package.sklearn = part  # type: ignore[attr-defined]
    part.log_model = lambda *_, **__: SimpleNamespace(registered_model_version=1)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", package)
    monkeypatch.setitem(sys.modules, "mlflow.sklearn", part)


@pytest.mark.slow
def test_every_example_runs_and_prints_what_the_page_shows(
    mlflow: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    blocks = BLOCK.findall(PAGE)
    assert len(blocks) == 4
    for code, shown in blocks:
        exec(code, names)  # noqa: S102 - the examples of our own page
        assert shape(capsys.readouterr().out) == shape(shown), code
    assert names["run"]._repr_html_().startswith("<div")
    asked: list[Any] = []
    names["test_nothing_critical_is_found"](lambda *_, **how: asked.append(how) or SimpleNamespace(findings=()))
    assert asked == [{"suite": "quick", "only": ["evasion"]}]


def test_every_command_exists_with_its_options() -> None:
    import typer

    from temper.cli import app

    commands: Any = typer.main.get_command(app)
    told = [line.split() for line in re.findall(r"(?:^|`)temper ([a-z][^`#\n&]*)", PAGE, re.MULTILINE)]
    assert {words[0] for words in told} >= {"assess", "check", "publish", "report"}
    for words in told:
        known = {option for param in commands.commands[words[0]].params for option in param.opts}
        assert {word for word in words if word.startswith("--")} <= known, words


def test_the_options_of_pytest_are_those_of_the_plugin() -> None:
    from temper.testing import pytest_plugin

    source = Path(pytest_plugin.__file__).read_text(encoding="utf-8")
    declared = set(re.findall(r'addoption\("(--temper[\w-]*)"', source))
    assert set(re.findall(r"--temper[\w-]*", PAGE)) == declared


def test_workflow_and_hooks_use_what_there_is() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    commit, workflow = (yaml.safe_load(text) for kind, text in FENCED.findall(PAGE) if kind == "yaml")
    assert [one["id"] for one in commit["repos"][0]["hooks"]] == [one["id"] for one in hooks]
    used = next(one for one in workflow["jobs"]["temper"]["steps"] if "/temper@" in one["uses"])
    assert set(used["with"]) <= set(action["inputs"])
