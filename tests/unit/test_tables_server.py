"""A gateway that is told to go: it says so, answers whom it let in, and ends."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from small_gateway import GUARD, folder, models, written

__all__ = ["folder", "models"]
ROW = json.dumps({"row": {"a": 1, "b": 0, "c": 0}})


def free() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def started(folder: Path, port: int, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "temper", "serve", "-c", str(folder / "temper.yaml"), "--port", str(port), *words]
    process = subprocess.Popen(command, env=os.environ)
    for _ in range(600):
        try:
            if said(port, "GET", "/readyz")[0] == 200:
                return process
        except OSError:
            assert process.poll() is None
            time.sleep(0.1)
    process.kill()
    raise AssertionError("it did not start")


def said(port: int, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.slow
def test_sigterm_drains(folder: Path) -> None:
    written(folder, GUARD + "  drain_seconds: 1.5\n")
    port = free()
    process = started(folder, port)
    try:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert said(port, "GET", "/readyz")[0] == 503
        assert said(port, "GET", "/healthz")[0] == 200
        assert said(port, "POST", "/v1/score", ROW)[0] == 200
        assert process.wait(30) == 0
    finally:
        process.kill()
