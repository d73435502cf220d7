"""Jobs: ordered once, never lost, at one worker at a time, tried again with a bound, and carried out in a process that
ends with whoever holds it.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

from temper.cli import app
from temper.core.errors import StoreError, TemperError
from temper.core.job import JobState, Order
from temper.engine.worker import Worker
from temper.store.control import Control
from temper.store.control.jobs import FIRST, LEASE, MOST

ORDER = Order(key="model:aa", why="a new model", config="/nowhere/temper.yaml", only=("stress",))
DONE = {"run": "0001", "verdict": "pass", "report": "r.html"}


@pytest.fixture
def control(place):
    opened = Control.open(place)
    yield opened
    opened.close()


@pytest.fixture
def jobs(control):
    return control.jobs


def order(key):
    return Order(key=key, why=key, config="c")


def test_the_same_cause_is_ordered_once(jobs, control):
    assert jobs.put(ORDER, "monitor", 5.0) == 1
    assert jobs.put(ORDER, "monitor", 6.0) is None
    assert jobs.end(jobs.claim("w", 6.0), 0, DONE, "", 7.0) is JobState.DONE
    assert jobs.put(ORDER, "monitor", 8.0) is None, "also when it is over"
    one = jobs.get(1)
    assert (one.order, one.by, one.state, one.result, one.ended) == (ORDER, "monitor", JobState.DONE, DONE, 7.0)
    assert [entry.action for entry in control.audit.page()] == ["job.done", "job.put"]
    assert control.audit.verify() == []


def test_a_job_is_at_one_worker_until_its_lease_is_over(jobs):
    jobs.put(ORDER, "monitor", 0.0)
    first = jobs.claim("a", 0.0)
    assert (first.attempts, first.worker, jobs.claim("b", LEASE - 1.0)) == (1, "a", None)
    assert jobs.renew(first, "3 of 9", LEASE - 1.0)
    assert (jobs.claim("b", LEASE + 1.0), jobs.get(1).progress) == (None, "3 of 9")
    second = jobs.claim("b", 2.0 * LEASE)
    assert (second.worker, second.attempts) == ("b", 2)
    assert not jobs.renew(first, "8 of 9", 2.0 * LEASE), "who was only slow has lost it"
    assert jobs.end(first, 0, DONE, "", 2.0 * LEASE) is None
    assert jobs.get(1).state is JobState.RUNNING
    assert jobs.end(second, 1, DONE, "", 2.0 * LEASE) is JobState.DONE


def test_workers_that_ask_at_once_get_different_jobs(place, jobs):
    for number in range(12):
        jobs.put(order(f"k{number}"), "ana", float(number))

    def taken(name):
        mine = Control.open(place)
        try:
            return [one.id for one in iter(lambda: mine.jobs.claim(name, 50.0), None)]
        finally:
            mine.close()

    with ThreadPoolExecutor(3) as pool:
        found = [one for many in pool.map(taken, "abc") for one in many]
    assert sorted(found) == list(range(1, 13))


@pytest.mark.parametrize("code", [4, 137])
def test_what_cannot_be_finished_is_tried_again_ever_later_and_then_given_up(jobs, code):
    jobs.put(ORDER, "monitor", 0.0)
    now = 0.0
    for attempt in range(1, MOST + 1):
        job = jobs.claim("w", now)
        assert job.attempts == attempt
        state = jobs.end(job, code, {}, f"broke {attempt}", now)
        wait = FIRST * 2.0 ** (attempt - 1)
        assert (state, jobs.claim("w", now + wait - 1.0)) == (
            JobState.FAILED if attempt == MOST else JobState.WAITING,
            None,
        )
        now += wait
    one = jobs.get(1)
    assert (one.state, one.code, one.log, jobs.claim("w", now + 1e6)) == (JobState.FAILED, code, f"broke {MOST}", None)
    jobs.again(1, "ana", now)
    assert jobs.claim("w", now).attempts == 1


def test_an_order_that_is_wrong_is_not_tried_again(jobs):
    jobs.put(ORDER, "monitor", 0.0)
    assert jobs.end(jobs.claim("w", 0.0), 2, {}, "error: no such file", 1.0) is JobState.FAILED


def test_a_job_that_takes_its_worker_with_it_is_given_up(jobs):
    jobs.put(ORDER, "monitor", 0.0)
    taken = [jobs.claim(f"w{turn}", turn * LEASE) for turn in range(MOST)]
    assert [one.attempts for one in taken] == [1, 2, 3]
    assert jobs.claim("z", MOST * LEASE) is None
    assert (jobs.get(1).state, "vanished" in jobs.get(1).log) == (JobState.FAILED, True)


def test_a_worker_that_stops_gives_its_job_back(jobs):
    jobs.put(ORDER, "monitor", 0.0)
    jobs.leave(jobs.claim("a", 0.0), 1.0)
    assert (jobs.claim("b", 1.0).attempts, jobs.get(1).worker) == (1, "b")


def test_what_is_not_there_or_not_over_is_refused(jobs):
    jobs.put(ORDER, "monitor", 0.0)
    for wrong in (lambda: jobs.get(7), lambda: jobs.again(1, "ana", 0.0)):
        with pytest.raises(TemperError, match="job"):
            wrong()


# -- the worker -----------------------------------------------------------------------------------------------------

SAYS = 'import json, sys; print(json.dumps({"progress": "1 of 2 x"}), flush=True); sys.stderr.write("heard\\n"); '
PASSES = SAYS + f'print(json.dumps({{"result": {DONE}}}), flush=True)'
HANGS = SAYS + "sys.stdin.read()"


def worker(jobs, text, **more):
    now = time.time
    return Worker(jobs=jobs, name="w", command=(sys.executable, "-c", text), clock=now, **more)


@pytest.fixture
def local(tmp_path):
    opened = Control.open(str(tmp_path / "control.db"))
    opened.jobs.put(ORDER, "monitor", 0.0)
    yield opened.jobs
    opened.close()


def test_a_worker_keeps_result_log_progress_and_code(local):
    ended = worker(local, PASSES).turn()
    one = local.get(1)
    assert (ended.state, one.state, one.code, one.result) == (JobState.DONE, JobState.DONE, 0, DONE)
    assert one.log == "heard"
    assert "run 0001 says PASS" in ended.told
    assert worker(local, PASSES).turn() is None


@pytest.mark.parametrize(
    ("text", "code", "state"),
    [
        (SAYS + f'print(json.dumps({{"result": {DONE}}}), flush=True); sys.exit(1)', 1, JobState.DONE),
        (SAYS + "sys.exit(1)", 4, JobState.WAITING),
        (SAYS, 4, JobState.WAITING),
        ("raise ValueError", 4, JobState.WAITING),
        ("import os; os.kill(os.getpid(), 9)", 4, JobState.WAITING),
        ("import sys; sys.exit(2)", 2, JobState.FAILED),
    ],
)
def test_an_exit_code_without_a_result_is_no_verdict(local, text, code, state):
    ended = worker(local, text).turn()
    assert (ended.code, ended.state) == (code, state)
    assert ended.told


class Away:
    """Jobs of a store that cannot be reached the first time it is asked."""

    def __init__(self, jobs):
        self.jobs, self.asked = jobs, 0

    def claim(self, name, now):
        self.asked += 1
        if self.asked == 1:
            raise StoreError("the database cannot be reached")
        return self.jobs.claim(name, now)

    def __getattr__(self, name):
        return getattr(self.jobs, name)


def test_a_worker_outlives_a_store_that_is_away_for_a_while(local):
    said = []
    one = worker(Away(local), PASSES)

    def say(text):
        said.append(text)
        if "PASS" in text:
            one.stopping.set()

    one.work(say, 0.01, once=False)
    assert "cannot be reached; it is asked again" in said[0]
    assert local.get(1).state is JobState.DONE
    with pytest.raises(StoreError):
        worker(Away(local), PASSES).work(said.append, 0.01, once=True)


def hanging(jobs, **more):
    """A worker whose job hangs, on a thread, once its process runs."""
    one = worker(jobs, HANGS, beat=0.01, **more)
    found = []
    thread = threading.Thread(target=lambda: found.append(one.turn()))
    thread.start()
    while jobs.get(1).progress != "1 of 2 x":
        time.sleep(0.01)
    return one, thread, found


def test_a_worker_that_is_told_to_stop_gives_back_and_ends_the_process(local):
    one, thread, found = hanging(local)
    one.stopping.set()
    thread.join()
    assert (found, local.get(1).state, local.get(1).attempts) == ([None], JobState.WAITING, 0)


def test_a_worker_that_lost_its_job_ends_the_process_and_says_so(local):
    _, thread, found = hanging(local)
    other = local.claim("other", time.time() + 2.0 * LEASE)
    thread.join()
    assert (found[0].state, local.get(1).worker, local.get(1).attempts) == (None, "other", other.attempts)
    assert "another worker's" in found[0].told


@contextmanager
def begun(patience):
    """A process that waits for a word, and one that it has started."""
    text = (
        "import subprocess, sys; from temper.engine.deadman import deadman; "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        f"print(child.pid, flush=True); deadman({patience})"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", text], stdin=pipe, stdout=pipe, start_new_session=True) as process:
        yield process, int(process.stdout.readline())


def gone(pid):
    for _ in range(6_000):
        try:
            os.kill(pid, 0)
            with open(f"/proc/{pid}/stat") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.01)
    return False


def test_a_process_ends_with_its_worker_and_takes_along_what_it_started():
    with begun(600) as (process, child):
        process.stdin.close()  # what the kernel does when the worker is killed
        assert process.wait() == -signal.SIGKILL
        assert gone(child)


def test_a_process_that_nobody_wants_any_more_ends_by_itself():
    with begun(0.2) as (process, child):
        assert process.wait() == -signal.SIGKILL, "its worker is stopped or cannot reach the store, and still lives"
        assert gone(child)


def test_people_order_list_and_read_jobs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temper.yaml").write_text("model: {path: gone.json}\n")

    def asked(*words):
        return CliRunner().invoke(app, ["jobs", *words], catch_exceptions=False)

    put = ("put", "--key", "k", "--why", "to\x1b see", "--only", "stress,validation")
    assert "job 1" in asked(*put).stdout
    assert "already" in asked(*put).stdout
    assert asked("list").stdout.startswith("1\twaiting\t0\t")
    shown = asked("show", "1").stdout
    assert "stress, validation" in shown
    assert "\x1b" not in shown
    assert '"key":"k"' in asked("list", "--json").stdout
