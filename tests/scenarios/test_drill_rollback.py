"""Whatever becomes of a drill, what it did to a process is taken back, and its own processes end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import small_drill
from temper.core.errors import TemperError
from temper.core.requirement import Verdict
from temper.engine.gateway import alone

pytestmark = pytest.mark.slow


@pytest.fixture
def sleeper() -> Iterator[Any]:
    process = subprocess.Popen(["sleep", "120"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def until(true: Callable[[], bool], seconds: float = 40.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


def descended(folder: Path) -> list[int]:
    """The processes that have anything of this drill in their command line."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes()
        except OSError:
            continue
        if int(name) != os.getpid() and small_drill.__file__.encode() in words:
            found.append(int(name))
    return found


@pytest.fixture
def patched(monkeypatch: pytest.MonkeyPatch) -> None:
    from temper.engine.drill import run

    for name in ("Stack", "load_system", "served"):
        monkeypatch.setattr(run, name, getattr(run, name))


@pytest.mark.usefixtures("patched")
def test_a_drill_to_its_end(tmp_path: Path, sleeper: Any) -> None:
    found = small_drill.small(tmp_path, "primary-hang", sleeper.pid, 6.0)
    assert state(sleeper.pid) != "T", "it is not stopped"
    assert (found.failed, found.wrong, found.degraded) == (0, 0, 0), "nobody asks the victim in this one"
    assert found.over - found.began == pytest.approx(1.5, abs=0.5)
    assert found.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)
    assert descended(tmp_path) == []


@pytest.mark.usefixtures("patched")
def test_a_drill_lasts_until_what_was_taken_away_is_back(tmp_path: Path, sleeper: Any) -> None:
    found = small_drill.small(tmp_path, "primary-down", sleeper.pid, 4.0, slow=6.0)
    assert found.over == pytest.approx(8.0, abs=0.7)
    assert found.seconds == pytest.approx(found.over + 1.5, abs=0.2)
    assert found.requests > 850
    assert found.full_again is not None


@pytest.mark.usefixtures("patched")
def test_of_two_drills_at_once_the_second_is_refused(tmp_path: Path, sleeper: Any) -> None:
    with (
        alone(tmp_path / ".temper" / "drill", "drill"),
        pytest.raises(TemperError, match=r"another drill of this temper\.yaml is under way") as told,
    ):
        small_drill.small(tmp_path, "primary-hang", sleeper.pid, 4.0)
    assert "wait until it has ended" in told.value.fix
    assert state(sleeper.pid) != "T", "it is not stopped"


@pytest.mark.usefixtures("patched")
def test_an_exception_in_the_middle_of_a_fault(tmp_path: Path, sleeper: Any) -> None:
    with pytest.raises(RuntimeError, match="in the middle of it"):
        small_drill.small(tmp_path, "primary-hang", sleeper.pid, 4.0, broken="strike")
    assert state(sleeper.pid) != "T", "it is not stopped"
    assert descended(tmp_path) == []


@pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM], ids=lambda word: word.name)
def test_a_drill_that_is_ended_in_the_middle_of_a_fault(tmp_path: Path, sleeper: Any, word: signal.Signals) -> None:
    command = [sys.executable, small_drill.__file__, str(tmp_path), "primary-hang", str(sleeper.pid), "8"]
    with open(tmp_path / "said", "wb") as said:
        drill = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
    assert until(lambda: state(sleeper.pid) == "T" or drill.poll() is not None), "the fault begins"
    assert drill.poll() is None, (tmp_path / "said").read_text()
    assert len(descended(tmp_path)) == 3, "the drill and its two servers"
    drill.send_signal(word)
    assert until(lambda: state(sleeper.pid) == "S", 10.0)
    drill.wait(20)
    assert until(lambda: descended(tmp_path) == [], 10.0)
