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
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway_asked import children
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


@pytest.mark.slow
@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_good_order_and_says_so(
    folder: Path, sig: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    written(folder)
    port = free()
    process = started(folder, port, "--log-format", "json")
    try:
        assert said(port, "POST", "/v1/score", ROW)[0] == 200
        process.send_signal(sig)
        assert process.wait(30) == 0
    finally:
        process.kill()
    lines = [json.loads(one) for one in capfd.readouterr().err.splitlines()]  # and nothing else is there
    assert [one["event"] for one in lines] == ["gateway.started", "gateway.draining", "gateway.stopped"]
    assert lines[-1]["records"] == 3  # who serves, the decision, and what the door counted


@pytest.mark.slow
def test_several_processes_are_one_gateway(folder: Path) -> None:
    """They share the port, add up what they count, and one that is killed comes again."""
    port = free()
    process = started(folder, port, "--workers", "2", "--node", "node")

    def metrics() -> dict[str, float]:
        lines = said(port, "GET", "/metrics")[1].decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}

    try:
        until(lambda: metrics()["temper_processes"] == 2)
        for _ in range(40):
            assert said(port, "POST", "/v1/score", ROW)[0] == 200
        until(lambda: metrics()["temper_request_seconds_count"] >= 40)
        assert len(list((folder / ".temper" / "audit").glob("audit-node-?.db"))) == 2
        first = children(process.pid)
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        until(lambda: len(set(children(process.pid)) - set(first)) == 1)
        assert said(port, "POST", "/v1/score", ROW)[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert not children(process.pid)
    finally:
        process.kill()


def until(found: Callable[[], bool]) -> None:
    """Wait for it."""
    for _ in range(600):
        try:
            if found():
                return
        except (OSError, KeyError):
            pass
        time.sleep(0.1)
    raise AssertionError("it did not come")
