"""A process with producers and reviewers, killed again and again at random moments: nothing acknowledged is lost."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from random import Random

import pytest

from control_store import opened
from scenarios.story import ENVIRONMENT
from temper.core.review import Role, State

pytestmark = pytest.mark.slow

KILLS = {"sqlite": 20, "postgresql": 10}
LONGEST = {"sqlite": 0.15, "postgresql": 0.4}  # seconds until a kill, from the first word
PEOPLE = {"p0": Role.ANALYST, "p1": Role.ANALYST, "p2": Role.ANALYST, "p3": Role.APPROVER, "p4": Role.ADMIN}
LEASE = 0.2
# Two producers and five reviewers; each tells by one write to a pipe what it was told is kept. The reviewers differ now
# and then, so that cases are escalated too.
LOAD = """
import os, sys, threading, time
from temper.store.control import Control

control = Control.open(sys.argv[1])
me = os.getpid()

def produce(at):
    for n in range(10**9):
        request = f"{me}-{at}-{n}"
        control.reviews.enqueue(request, {"n": n}, time.time(), eyes=1 + n % 2)
        os.write(1, f"case {request}\\n".encode())

def review(name):
    while True:
        case = control.reviews.claim(name, time.time(), lease=0.2)
        if case is None:
            time.sleep(0.001)
            continue
        token = f"{me}-{name}-{case.id}-{case.version}"
        verdict = "block" if (case.id + int(name[1])) % 5 == 0 else "allow"
        try:
            control.reviews.decide(case.id, name, verdict, "seen", token, case.version, time.time())
        except Exception as error:
            if type(error).__name__ != "Conflict":
                os.write(1, f"failed {error!r}\\n".encode())
            continue
        os.write(1, f"decision {token}\\n".encode())

crowd = [threading.Thread(target=produce, args=(at,)) for at in range(2)]
crowd += [threading.Thread(target=review, args=(f"p{n}",)) for n in range(5)]
for thread in crowd:
    thread.start()
"""


def killed(place, told, seconds):
    """What a process was told is kept, until it was killed so long after its first word."""
    with told.open("wb") as file:
        command = [sys.executable, "-c", LOAD, place]
        process = subprocess.Popen(command, stdout=file, env=os.environ | ENVIRONMENT)
        deadline = time.monotonic() + 60
        while not told.stat().st_size:
            assert process.poll() is None, "the load ended by itself"
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    return [tuple(line.split(" ", 1)) for line in told.read_text().rpartition("\n")[0].splitlines()]


def peopled(place):
    control = opened(place)
    for name, role in PEOPLE.items():
        control.people.add(name, role, "a sentence to remember", "root", 0.0)
    control.exercises.set_share(0.2, "p3", 0.0)
    return control


def rows(control, sql):
    with control._database.read() as tx:
        return tx.all(sql)


def held_against(control, told):
    """What was lost or went wrong."""
    assert [word for kind, word in told if kind == "failed"] == []
    requests = {row["request"] for row in rows(control, "SELECT request FROM review")}
    tokens = {row["token"] for row in rows(control, "SELECT token FROM decision")}
    lost = [word for kind, word in told if kind == "case" and word not in requests]
    lost += [word for kind, word in told if kind == "decision" and word not in tokens]
    waiting = "SELECT e.origin FROM exercise e JOIN review n ON n.id = e.review WHERE n.closed IS NULL"
    hidden = {row["origin"] for row in rows(control, waiting)}
    unseen = []
    for state in (State.CLOSED, State.ESCALATED, State.SECOND):
        for case in control.reviews.page(state, limit=10**6, viewer="p4"):
            if case.id in hidden and case.outcome is None and not case.decisions:
                continue  # nobody is shown what is looked at again
            people = [one.reviewer for one in case.decisions]
            verdicts = [one.verdict for one in case.decisions]
            if len(set(people)) != len(people) or not settled(case, verdicts):
                unseen.append(case)
    return lost, unseen


def looked_at_again(control):
    """Second looks at a case that is not closed, or by who closed it."""
    astray = (
        "SELECT e.review FROM exercise e JOIN review o ON o.id = e.origin "
        "WHERE o.state <> 'closed' OR EXISTS (SELECT 1 FROM decision a JOIN decision b ON b.reviewer = a.reviewer "
        "WHERE a.review = e.origin AND b.review = e.review)"
    )
    assert len(rows(control, "SELECT review FROM exercise")) > 0, "some came again"
    return rows(control, astray)


def settled(case, verdicts):
    """Whether a case stands where its decisions say."""
    if case.state is State.CLOSED:
        return len(verdicts) >= case.eyes and verdicts.count(case.outcome) >= case.eyes
    if case.state is State.ESCALATED:
        return len(verdicts) == 2 and len(set(verdicts)) == 2
    return case.eyes == 2 and len(verdicts) <= 1


def test_kills_lose_nothing_that_was_acknowledged(place, tmp_path):
    kind = "postgresql" if "://" in place else "sqlite"
    control = peopled(place)
    moments, told = Random(6), []
    for _ in range(KILLS[kind]):
        told += killed(place, tmp_path / "told.txt", moments.uniform(0.0, LONGEST[kind]))
    lost, unseen = held_against(control, told)
    assert lost == []
    assert unseen == []
    assert control.audit.verify() == []
    counts = Counter(word for word, _ in told)
    print(f"{kind}, {KILLS[kind]} kills: {dict(counts)} acknowledged, chain of {control.audit.head()[0]}")
    assert min(counts["case"], counts["decision"]) > KILLS[kind] / 2, "the load was one"
    assert looked_at_again(control) == []
    now = time.time() + 1
    while case := control.reviews.claim("p4", now, lease=LEASE):
        control.reviews.decide(case.id, "p4", "allow", "late", f"late-{case.id}", case.version, now)
        now = max(now, time.time() + 1)
    left = "SELECT id FROM review WHERE state = 'claimed' AND id NOT IN (SELECT review FROM exercise)"
    assert rows(control, left) == [], "no lease is stuck"
    control.close()
    if kind == "sqlite":
        with sqlite3.connect(place) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        raw.close()


def test_a_server_that_is_killed_loses_nothing_and_is_found_again(cluster, tmp_path):
    place = cluster.database()
    control = peopled(place)
    told = tmp_path / "told.txt"
    with told.open("wb") as file:
        command = [sys.executable, "-c", LOAD, place]
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.DEVNULL, env=os.environ | ENVIRONMENT)
        deadline = time.monotonic() + 60
        while told.read_text().count("\n") < 60:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        cluster.stop(signal.SIGQUIT)
        try:
            with pytest.raises(Exception, match="cannot be reached"):
                control.records.version()
        finally:
            cluster.start()
        process.kill()
        process.wait()
    words = [tuple(line.split(" ", 1)) for line in told.read_text().rpartition("\n")[0].splitlines()]
    assert len([word for word in words if word[0] != "failed"]) > 50
    lost, unseen = held_against(control, [word for word in words if word[0] != "failed"])
    assert (lost, unseen) == ([], [])
    assert control.audit.verify() == []
    assert control.records.put("kill", True, "p4", "it answers again", 1.0).seq == 1
    control.close()


HANGS = """
import sys, time
from temper.store.control import Control
control = Control.open(sys.argv[1])
with control._database.write():
    print("holds", flush=True)
    time.sleep(600)
"""


def test_a_gateway_that_hangs_in_a_change_does_not_stop_the_others(cluster):
    place = cluster.database()
    control = peopled(place)
    command = [sys.executable, "-c", HANGS, place]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | ENVIRONMENT)
    assert process.stdout.readline() == "holds\n"
    process.send_signal(signal.SIGSTOP)
    assert control.reviews.counts()[State.OPEN] == 0, "reading does not wait"
    control.reviews.enqueue("r", {}, 1.0)
    assert control.reviews.claim("p0", 2.0).request == "r"
    process.kill()
    process.communicate()
    assert control.audit.verify() == []
    control.close()
