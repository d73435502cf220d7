"""One command brings up model, guard, console and traffic; Ctrl-C ends all of it."""

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


def _ports() -> int:
    """A free port with a free one after it."""
    while True:
        with socket.socket() as one, socket.socket() as next_one:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                next_one.bind(("127.0.0.1", port + 1))
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
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM], ids=["interrupted", "terminated"])
def test_it_answers_makes_cases_and_leaves_nothing_behind(tmp_path: Path, end: signal.Signals) -> None:
    port, log = _ports(), tmp_path / "out"
    command = [sys.executable, "-m", "temper", "demo", "fraud", "--serve", "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=out, env={**os.environ, "COLUMNS": "200"})
    try:
        _until(log, r"sign in as ana \(analyst\), password \S{16}", process, 200.0)
        _until(log, r"answered by: [^;]*primary [1-9]", process, 60.0)
        _until(log, r"cases: [1-9]\d* wait for a person", process, 90.0)
        assert not _closed(port)
        assert not _closed(port + 1)
        process.send_signal(end)
        assert process.wait(40.0) == 0
    finally:
        process.kill()
        process.wait()
    told = log.read_text(encoding="utf-8")
    assert "SIMULATED" in told
    assert re.search(r"ended after [\d,]+ payments; no process is left", told)
    assert "Traceback" not in told
    assert _closed(port)
    assert _closed(port + 1)
