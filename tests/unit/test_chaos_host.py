"""What is done to a process is taken back by whoever is left: the drill, or its dead man."""

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

from temper.chaos import press
from temper.chaos.deadman import DeadMan, Undo, born
from temper.chaos.host import Host
from temper.chaos.inside import slowed
from temper.chaos.orders import Orders
from temper.chaos.press import PIECE
from temper.core.errors import TemperError, Unsupported


@pytest.fixture
def sleeper() -> Iterator[Any]:
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T"


def until(true: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


SCRIPT = """
import sys, time
from temper.chaos import press
from temper.chaos.deadman import DeadMan
from temper.chaos.host import Host
with DeadMan() as dead_man:
    host = Host(pid=int(sys.argv[1]), seconds=50.0, dead_man=dead_man)
    host.stop()
    host.crowd(1)
    print("struck", flush=True)
    time.sleep(50)
"""


def test_a_drill_that_is_killed_leaves_nothing_behind(sleeper: Any) -> None:
    cores = os.sched_getaffinity(sleeper.pid)
    drill = subprocess.Popen([sys.executable, "-c", SCRIPT, str(sleeper.pid)], stdout=subprocess.PIPE)
    assert drill.stdout is not None
    assert drill.stdout.readline() == b"struck\n"
    assert until(lambda: stopped(sleeper.pid))
    family = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if of(pid, drill.pid)]
    assert len(family) == 2, "the dead man, and who presses"
    drill.kill()
    drill.wait()
    drill.stdout.close()
    assert until(lambda: not stopped(sleeper.pid))
    assert until(lambda: os.sched_getaffinity(sleeper.pid) == cores)
    assert until(lambda: not any(map(born, family))), "nobody is left who presses"


def of(pid: int, parent: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return False
    return int(words[1]) == parent


def test_each_undo_is_done_after_its_own_time_even_where_the_drill_hangs(sleeper: Any) -> None:
    with DeadMan() as dead_man:
        dead_man.hold(Undo.of("continue", sleeper.pid), 0.3)
        os.kill(sleeper.pid, signal.SIGSTOP)
        assert until(lambda: stopped(sleeper.pid))
        assert until(lambda: not stopped(sleeper.pid))


def test_a_dead_man_that_is_dead_keeps_nobody_from_taking_it_back(sleeper: Any) -> None:
    with DeadMan() as dead_man:
        host = Host(pid=sleeper.pid, seconds=9.0, dead_man=dead_man)
        host.stop()
        assert dead_man.alive
        os.kill(dead_man._companion.pid, signal.SIGKILL)
        assert until(lambda: not dead_man.alive)
        with pytest.raises(TemperError, match="nothing was done"):
            host.limit("file", 0)
        host.over()
        assert not stopped(sleeper.pid)


def test_a_number_that_was_given_to_another_process_is_left_alone(sleeper: Any) -> None:
    os.kill(sleeper.pid, signal.SIGSTOP)
    assert until(lambda: stopped(sleeper.pid))
    Undo(what="continue", pid=sleeper.pid, born="1").do()
    assert stopped(sleeper.pid)
    Undo.of("continue", sleeper.pid).do()
    assert until(lambda: not stopped(sleeper.pid))
    Undo.of("continue", 2**22 + 1).do()


def test_one_that_cannot_be_taken_back_keeps_none_of_the_others(sleeper: Any) -> None:
    def fails() -> None:
        raise TemperError("it would not start")

    with DeadMan() as dead_man:
        host = Host(pid=sleeper.pid, seconds=9.0, dead_man=dead_man, again=fails)
        host.stop()
        host._undone.append(fails)
        with pytest.raises(TemperError, match="would not start"):
            host.over()
        assert until(lambda: not stopped(sleeper.pid))


def test_memory_is_taken_within_its_bounds_and_given_back(sleeper: Any) -> None:
    with DeadMan() as dead_man:
        host = Host(pid=sleeper.pid, seconds=20.0, dead_man=dead_man)
        before = held()
        host.fill(1.0, 5 * PIECE + 1)
        assert 4 * PIECE < held() - before < 7 * PIECE
        host.over()
        assert held() - before < PIECE


def held() -> int:
    """The bytes of memory of what this process has started."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    told = (Path(f"/proc/{one}/statm").read_text(encoding="ascii").split()[1] for one in children)
    return sum(int(pages) * os.sysconf("SC_PAGESIZE") for pages in told)


def test_memory_is_given_back_where_the_machine_has_none_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(press, "spare", lambda: next(left, 0))
    monkeypatch.setattr(press, "_alone", lambda seconds: next(rounds, True))
    monkeypatch.setattr(press, "_ready", lambda: taken.append(resident()))
    left, rounds, taken = iter([1 << 40] * 4), iter([False]), []  # type: ignore[var-annotated]
    score = Path("/proc/self/oom_score_adj")
    before = resident()
    monkeypatch.setattr(press, "Path", lambda name: {str(score): Path(os.devnull)}.get(name) or Path(name))
    press.fill(1 << 40, time.monotonic() + 9.0)
    assert taken[0] - before > 3 * PIECE, "as much as there is"
    assert resident() - before < PIECE


def resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE")


def test_a_machine_without_memory_is_not_pressed(sleeper: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("temper.chaos.host.spare", lambda: PIECE)
    with DeadMan() as dead_man, pytest.raises(Unsupported, match="no memory that could be taken"):
        Host(pid=sleeper.pid, seconds=9.0, dead_man=dead_man).fill(0.5, 1 << 40)


def test_what_is_not_there_is_said(sleeper: Any) -> None:
    with DeadMan() as dead_man:
        host = Host(pid=sleeper.pid, seconds=9.0, dead_man=dead_man)
        with pytest.raises(Unsupported, match="does not run under"):
            host.order(clock=1.0)
        with pytest.raises(Unsupported, match="no control store"):
            host.lock()


def test_flushes_are_slow_while_it_is_ordered(tmp_path: Path) -> None:
    orders, flushed = Orders(path=tmp_path / "orders"), []
    flush = slowed(flushed.append, orders)
    start = time.monotonic()
    flush(3)
    assert time.monotonic() - start < 0.1
    orders.write(until=time.monotonic() + 0.5, fsync=0.2)
    start = time.monotonic()
    flush(4)
    assert time.monotonic() - start >= 0.2
    assert flushed == [3, 4]
    time.sleep(0.4)
    assert orders.fsync == 0.0, "over by the clock of whoever is slow"


def test_a_clock_that_jumps_jumps_in_that_process_only(tmp_path: Path) -> None:
    orders = Orders(path=tmp_path / "orders")
    orders.write(until=time.monotonic() + 60, clock=7_200.0)
    code = "import sys, time; from pathlib import Path; from temper.chaos import inside, orders; true = time.time(); "
    code += "inside.wrap(orders.Orders(path=Path(sys.argv[1]))); print(time.time() - true)"
    told = subprocess.run([sys.executable, "-c", code, orders.path], capture_output=True, check=True, text=True)
    assert 7_199 < float(told.stdout) < 7_260
