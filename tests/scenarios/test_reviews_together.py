"""Eight reviewers at once, as threads of one process and as processes: no case is handed out twice."""

import os
import subprocess
import sys
import threading
from collections import Counter

import pytest

from control_store import opened
from scenarios.story import ENVIRONMENT, SRC
from temper.core.review import Role, State

pytestmark = pytest.mark.slow

CASES = 400
CROWD = [f"p{n}" for n in range(8)]
WORK = """
import sys, time
from temper.core.review import State
from temper.store.control import Control
control = Control.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
while control.reviews.counts().get(State.CLOSED, 0) < int(sys.argv[3]):
    if (case := control.reviews.claim(sys.argv[2], 2.0)) is None:
        time.sleep(0.01)  # somebody still holds what this one may look at next
        continue
    print(case.id, flush=True)
    done = control.reviews.decide(case.id, sys.argv[2], "allow", "seen", f"{case.id}-{sys.argv[2]}", case.version, 3.0)
"""


@pytest.fixture
def control(place):
    control = opened(place)
    for name in CROWD:
        control.people.add(name, Role.ANALYST, "a sentence to remember", "root", 0.0)
    yield control
    assert control.audit.verify() == []
    control.close()


def test_threads_get_a_case_each(control):
    for n in range(CASES):
        control.reviews.enqueue(f"r{n}", {}, 1.0)
    got = Counter()

    def work(name):
        while case := control.reviews.claim(name, 2.0):
            got[case.id] += 1
            control.reviews.decide(case.id, name, "allow", "seen", f"{case.id}", case.version, 3.0)

    threads = [threading.Thread(target=work, args=(name,)) for name in CROWD]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == Counter(range(1, CASES + 1))
    assert control.reviews.counts()[State.CLOSED] == CASES


def test_processes_get_a_case_each_and_four_eyes_are_two_people(control, place):
    for n in range(CASES // 2):
        control.reviews.enqueue(f"r{n}", {}, 1.0, eyes=2)
    settings = os.environ | ENVIRONMENT | {"PYTHONPATH": str(SRC)}
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", WORK, place, name, str(CASES // 2)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=settings,
        )
        for name in CROWD
    ]
    for process in crowd:
        assert process.stdout.readline() == "ready\n"
    for process in crowd:
        process.stdin.write("go\n")
        process.stdin.flush()
    claims = Counter()
    for process in crowd:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        claims.update(map(int, out.split()))
    assert claims == Counter(dict.fromkeys(range(1, CASES // 2 + 1), 2))
    cases = control.reviews.page("closed", limit=CASES)
    assert len(cases) == CASES // 2
    assert all(len({one.reviewer for one in case.decisions}) == 2 for case in cases)
