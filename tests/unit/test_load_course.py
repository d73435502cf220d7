"""A whole load test, of services whose truth is known; and what is said where there is nothing to grade."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from bench.load._server import served
from temper.cli import app
from temper.core.errors import TemperError
from temper.core.load import Glance, Limit, Loaded
from temper.core.seed import Draws
from temper.engine.load.course import Course
from temper.engine.load.order import LoadTest
from temper.report.load import document, following, held, page, sentences
from temper.report.load_terminal import Watching, show
from temper.traffic.address import Address
from temper.traffic.arrivals import due
from temper.traffic.plan import plan
from temper.traffic.played import Played


class _Simulated:
    """SIMULATED generators before a queue with one server, without a clock."""

    address = Address(host="127.0.0.1", port=80, own=True)
    many = 1

    def __init__(self, service: float, room: float = np.inf, late_from: float = np.inf, status: int = 200) -> None:
        self.service, self.room, self.late_from, self.status = service, room, late_from, status

    def play(self, requests: Any, times: np.ndarray) -> Played:
        done, status, until = np.full(len(times), np.nan), np.full(len(times), self.status), 0.0
        for at, when in enumerate(times):
            if until - when > self.room:
                done[at], status[at] = when, 503
            else:
                until = max(until, when) + self.service
                done[at] = until
        taken = times + (0.5 if len(times) / max(times[-1], 1e-9) > self.late_from else 0.0)
        marks = np.zeros(len(times), dtype=int)
        return Played(due=times, taken=taken, sent=taken, done=done, status=status, marks=marks)


def _course(simulated: _Simulated, **more: Any) -> Course:
    settings: dict[str, Any] = {"limit": Limit(seconds=0.2), "most": 2_000.0}
    return Course(generators=simulated, requests=[b""], **(settings | more))  # type: ignore[arg-type]


def _searched(simulated: _Simulated, **more: Any) -> Loaded:
    return _course(simulated, **more).searched("2027-01-01T00:00:00+00:00")


def _all(found: Loaded) -> str:
    assert page(found).count("<svg") >= 1
    assert json.loads(document(found))["format"] == "temper.load/1"
    return "\n".join([*sentences(found), following(found)])


def test_a_service_that_sheds_is_found_to_keep_what_it_bears() -> None:
    found = _searched(_Simulated(1 / 200, room=0.1))
    assert found.knee is not None
    assert found.knee.value == pytest.approx(200, rel=0.1)
    doubled = dict(found.overload)[2.0]
    assert doubled.goodput == pytest.approx(200, rel=0.05)
    assert doubled.shed / doubled.requests == pytest.approx(0.5, abs=0.07)
    assert found.recovery is not None
    assert found.recovery.seconds == pytest.approx(0, abs=0.3)
    assert held(found)
    assert "share this machine" in found.caveats[0]
    assert "well again at once" in _all(found)


def test_a_service_that_queues_without_end_does_not_come_back() -> None:
    found = _searched(_Simulated(1 / 200))
    assert found.recovery is not None
    assert found.recovery.seconds is None
    assert not held(found)
    assert "metastable" in _all(found)
    assert "bound its queue" in following(found)


def test_no_limit_and_no_service_are_told_as_such() -> None:
    fast = _searched(_Simulated(1e-6), most=300.0)
    assert "No limit was found" in _all(fast)
    assert "--most" in following(fast)
    slow = _searched(_Simulated(0.3), first=4.0)
    assert "At no rate" in _all(slow)
    assert not held(slow)


def test_a_generator_that_cannot_keep_up_grades_nothing() -> None:
    with pytest.raises(TemperError, match="generator itself was late"):
        _searched(_Simulated(1 / 200, late_from=90.0))
    beyond = _searched(_Simulated(1 / 200, room=0.1, late_from=500.0))
    assert [times for times, _ in beyond.overload] == [0.5, 0.9, 1.2, 2.0]
    assert beyond.recovery is None or beyond.recovery.seconds is not None
    assert any(line.startswith("4 times the knee was not graded") for line in beyond.caveats)


def test_a_service_that_answers_nobody_well_is_not_searched() -> None:
    with pytest.raises(TemperError, match="answers status 401 to 10 of 10"):
        _searched(_Simulated(0.001, status=401))


def test_one_plan_is_one_run_with_its_timeline() -> None:
    course = _course(_Simulated(1 / 200, room=0.1))
    found = course.planned(plan("spike:100*4", 10.0), "spike", "2027-01-01T00:00:00+00:00", [])
    (trial,) = found.trials
    assert trial.requests == len(due(plan("spike:100*4", 10.0), Draws(0, "load.1").generator())) == 1_600
    assert max(one.offered for one in found.timeline) > 300
    assert not held(found)
    assert "did not hold" in _all(found)
    grown = course.planned(
        plan("constant:20", 1.0), "soak", "", [(0.5 * at, 10_000_000 + 50_000 * at) for at in range(100)]
    )
    assert "memory grows: 343 MiB an hour" in _all(grown)


@pytest.mark.parametrize("width", [60, 140])
def test_the_result_fits_the_terminal(width: int, tmp_path: Path) -> None:
    console = Console(width=width, record=True, force_terminal=False, file=io.StringIO())
    show(_searched(_Simulated(1 / 200, room=0.1)), tmp_path / "x.html", console)
    text = console.export_text()
    assert all(len(line) <= width for line in text.splitlines() if not line.startswith("report:"))
    assert "HELD" in text
    assert "p99" in text


@pytest.mark.parametrize("words", ["", "constant", "constant:x", "constant:0", "ramp:5", "ramp:1-2-3", "steps:", "x:1"])
def test_what_is_no_plan_is_refused(words: str) -> None:
    with pytest.raises(TemperError, match="is no plan"):
        plan(words, 1.0)


def _command(*words: str) -> Any:
    return CliRunner().invoke(app, ["stress", *words])


def test_the_command_puts_a_url_under_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bodies = tmp_path / "bodies.jsonl"
    bodies.write_text('{"a": 1}\n\n{"a": 2}\n')
    with served(0.0) as (port, pid):
        words = (f"http://127.0.0.1:{port}/", "--body", str(bodies), "--limit-ms", "2000", "--pid", str(pid))
        done = _command(*words, "--plan", "ramp:10-40", "--seconds", "2", "--json")
        assert done.exit_code == 0, done.output
        told = json.loads(done.stdout)
        assert told["trials"][0]["requests"] == told["trials"][0]["good"] == 50
        (html,) = (tmp_path / "runs" / "load").glob("*.html")
        assert "It held" in html.read_text()
    gone = _command(f"http://127.0.0.1:{port}/", "--method", "GET", "--plan", "constant:5", "--seconds", "1")
    assert "takes no connection" in str(gone.exception)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("http://192.0.2.1/", "--method", "GET"), "not this machine"),
        (("http://127.0.0.1:9/",), "nothing to send"),
        (("service",), "No such file"),
        (("http://127.0.0.1:9/", "--method", "BREW"), "--method is one of"),
        (("http://127.0.0.1:9/", "--method", "GET", "--header", "a"), "no header"),
        (("http://127.0.0.1:9/", "--method", "GET", "--header", "a:b\r\nc: d"), "no header"),
        (("http://127.0.0.1:9/", "--method", "GET", "--key-env", "NO_SUCH_KEY"), "holds no key"),
        (("http://127.0.0.1:9/", "--body", "none"), "No such file"),
    ],
)
def test_a_mistake_is_one_sentence(
    words: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = _command(*words)
    assert done.exit_code != 0
    assert told in str(done.exception)


@pytest.mark.slow
def test_a_service_that_dies_in_the_search_is_told() -> None:
    with served(0.004, dies=2.5) as (port, _):
        test = LoadTest(
            target=f"http://127.0.0.1:{port}/",
            method="GET",
            limit_ms=1_000,
            seconds=0.5,
            first=400,
            config=Path("none"),
        )
        with pytest.raises(TemperError, match=r"was gone|takes no connection"):
            test.run(lambda line: None)


def test_ctrl_c_ends_the_load_with_a_word(tmp_path: Path) -> None:
    with served(0.0) as (port, _):
        words = [f"http://127.0.0.1:{port}/", "--method", "GET", "--plan", "constant:20", "--seconds", "60"]
        command = [sys.executable, "-m", "temper", "stress", *words]
        with subprocess.Popen(
            command, cwd=tmp_path, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=_interruptible
        ) as running:
            _until(lambda: _asked_by_now(running.pid))
            os.killpg(running.pid, signal.SIGINT)
            assert running.stderr is not None
            said = running.stderr.read().decode()
            assert running.wait(20) == 4
    assert "nothing is graded" in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("runs/load/*"))


def _interruptible() -> None:
    """A shell starts what runs in the background deaf to Ctrl-C, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _asked_by_now(pid: int) -> bool:
    """Whether its generator runs and has opened its lines."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return any(len(list(Path(f"/proc/{child}/fd").iterdir())) > 200 for child in children)


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_line_that_changes_says_what_the_last_second_was() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=60, legacy_windows=False)
    with Watching(console) as watching:
        watching.line("found \x1b[31msomething")
        watching.glance(Glance(at=2.0, offered=200.0, good=150.0, failed=50.0, p50=0.002, p99=float("nan"), late=0.001))
    told = screen.getvalue()
    assert "in time 150/s" in told
    assert "‹U+001B›" in told
    quiet = io.StringIO()
    with Watching(Console(file=quiet, force_terminal=True), quiet=True) as watching:
        watching.line("nothing")
    assert quiet.getvalue() == ""
