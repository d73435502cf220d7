"""One command brings up model, guard, console and a day of traffic; Ctrl-C ends all of it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from temper.store.control import Control


def _ports() -> int:
    """A free port with two free ones after it."""
    while True:
        with socket.socket() as one, socket.socket() as second, socket.socket() as third:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
                third.bind(("127.0.0.1", port + 2))
            except (OSError, OverflowError):
                continue
            return port


def _closed(port: int) -> bool:
    with socket.socket() as door:
        return door.connect_ex(("127.0.0.1", port)) != 0


def _until(log: Path, pattern: str, process: subprocess.Popen[bytes], seconds: float) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(pattern, log.read_text(encoding="utf-8")):
            return found[0]
        time.sleep(0.2)
    raise AssertionError(log.read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM], ids=["in the day", "after it"])
def test_it_answers_makes_cases_and_leaves_nothing_behind(tmp_path: Path, end: signal.Signals) -> None:
    port, log, over = _ports(), tmp_path / "out", end is signal.SIGTERM
    if over:
        (tmp_path / "demo" / "fraud-serve" / "predictions").mkdir(parents=True)  # a folder that has had its day
    command = [sys.executable, "-m", "temper", "demo", "fraud", "--serve", "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=out, env={**os.environ, "COLUMNS": "200"})
    try:
        _until(log, r"sign in as ana \(analyst\), password \S{16}", process, 300.0)
        if over:
            _until(log, r"answered by: [^;]*primary [1-9]", process, 60.0)
            _until(log, r"cases: [1-9]\d* wait for a person", process, 90.0)
        else:
            _until(log, r"\d\d:00 +450 payments +PASS", process, 120.0)
        assert not any(_closed(port + at) for at in range(3))
        process.send_signal(end)
        assert process.wait(60.0) == 0
    finally:
        process.kill()
        process.wait()
    told = log.read_text(encoding="utf-8")
    assert "SIMULATED" in told
    assert re.search(r"ended after [\d,]+ payments; no process is left", told)
    assert "Traceback" not in told
    assert all(_closed(port + at) for at in range(3))


_ONCE = """
import sys, time
from pathlib import Path
from temper.demos.day.ready import Pace
from temper.demos.serving import serve
pace = Pace(payments=400, seconds=0.2, cards=40, queries=60)
sys.exit(0 if serve(Path("here"), time.time(), int(sys.argv[1]), once=True, pace=pace) else 1)
"""


@pytest.mark.slow
def test_a_day_is_told_with_the_right_causes_and_what_was_done_stays(tmp_path: Path) -> None:
    port = _ports()
    done = subprocess.run(
        [sys.executable, "-c", _ONCE, str(port)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    assert "WRONG" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 200
    assert all(_closed(port + at) for at in range(3))
    control = Control.open(str(tmp_path / "here" / ".temper" / "control.db"))
    incidents = [control.incidents.get(one.id) for one in control.incidents.page(limit=50)]
    control.close()
    assert all(one.closed is not None for one in incidents)
    assert {"evasion", "model-down"} <= {
        one.playbook for one in incidents if any("run" in e.detail for e in one.timeline)
    }
    test = next((tmp_path / "here" / "regressions").glob("*/test_incident_*.py"))
    for system, fails in (("temper.yaml", True), ("hardened.yaml", False)):
        env = {**os.environ, "TEMPER_SYSTEM": str(tmp_path / "here" / system)}
        assert (
            bool(
                subprocess.run(
                    [sys.executable, "-m", "pytest", "-q", str(test)], env=env, capture_output=True
                ).returncode
            )
            is fails
        )
