"""Ctrl-C, kill -9 and a full disk: what was measured is kept, and the run that goes on ends like one undisturbed."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from scenarios.story import ENVIRONMENT, WRAPPED, Folder, refused

SLOWLY = f"""{WRAPPED}
import time
def answer(x):
    time.sleep(0.005)
    return scored(x)
"""
STOPS = f"""{WRAPPED}
from pathlib import Path
import sys
STOP = Path(__file__).parent / "stop"
def answer(x):
    frame = sys._getframe()
    while frame is not None and STOP.exists():
        if frame.f_code.co_filename.endswith("calibration.py"):
            raise KeyboardInterrupt
        frame = frame.f_back
    return scored(x)
"""
ROOMS = ("evasion.coordinate", "evasion.random_search", "validation.performance", "validation.calibration")
SOME = tuple(word for room in ROOMS for word in ("--only", room))


def same(first, second):
    """The figures and findings of two runs, but for seconds and for ids, which hold the folder of a callable."""
    figures = [[replace(m, seconds=0.0) for m in run.measurements] for run in (first, second)]
    assert figures[0] == figures[1]
    findings = [[replace(f, id="", task="") for f in run.findings] for run in (first, second)]
    assert findings[0] == findings[1]
    assert first.judgements == second.judgements
    assert first.state == second.state == "finished"


def reused(record):
    return int(dict(record.facts)["answered from the store"].split()[0])


@pytest.fixture
def interrupted(system):
    """A system whose assessment is interrupted in the middle, as by Ctrl-C, as long as the file `stop` is there."""
    (system.path / "stop").touch()
    return system.function(STOPS, version='"1"')


@pytest.mark.slow
def test_ctrl_c_gives_a_stopped_run_with_partial_results_and_resume_completes_it(desk, interrupted):
    told = desk.assess(interrupted, *SOME)
    assert told.code == 4, told.all
    assert "Traceback" not in told.all
    stopped = interrupted.store.run()
    assert stopped.state == "stopped"
    assert any(m.name == "evasion.coordinate.success_rate" and m.status.value == "ok" for m in stopped.measurements)
    assert any("stopped" in m.reason for m in stopped.measurements if m.status.value == "untried")

    (interrupted.path / "stop").unlink()
    told = desk.assess(interrupted, *SOME, "--resume")
    assert told.code in (0, 1, 3), told.all
    finished = interrupted.store.run()
    assert finished.id == stopped.id
    assert finished.state == "finished"
    assert 0 < reused(finished) < len(finished.tasks)
    desk.assess(interrupted, *SOME, "--fresh")
    same(finished, interrupted.store.run())


@pytest.mark.slow
def test_a_stopped_run_never_reads_as_a_verdict(desk, interrupted):
    interrupted.requires("id: ranks, metric: performance.auc, at_least: 0.1")
    told = desk.assess(interrupted, *SOME)
    assert told.code == 4
    html = (interrupted.path / "runs" / "0001" / "report.html").read_text(encoding="utf-8")
    assert "stopped" in told.all.lower()
    assert "stopped" in html.lower()


def test_ctrl_c_before_anything_is_measured_says_so(desk, interrupted):
    told = desk.assess(interrupted, "--only", "validation.calibration")
    refused(told, "before anything was measured", code=4)


def test_ctrl_c_while_the_model_is_loaded_is_not_a_broken_requirement(desk, system):
    system.function("raise KeyboardInterrupt\n")
    told = desk.assess(system)
    assert told.code not in (0, 1, 3), told.all
    assert "Traceback" not in told.all


def started(system, *more):
    """`temper assess` in a process of its own, with its standard error at hand."""
    words = ["assess", "-c", str(system.config), "--suite", "quick", *SOME, *more]
    return subprocess.Popen(
        [sys.executable, "-m", "temper", *words],
        env=os.environ | ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(process, text, limit=90):
    """Read what the process says until this is said."""
    end, said = time.monotonic() + limit, []
    for line in process.stderr:
        said.append(line)
        if text in line:
            return
        assert time.monotonic() < end, said
    raise AssertionError(f"{text!r} was never said: {said}")


def ended(process):
    """Its exit code, with nothing of it left running."""
    with process.stderr:
        process.stderr.read()
    process.wait(timeout=60)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.returncode


@pytest.fixture
def twins(system, tmp_path):
    """A system that answers slowly, and its copy for an undisturbed run."""
    system.function(SLOWLY, version='"1"')
    return system, Folder(shutil.copytree(system.path, tmp_path / "twin" / "bank"))


@pytest.mark.slow
def test_a_signal_from_the_terminal_stops_the_run_and_keeps_what_is_done(terminal, twins):
    system, twin = twins
    process = started(system, "--engine", "processes")
    wait_for(process, "[2/")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    assert ended(process) == 4
    stopped = system.store.run()
    assert stopped.state == "stopped"
    for one, more in ((system, ["--resume"]), (twin, [])):
        told = terminal("assess", "-c", one.config, "--suite", "quick", *SOME, "--engine", "processes", *more)
        assert told.code in (0, 1, 3), told.all
    assert reused(system.store.run()) >= 2
    same(system.store.run(), twin.store.run())


@pytest.mark.slow
def test_a_killed_run_resumes_without_running_a_finished_task_again(terminal, twins):
    system, twin = twins
    process = started(system, "--engine", "serial")
    wait_for(process, "[3/")
    os.killpg(process.pid, signal.SIGKILL)
    assert ended(process) == -signal.SIGKILL
    for one, more in ((system, ["--resume"]), (twin, [])):
        told = terminal("assess", "-c", one.config, "--suite", "quick", *SOME, "--engine", "serial", *more)
        assert told.code in (0, 1, 3), told.all
    assert reused(system.store.run()) >= 3
    same(system.store.run(), twin.store.run())


@pytest.mark.slow
def test_a_killed_run_leaves_no_worker_behind(twins):
    system, _ = twins
    process = started(system, "--engine", "processes")
    wait_for(process, "[1/")
    workers = children(process.pid)
    assert workers
    process.kill()
    ended_at = time.monotonic() + 20
    while any(alive(pid) for pid in workers) and time.monotonic() < ended_at:
        time.sleep(0.2)
    left = [pid for pid in workers if alive(pid)]
    ended(process)
    assert not left


def children(pid):
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def alive(pid):
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of its own with two megabytes, unmounted afterwards."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_told_in_one_sentence_and_what_was_stored_is_intact(desk, written, small_disk):
    system = Folder(shutil.copytree(written, small_disk / "bank"))
    assert desk.assess(system, "--only", "validation.performance").code in (0, 1, 3)
    before = system.store.run()
    fill = small_disk / "fill"
    with contextlib.suppress(OSError), fill.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    refused(desk.assess(system, "--only", "evasion.coordinate"), "disk is full", "--resume", code=4)

    fill.unlink()
    assert system.store.run("0001") == before
    assert desk.assess(system, "--only", "evasion.coordinate", "--resume").code in (0, 1, 3)
    assert system.store.run("0001") == before


def test_a_disk_that_fills_while_the_report_is_written_is_told(desk, system, monkeypatch):
    import errno
    from pathlib import Path

    write = Path.write_text

    def full(path, *rest, **more):
        if path.suffix == ".html":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, *rest, **more)

    monkeypatch.setattr(Path, "write_text", full)
    told = desk.assess(system, "--only", "validation.performance")
    refused(told, "report.html", "No space left on device", code=4)
    assert system.store.run().state == "finished"
