"""The guarded gateway of a temper.yaml under load, and a service that a temper.yaml names."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from small_gateway import folder, models
from temper.core.errors import TemperError
from temper.engine.load.order import LoadTest
from temper.report.load import held, sentences

__all__ = ["folder", "models"]
pytestmark = pytest.mark.slow


def test_the_gateway_is_started_for_it_and_ends_with_it(folder: Path) -> None:
    test = LoadTest(target="serve", config=folder / "temper.yaml", plan="constant:40", seconds=35.0, limit_ms=2_000)
    told: list[str] = []
    found = test.run(told.append)
    assert told == ["the gateway starts"]
    (trial,) = found.trials
    assert trial.requests == trial.good == 1_400
    assert held(found)
    assert found.growth is not None
    assert any("memory" in line for line in sentences(found))
    assert any("quotas are off" in line for line in found.caveats)
    assert (folder / ".temper" / "stress" / "disk" / "audit").is_dir()
    assert not (folder / ".temper" / "audit").exists()
    port = re.search(r":(\d+)/", found.url)
    assert port is not None
    with pytest.raises(TemperError, match="takes no connection"):
        LoadTest(target=found.url, method="GET", plan="constant:5", seconds=1.0, config=Path("none")).run(told.append)


def test_a_gateway_that_does_not_start_says_why(folder: Path) -> None:
    path = folder / "temper.yaml"
    path.write_text(path.read_text() + "  nonsense: 1\n")
    with pytest.raises(TemperError, match="nonsense"):
        LoadTest(target="serve", config=path, plan="constant:5", seconds=1.0).run(lambda line: None)


def _serving(folder: Path) -> list[int]:
    """The processes that have this gateway's configuration in their command line."""
    words = str(folder / ".temper" / "stress" / "temper.yaml").encode()
    found = [path for path in Path("/proc").glob("[0-9]*/cmdline") if words in _read(path)]
    return [int(path.parent.name) for path in found]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _until(folder: Path, there: bool) -> bool:
    end = time.monotonic() + 60.0
    while bool(_serving(folder)) is not there and time.monotonic() < end:
        time.sleep(0.05)
    return bool(_serving(folder)) is there


def test_the_gateway_ends_with_a_command_that_is_killed(folder: Path) -> None:
    words = [sys.executable, "-m", "temper", "stress", "serve", "--config", str(folder / "temper.yaml")]
    command = subprocess.Popen([*words, "--plan", "constant:5", "--seconds", "60"], start_new_session=True)
    try:
        assert _until(folder, there=True)
    finally:
        command.send_signal(signal.SIGKILL)
        command.wait()
    assert _until(folder, there=False)
