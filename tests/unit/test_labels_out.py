"""Labels leave once each and in their order, whatever is killed, full or down meanwhile."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from random import Random

import pytest
from typer.testing import CliRunner

from control_store import PASSWORD, opened, peopled
from scenarios.story import ENVIRONMENT
from temper.cli import app
from temper.core.errors import ConfigError, StoreError, TemperError
from temper.core.review import Role
from temper.engine.labels import relay


@pytest.fixture
def control(place):
    found = peopled(place)
    yield found
    found.close()


def decided(control, names, verdict="allow", reviewer="ann"):
    for name in names:
        control.reviews.enqueue(name, {"amount": 5, "request": name}, 1.0)
        case = control.reviews.claim(reviewer, 2.0)
        control.reviews.decide(case.id, reviewer, verdict, "seen", f"token {name}", case.version, 3.0)


def requests(lines):
    return [json.loads(line)["request"] for line in lines]


def out(control, to, **headers):
    return [one.label.request for one in relay(control.outbox, str(to), headers)]


class Hook:
    """A webhook that keeps what it took, and fails where it is told to."""

    def __init__(self):
        self.taken, self.keys, self.heads, self.answers = [], [], [], []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status = hook.answers.pop(0) if hook.answers else 200
                if status == 200:
                    hook.taken.append(json.loads(body)["request"])
                    hook.keys.append(self.headers["idempotency-key"])
                    hook.heads.append(dict(self.headers))
                self.send_response(status)
                if status == 307:
                    self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/labels?key=secret"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def hook():
    found = Hook()
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_every_case_that_people_close_leaves_once_and_no_other(control):
    decided(control, ["a", "b"], "block")
    control.reviews.enqueue("overdue", {}, 4.0, due=5.0)
    control.reviews.expire(6.0)
    number = control.reviews.enqueue("two", {}, 7.0, eyes=2)
    for name in ("ann", "bob"):
        case = control.reviews.claim(name, 8.0)
        control.reviews.decide(number, name, "allow", "seen", f"two {name}", case.version, 9.0)
    found = list(control.outbox.after(0))
    assert [(one.cursor, one.label.request, one.label.verdict, one.label.agreed) for one in found] == [
        (1, "a", "block", None),
        (2, "b", "block", None),
        (3, "two", "allow", True),
    ]
    assert [one.cursor for one in control.outbox.after(2)] == [3]


def test_a_decision_that_is_undone_leaves_nothing(control, monkeypatch):
    from temper.store.control import audit

    control.reviews.enqueue("a", {}, 1.0)
    case = control.reviews.claim("ann", 2.0)
    monkeypatch.setattr(audit, "opinion_digest", lambda row: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        control.reviews.decide(case.id, "ann", "allow", "seen", "token", case.version, 3.0)
    assert list(control.outbox.after(0)) == []


@pytest.mark.parametrize(
    "change", ["UPDATE outbox SET seq = 9", "DELETE FROM outbox", "INSERT INTO outbox VALUES (9, 1)"]
)
def test_what_has_left_stays_as_it_left(control, change):
    decided(control, ["a"])
    with pytest.raises(TemperError), control._database.write() as tx:
        tx.all(change)
    assert [one.cursor for one in control.outbox.after(0)] == [1]


def test_a_file_is_gone_on_with_from_what_it_ends_with(control, tmp_path):
    path = tmp_path / "out" / "labels.jsonl"
    decided(control, "abc")
    assert out(control, path) == ["a", "b", "c"]
    assert out(control, path) == []
    decided(control, "de")
    whole = path.read_bytes()
    assert out(control, path) == ["d", "e"]
    for kept in (1, 40):  # killed while the next was written, at its first byte or in its middle
        left = path.read_bytes()[len(whole) :][:kept]
        path.write_bytes(whole + left)
        assert out(control, path) == ["d", "e"]
    assert requests(path.read_text().splitlines()) == ["a", "b", "c", "d", "e"]
    first = path.read_bytes()[:25]
    path.write_bytes(first)
    assert out(control, path) == ["a", "b", "c", "d", "e"]
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "text",
    ["no newline at all", "a line\n", '{"cursor": 1}\n', '{"cursor": 99}\nhalf', "\n", "[]\n", '{"cursor": 1e30}\n'],
)
def test_a_file_of_somebody_elses_is_refused_and_not_touched(control, tmp_path, text):
    path = tmp_path / "mine.txt"
    path.write_text(text)
    decided(control, "ab")
    with pytest.raises(StoreError):
        out(control, path)
    assert path.read_text() == text


def test_a_file_of_a_store_that_was_restored_since_is_refused(tmp_path):
    control = peopled(tmp_path / "control.db")
    decided(control, "ab")
    control.close()
    shutil.copy(tmp_path / "control.db", tmp_path / "older.db")
    control = opened(tmp_path / "control.db")
    decided(control, "c")
    out(control, tmp_path / "labels.jsonl")
    control.close()
    (tmp_path / "control.db").write_bytes((tmp_path / "older.db").read_bytes())
    for one in tmp_path.glob("control.db-*"):
        one.unlink()
    control = opened(tmp_path / "control.db")
    for name in ("x", "y"):  # now the numbers are as high again
        with pytest.raises(StoreError, match="restored from a backup"):
            out(control, tmp_path / "labels.jsonl")
        decided(control, [name])
    control.close()


def test_a_webhook_takes_each_in_order_and_what_it_refused_comes_again(control, hook, monkeypatch):
    monkeypatch.setenv("HOOK_TOKEN", "s3cret")
    decided(control, "abc")
    hook.answers = [200, 503]
    with pytest.raises(StoreError, match="answered 503 to label 2") as caught:
        out(control, hook.url, Authorization="Bearer {HOOK_TOKEN}")
    assert "secret" not in str(caught.value)
    hook.answers = [307]
    with pytest.raises(StoreError, match="answered 307"):
        out(control, hook.url)
    assert out(control, hook.url, Authorization="Bearer {HOOK_TOKEN}") == ["b", "c"]
    assert hook.taken == ["a", "b", "c"]
    assert hook.heads[-1]["Authorization"] == "Bearer s3cret"
    assert len(set(hook.keys)) == 3
    assert out(control, hook.url) == []
    with control._database.read() as tx:
        assert "secret" not in json.dumps(tx.all("SELECT * FROM receiver"))


def test_told_twice_a_label_has_the_same_key(control, hook):
    decided(control, "a")
    out(control, hook.url)
    with control._database.write() as tx:  # killed between the answer and the note of it
        tx.all("DELETE FROM receiver")
    out(control, hook.url)
    assert hook.taken == ["a", "a"]
    assert len(set(hook.keys)) == 1


def test_nobody_there_and_places_that_are_none(control, hook, tmp_path):
    decided(control, "a")
    hook.server.server_close()
    with pytest.raises(StoreError, match="did not take label 1"):
        out(control, "http://127.0.0.1:9/labels?key=secret")
    for url in ("http://10.0.0.7/x", "http://example.com/x", "ftp://127.0.0.1/x", "https:///x"):
        with pytest.raises(ConfigError):
            out(control, url)
    with pytest.raises(TemperError, match="HOOK_GONE is not set"):
        out(control, "http://127.0.0.1:9/", Authorization="{HOOK_GONE}")
    with pytest.raises(StoreError):
        out(control, tmp_path)


REVIEWS = """
import os, sys, time
from temper.store.control import Control

control = Control.open(sys.argv[1])
n = 0
while True:
    name = f"{os.getpid()}-{n}"
    n += 1
    control.reviews.enqueue(name, {"n": n}, time.time())
    case = control.reviews.claim("ann", time.time(), lease=0.2)
    if case is not None:
        control.reviews.decide(case.id, "ann", "allow", "seen", name, case.version, time.time())
        os.write(1, f"{case.request}\\n".encode())
"""
RELAYS = """
import sys, time
from temper.engine.labels import relay
from temper.store.control import Control

control = Control.open(sys.argv[1])
print("up", flush=True)
while True:
    for _ in relay(control.outbox, sys.argv[2], {}):
        pass
    time.sleep(0.005)
"""


@pytest.mark.slow
def test_kills_of_reviewers_and_of_relays_lose_no_label_and_double_none(tmp_path, hook):
    """Whoever decides and whoever hands on are killed at random moments, ten times."""
    place, path, moments, told = tmp_path / "control.db", tmp_path / "labels.jsonl", Random(6), set()
    control = opened(place)
    control.people.add("ann", Role.ANALYST, PASSWORD, "root", 0.0)
    for _ in range(10):
        with (tmp_path / "told").open("wb") as file:
            commands = [[REVIEWS, place], [RELAYS, place, path], [RELAYS, place, hook.url]]
            streams = [file, subprocess.PIPE, subprocess.PIPE]
            crowd = [
                subprocess.Popen([sys.executable, "-c", *map(str, words)], stdout=to, env=os.environ | ENVIRONMENT)
                for words, to in zip(commands, streams, strict=True)
            ]
            for one in crowd[1:]:
                assert one.stdout.readline() == b"up\n"
            time.sleep(moments.uniform(0.05, 0.4))
            moments.shuffle(crowd)
            for one in crowd:
                one.send_signal(signal.SIGKILL)
                one.wait()
                one.stdout and one.stdout.close()
                time.sleep(moments.uniform(0.0, 0.02))
        told |= {*(tmp_path / "told").read_text().rpartition("\n")[0].splitlines()}
    out(control, path)
    out(control, hook.url)
    every = [one.label.request for one in control.outbox.after(0)]
    assert [one.cursor for one in control.outbox.after(0)] == list(range(1, len(every) + 1))
    assert len(every) == control.reviews.counts()["closed"] > 20
    assert told <= set(every), "acknowledged and not a label"
    assert requests(path.read_text().splitlines()) == every, "in the file each once, in order"
    first = list(dict.fromkeys(hook.taken))
    assert first == every, "at the webhook each, in order"
    assert len(set(hook.keys)) == len(every)
    assert len(hook.taken) - len(every) <= 10, "again only what was under way at a kill"
    assert control.audit.verify() == []
    control.close()


def run(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_the_commands_export_and_hand_on(tmp_path, monkeypatch):
    monkeypatch.setenv("TEMPER_CONTROL", str(tmp_path / "control.db"))
    control = peopled(tmp_path / "control.db")
    decided(control, "abc")
    control.close()
    done = run("reviews", "export", "--since", 1)
    assert requests(done.stdout.splitlines()) == ["b", "c"]
    assert "the next: --since 3" in done.stderr
    assert run("reviews", "export", "--since", 3).stdout == ""
    run("reviews", "relay", "--to", tmp_path / "labels.jsonl")
    assert requests((tmp_path / "labels.jsonl").read_text().splitlines()) == ["a", "b", "c"]
    with pytest.raises(TemperError, match="NAME: VALUE"):
        run("reviews", "relay", "--to", tmp_path / "x", "--header", "nothing")


def test_a_case_that_comes_again_leaves_only_once(control):
    control.exercises.set_share(1.0, "pat", 1.0)
    decided(control, ["first"])
    case = control.reviews.claim("bob", 4.0)
    assert case.request != "first", "it comes again under another name"
    control.reviews.decide(case.id, "bob", "block", "seen", "token again", case.version, 5.0)
    assert [(one.case, one.label.request) for one in control.outbox.after(0)] == [(1, "first")]
