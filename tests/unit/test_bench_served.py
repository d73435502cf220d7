"""A service under a bench: who does not come up is heard, and who goes takes all its children along."""

from __future__ import annotations

import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from bench.guard._served import Served, port

SERVER = "{} -m http.server {} --bind 127.0.0.1 & wait"


def test_it_answers_from_a_child_and_no_child_is_left(tmp_path: Path) -> None:
    at = port()
    command = ["sh", "-c", SERVER.format(sys.executable, at)]
    with Served("a service", command, at, path="/", folder=tmp_path, log=tmp_path / "log") as server:
        with urllib.request.urlopen(f"http://127.0.0.1:{at}/", timeout=2.0) as reply:
            assert reply.status == 200
        family = psutil.Process(server.process.pid).children(recursive=True)
        assert family
    assert [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []


def test_one_that_ends_by_itself_is_told_with_its_last_words(tmp_path: Path) -> None:
    words = Served("a service", ["sh", "-c", "echo no model; exit 3"], port(), folder=tmp_path, log=tmp_path / "log")
    with pytest.raises(RuntimeError, match="a service does not answer\nno model"), words:
        pass
