"""Somebody writes a plugin: installs the example, runs its laws, and names it in their temper.yaml."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from small_gateway import folder, models

__all__ = ["folder", "models"]
ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """This environment with the package installed beside it."""
    copy, site = (tmp_path_factory.mktemp(name) for name in ("copy", "site"))
    subprocess.run(["cp", "-r", f"{ROOT}/examples/plugin/.", str(copy)], check=True)
    quiet = ["--quiet", "--no-deps", "--no-build-isolation", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", *quiet, str(copy)], check=True)
    paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH", "")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def test_its_laws_hold_where_it_is_installed(environment: dict[str, str], tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", f"{ROOT}/examples/plugin/tests", str(tmp_path)], check=True)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "tests")]
    ran = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
    assert " passed" in ran.stdout


def test_its_attack_runs_in_an_assessment_that_names_it(environment: dict[str, str], folder: Path) -> None:
    config = folder / "temper.yaml"
    text = config.read_text().replace("{type: number,", "{type: number, attacker: costly, cost: 1, scale: 1,")
    config.write_text(text + "assess: {plugins: [evasion.crossover]}\n")
    temper = [sys.executable, "-m", "temper.cli"]
    words = [*temper, "assess", "--suite", "quick", "--only", "evasion.crossover", "--engine", "serial"]
    ran = subprocess.run(words, env=environment, cwd=folder, capture_output=True, text=True)
    assert ran.returncode in (0, 1, 3), ran.stderr
    report = subprocess.run(
        [*temper, "report", "last", "--format", "json"], env=environment, cwd=folder, capture_output=True, text=True
    )
    figures = {one["metric"]: one for one in json.loads(report.stdout)["record"]["measurements"]}
    assert figures["success_rate"]["plugin"] == "evasion.crossover"
    assert figures["success_rate"]["value"] > 0.5
