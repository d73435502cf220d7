"""The GitHub Action and the pre-commit hooks: what they call exists, and the verdict decides the build."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from temper.cli.report import FORMATS, FORMS

ROOT = Path(__file__).parents[2]
STUB = """#!/bin/bash
echo "$*" >> "$CALLS"
[ "$1" = assess ] && { [ "$ASSESS" = 2 ] || echo "{}"; exit "$ASSESS"; }
while [ $# -gt 0 ]; do [ "$1" = --out ] && echo "a report" > "$2"; shift; done
"""


def action() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    return found


def step(name: str) -> dict[str, Any]:
    return next(one for one in action()["runs"]["steps"] if one["name"] == name)


@pytest.fixture(scope="module")
def commands() -> Any:
    import typer

    from temper.cli import app

    return typer.main.get_command(app).commands  # type: ignore[attr-defined]


def run(name: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """A step as a runner runs it, `temper` being a stub that keeps what it was asked."""
    stub = folder / "bin" / "temper"
    stub.parent.mkdir(exist_ok=True)
    stub.write_text(STUB, encoding="utf-8")
    stub.chmod(0o755)
    files = {one: str(folder / one) for one in ("CALLS", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    given = {"PATH": f"{stub.parent}:{os.environ['PATH']}", "REPORTS": str(folder / "out"), **files, **env}
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step(name)["run"]]
    return subprocess.run(words, env=given, cwd=folder, capture_output=True, text=True, check=False)


def test_every_command_of_action_and_hooks_exists_with_its_options(commands: Any) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    text = "\n".join([*(one.get("run", "") for one in action()["runs"]["steps"]), *(one["entry"] for one in hooks)])
    told = [line.split() for line in re.findall(r"^ *temper (.+?)(?:>|\|\||$)", text, re.MULTILINE)]
    assert {words[0] for words in told} == {"assess", "report", "check"}
    for words in told:
        known = {option for param in commands[words[0]].params for option in param.opts}
        assert {word for word in words if word.startswith("--")} <= known, words
    endings = re.search(r"for ending in (.*);", text)
    assert endings is not None
    assert {f".{ending}" for ending in endings[1].split()} <= {*FORMATS, ".html"}
    assert "markdown" in FORMS


def test_what_a_user_gives_reaches_no_script_but_by_its_environment() -> None:
    for one in action()["runs"]["steps"]:
        assert "${{" not in one.get("run", ""), one["name"]
        assert "shell" in one or "uses" in one
    used = set(re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text(encoding="utf-8")))
    assert used == set(action()["inputs"])


@pytest.mark.parametrize(
    ("assessed", "fail_on", "verdict", "ends"),
    [
        ("0", "inconclusive", "pass", 0),
        ("1", "inconclusive", "fail", 1),
        ("3", "inconclusive", "inconclusive", 3),
        ("1", "fail", "fail", 1),
        ("3", "fail", "inconclusive", 0),
        ("1", "never", "fail", 0),
        ("2", "never", "error", 2),
        ("4", "never", "error", 4),
        ("0", "always", "pass", 0),
        ("1", "always", "fail", 2),
    ],
)
def test_the_verdict_decides_the_build(tmp_path: Path, assessed: str, fail_on: str, verdict: str, ends: int) -> None:
    done = run("Assess", tmp_path, CONFIG="a b/temper.yaml", SUITE="quick", TRUST="false", ASSESS=assessed)
    assert done.returncode == 0, done.stderr
    said = dict(line.split("=", 1) for line in (tmp_path / "GITHUB_OUTPUT").read_text().splitlines())
    assert said["verdict"] == verdict
    judged = run("Verdict", tmp_path, CODE=said["code"], VERDICT=said["verdict"], FAIL_ON=fail_on)
    assert judged.returncode == ends, judged.stdout
    made = sorted(one.suffix for one in (tmp_path / "out").iterdir())
    assert made == ([".json"] if assessed == "2" else [".html", ".json", ".md", ".sarif", ".xml"])
    assert (tmp_path / "GITHUB_STEP_SUMMARY").exists() == (assessed != "2")


def test_a_pickle_is_trusted_only_where_that_was_said(tmp_path: Path) -> None:
    run("Assess", tmp_path, CONFIG="temper.yaml", SUITE="deep", TRUST="true", ASSESS="0")
    first, *rest = (tmp_path / "CALLS").read_text().splitlines()
    assert first == "assess --config temper.yaml --suite deep --trust-pickle --json"
    assert sum("--trust-pickle" in one for one in rest) == 3
    assert "--trust-pickle" not in step("Install Temper")["run"]


@pytest.mark.parametrize(("name", "hook"), [("temper.yaml", 0), ("a/temper.yml", 0), ("m.joblib", 1), ("x/m.ubj", 1)])
def test_hooks_look_at_the_files_they_are_for(name: str, hook: int) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert [at for at, one in enumerate(hooks) if re.search(one["files"], name)] == [hook]
    assert not re.search(hooks[0]["files"], "other.yaml")
