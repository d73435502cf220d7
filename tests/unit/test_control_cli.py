"""`temper keys`, `temper people` and `temper reviews` from the outside."""

import json
import time
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from control_store import CHEAP, PASSWORD, opened, peopled
from temper.cli import app
from temper.core.errors import TemperError
from temper.store.control.people import People


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("TEMPER_CONTROL", str(tmp_path / "control.db"))
    monkeypatch.setattr(People, "_hasher", CHEAP)
    return tmp_path / "control.db"


def run(*words, typed=""):
    done = CliRunner().invoke(app, list(words), input=typed)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_a_key_is_shown_once_listed_and_revoked(place):
    token = run("keys", "add", "shop", "--scope", "score", "--scope", "explain", "--days", "30").strip()
    kid, _, secret = token.partition(".")
    listed = run("keys", "list")
    assert listed.split("\t")[:4] == [kid, "shop", "-", "score,explain"]
    assert secret not in listed
    assert run("keys", "revoke", kid) == f"revoked {kid}\n"
    assert run("keys", "list").split("\t")[6] != "-"
    with pytest.raises(TemperError, match="no key"):
        run("keys", "revoke", "other")


def test_a_token_is_lent_by_its_person_or_an_admin_and_a_refusal_is_written_down(place):
    peopled(place).close()
    done = run("keys", "lend", "ann", "--scope", "read", "--scope", "order", typed=f"{PASSWORD}\n")
    token = done.splitlines()[-1]
    run("keys", "lend", "ann", "--scope", "read", "--as", "root", typed=f"{PASSWORD}\n")
    assert [line.split("\t")[3::6] for line in run("keys", "list").splitlines()] == [
        ["read,order", "ann"],
        ["read", "ann"],
    ]
    with pytest.raises(TemperError, match="takes the role approver or admin"):
        run("keys", "lend", "ann", "--scope", "approve", typed=f"{PASSWORD}\n")
    with pytest.raises(TemperError, match="takes the role admin"):
        run("keys", "lend", "ann", "--scope", "read", "--as", "bob", typed=f"{PASSWORD}\n")
    with pytest.raises(TemperError, match="do not open anything"):
        run("keys", "lend", "ann", "--scope", "read", typed="wrong\n")
    control = opened(place)
    key, person = control.keys.holder(token, time.time())
    assert (person.name, key.scopes) == ("ann", ("read", "order"))
    told = [one.subject for one in control.audit.page(9) if one.action == "access.refuse"]
    assert told == ["command line", "ann", "command line", "command line"]
    control.close()


def test_people_come_and_go(place):
    done = run("people", "add", "eve", "--role", "admin", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert done.endswith("added eve as admin\n")
    assert PASSWORD not in done
    run("people", "add", "ann", typed=f"{PASSWORD}\n{PASSWORD}\n")
    other = "another sentence to remember"
    assert run("people", "password", "ann", typed=f"{other}\n{other}\n").endswith("changed the password of ann\n")
    control = opened(place)
    assert [control.people.check("ann", tried, 1.0) is not None for tried in (PASSWORD, other)] == [False, True]
    control.close()
    run("people", "disable", "ann")
    assert [line.split("\t")[::3] for line in run("people", "list").splitlines()] == [
        ["ann", "disabled"],
        ["eve", "active"],
    ]


def test_a_case_is_looked_at_and_decided_by_two(place):
    control = peopled(place)
    now = time.time()
    control.reviews.enqueue("r-1", {"amount": 5}, now, eyes=2)
    control.close()
    due = datetime.fromtimestamp(now + 86_400, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert run("reviews", "list").split("\t") == ["1", "open", "0", due, "-", "r-1\n"]
    with pytest.raises(TemperError, match="do not open anything"):
        run("reviews", "decide", "1", "block", "--reason", "stolen", "--as", "ann", typed="wrong\n")
    done = run("reviews", "decide", "1", "block", "--reason", "stolen", "--as", "ann", typed=f"{PASSWORD}\n")
    assert done.endswith("case 1 is second\n")
    assert json.loads(run("reviews", "show", "1"))["decisions"] == []
    done = run("reviews", "decide", "1", "block", "--reason", "stolen", "--as", "bob", typed=f"{PASSWORD}\n")
    assert done.endswith("case 1 is closed: block\n")
    shown = json.loads(run("reviews", "show", "1"))
    assert (shown["outcome"], [one["reviewer"] for one in shown["decisions"]]) == ("block", ["ann", "bob"])
    assert run("reviews", "list") == ""
    assert run("reviews", "agreement").splitlines()[:2] == [
        "all: no kappa yet, agreed 1 of 1 (21% to 100%)",
        "ann and bob: no kappa yet, agreed 1 of 1 (21% to 100%)",
    ]
    control = opened(place)
    assert control.audit.verify() == []
    control.close()
