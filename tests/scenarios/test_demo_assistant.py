"""The assistant's demo as a user runs it: red team, harden, replay, and the attacks as tests of one's own."""

import json
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "assistant"
    words = [sys.executable, "-m", "temper", "demo", "assistant", "--folder", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder, done.stdout


def told(folder, *words):
    command = [sys.executable, "-m", "temper", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, cwd=folder)


def test_it_says_what_it_is_and_what_it_found(demo):
    folder, out = demo
    assert "SIMULATED" in out
    assert "Whoever can write what it reads can make it" in out
    assert "all stages" in out
    assert (folder / "runs" / "0001" / "report.html").is_file()
    assert (folder / "hardened" / "temper.yaml").is_file()


def test_the_guard_stops_most_of_what_was_found_and_none_of_the_work(demo):
    folder, _ = demo
    report = json.loads(told(folder, "report", "0002", "--format", "json").stdout)
    figures = {(m["plugin"], m["metric"], m["slice"]): m for m in report["record"]["measurements"]}
    before = json.loads(told(folder, "report", "0001", "--format", "json").stdout)
    was = {(m["plugin"], m["metric"], m["slice"]): m for m in before["record"]["measurements"]}
    templates = ("injection.templates", "success_rate", "all")
    assert figures[templates]["value"] < was[templates]["value"] / 2
    assert figures["assistant.tasks", "served", "all"]["value"] > 0.9
    assert figures["assistant.twins", "blocked", "all"]["value"] < 0.1


def test_a_finding_is_replayed(demo):
    folder, out = demo
    finding = re.search(r"temper replay (I-[0-9a-f]+)", out)
    assert finding is not None
    again = told(folder, "replay", finding[1])
    assert again.returncode == 1, again.stderr
    assert "STILL THERE" in again.stdout


def test_what_worked_is_a_test_of_ones_own(demo):
    folder, _ = demo
    written = told(folder, "report", "0001", "--format", "pytest", "--out", "test_attacks.py")
    assert written.returncode == 0, written.stderr
    compile((folder / "test_attacks.py").read_text(encoding="utf-8"), "test_attacks.py", "exec")
