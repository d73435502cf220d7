"""The proxy of the drills by itself, before a service that somebody else started."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from temper.core.errors import ConfigError, TemperError
from temper.engine.drill import gameday
from temper.engine.drill.between import Between
from temper.engine.drill.terms import Load
from temper.engine.gateway import alone, free_port


class _Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "16")
        self.end_headers()
        self.wfile.write(b'{"score": 0.125}')

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@pytest.fixture
def service() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def asked(port: int) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5.0) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


def test_the_fault_has_its_time_and_nothing_is_touched_before_and_after(service: str) -> None:
    port, lines, found = free_port(), [], []  # type: ignore[var-annotated]
    said = threading.Event()

    def told(line: str) -> None:
        lines.append(line)
        said.set()

    between = Between(
        upstream=service, name="errors", options={"code": 502}, port=port, before=1.5, seconds=0.8, after=2.0
    )
    thread = threading.Thread(target=lambda: found.append(between.run(told)))
    thread.start()
    assert said.wait(30.0)
    seen = [asked(port)]
    while thread.is_alive() and len(lines) < 3:
        seen.append(asked(port))
        time.sleep(0.05)
    seen.append(asked(port))
    thread.join(30.0)
    assert (seen[0], seen[-1]) == (200, 200)
    assert found == [seen.count(502)]
    assert found[0] > 3
    assert lines[0] == f"ask http://127.0.0.1:{port} in place of {service.removeprefix('http://')}"
    assert lines[1] == "for 0.8 s the service answers with status 503 (here: code=502)"
    assert lines[2].startswith("the fault is over; it met ")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"name": "primary-down"}, "done to a process"),
        ({"name": "latancy"}, "no drill 'latancy'"),
        ({"options": {"seconds": 3}}, "no option 'seconds'"),
        ({"seconds": 4_000.0}, "a fault of 4000 s"),
        ({"port": 70_000}, "cannot be"),
        ({"upstream": "http://192.0.2.1:80"}, "not this machine"),
        ({"upstream": "http://192.0.2.1:80", "confirmed": "192.0.2.2"}, "not this machine"),
        ({"upstream": "127.0.0.1:1"}, "takes no connection"),
    ],
)
def test_what_cannot_be_is_told_before_anybody_listens(service: str, more: dict[str, Any], words: str) -> None:
    usual: dict[str, Any] = {"upstream": service, "name": "errors", "seconds": 0.1, "after": 0.0}
    with pytest.raises((ConfigError, TemperError), match=words):
        Between(**usual | more).run(lambda line: None)


def test_a_port_that_is_taken_is_told(service: str) -> None:
    taken = int(service.rpartition(":")[2])
    with pytest.raises(TemperError, match="cannot be had"):
        Between(upstream=service, name="errors", seconds=0.1, after=0.0, port=taken).run(lambda line: None)


def test_the_command_ends_at_a_word_and_says_what_was_met(service: str) -> None:
    words = [sys.executable, "-m", "temper", "drill", "proxy", service, "nan", "--seconds", "60"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    assert process.stdout is not None
    with process.stdout as said:
        port = re.search(r"127\.0\.0\.1:(\d+)", said.readline())
        assert port is not None
        assert "answers NaN" in said.readline()
        with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/", timeout=5.0) as answer:
            assert answer.read() == b'{"score": NaN}'
        process.send_signal(signal.SIGINT)
        assert process.wait(20.0) == 0
    met_none = [*words[:-1], "0.2", "--after", "0"]
    assert subprocess.run(met_none, capture_output=True, check=False).returncode == 1


def test_of_two_game_days_at_once_the_second_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "temper.yaml"
    with alone(tmp_path / ".temper" / "gameday", "game day"), pytest.raises(TemperError, match="another game day"):
        gameday.game_day(config, gameday.everything(Load(), ["nan"]), lambda line: None)
