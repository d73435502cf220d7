"""A playbook's process is killed under way, and what it had changed is taken back by the name of its run."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from temper.store.control import Control

YAML = """system: {name: small}
model: {path: model.json, kind: probabilities}
data: {test: test.csv, target: y}
"""
PLAYBOOK = """title: Three switches
when: in this test
severity: minor
undone: by undo
steps:
  - {name: open it, do: breaker, to: open}
  - {name: stop it, do: kill, to: "on"}
  - {name: wait, do: note, text: go and look}
worked: [{name: the store answers, do: store}]
"""


@pytest.mark.slow
@pytest.mark.parametrize("answered", [0, 1, 2])
def test_a_killed_run_leaves_what_it_had_done_and_undo_takes_it_back(tmp_path: Path, answered: int) -> None:
    (tmp_path / "temper.yaml").write_text(YAML, encoding="utf-8")
    (tmp_path / "three.yaml").write_text(PLAYBOOK, encoding="utf-8")
    control = Control.open(str(tmp_path / ".temper" / "control.db"))
    control.records.put("breaker", "closed", "ada", "before", 1.0)
    command = [sys.executable, "-u", "-m", "temper", "respond", "run", "three.yaml"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("y\n" * answered)
    process.stdin.flush()
    said = ""
    while said.count("[y/N]") <= answered:
        said += process.stdout.read(1)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    def switches() -> list[object]:
        return [getattr(control.records.current(kind), "value", None) for kind in ("breaker", "kill")]

    assert switches() == [["closed", None], ["open", None], ["open", True]][answered]
    run = re.search(r"run (\w+), by", said)
    assert run is not None
    done = subprocess.run(
        [sys.executable, "-m", "temper", "respond", "undo", run[1]], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert switches() == [["closed", None], ["closed", None], ["closed", False]][answered]
    assert control.audit.verify() == []
    control.close()
