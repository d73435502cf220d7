"""A worker beside another command: a process of its own, gone when the command is; and one job at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from temper.core.job import JobState, Order
from temper.store.control import Control
from unit.kept_runs import assessed
from unit.test_jobs import gone

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parents[1]
CONSOLE = """
import json, sys, time
import uvicorn
from unit.web_desk import Browser

def run(app, **options):
    browser = Browser(app)
    browser.cookies["temper_session"] = sys.argv[1]
    statuses = [browser.get(path).status for path in ("/", "/runs", "/runs/0001", "/jobs", "/monitoring")]
    rooms = sorted({name.split(".")[1] for name in sys.modules if name.startswith("temper.")})
    print(json.dumps({"statuses": statuses, "rooms": rooms}), flush=True)
    sys.stdin.read()

uvicorn.run = run
from temper.cli import app
app(["console", "--config", sys.argv[2], "--metrics", ""])
"""
TIED = """
import sys
from temper.cli._beside import beside
with beside(sys.argv[1]):
    print("ready", flush=True)
    sys.stdin.read()
"""


def started(stack: ExitStack, text: str, *words: str) -> Any:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", text, *words]
    places = os.pathsep.join((str(TESTS), os.environ.get("PYTHONPATH", "")))
    process = stack.enter_context(
        subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": places}
        )
    )
    stack.callback(process.kill)
    return process, process.stdout.readline()


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_console_has_a_worker_beside_it_and_never_loads_what_attacks(tmp_path: Path) -> None:
    with assessed(tmp_path) as world, ExitStack() as stack:
        config = tmp_path / "temper.yaml"
        config.write_text("system: {name: card-fraud}\nguard: {control: control.db}\n")
        secret = world.control.sessions.open("vera", time.time())
        console, line = started(stack, CONSOLE, secret, str(config))
        told = json.loads(line)
        assert told["statuses"] == [200] * 5
        loaded = {"engine", "attacks", "stress", "traffic", "fuzz", "chaos", "hardening", "api"} & set(told["rooms"])
        assert loaded == set()
        (worker,) = children(console.pid)
        assert b"worker" in Path(f"/proc/{worker}/cmdline").read_bytes()
        os.kill(console.pid, signal.SIGKILL)
        assert gone(worker)


def test_two_commands_with_a_worker_each_carry_a_job_out_once(tmp_path: Path) -> None:
    place = tmp_path / "control.db"
    control = Control.open(str(place))
    control.jobs.put(Order(key="k", why="w", config=str(tmp_path / "gone.yaml")), "ana", 0.0)
    with ExitStack() as stack:
        stack.callback(control.close)
        both = [started(stack, TIED, str(place))[0] for _ in "ab"]
        workers = [child for one in both for child in children(one.pid)]
        assert len(workers) == 2
        while control.jobs.get(1).state is not JobState.FAILED:
            time.sleep(0.05)
        for one in both:
            one.stdin.close()
            assert one.wait() == 0
        assert all(map(gone, workers)), "they end with the commands"
        one = control.jobs.get(1)
        assert (one.attempts, one.code) == (1, 2)
        assert [entry.action for entry in control.audit.page()] == ["job.failed", "job.put"]
