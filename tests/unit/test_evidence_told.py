"""What happens is told to the ledger when it happens: tasks with their run, incidents with their titles, policies."""

from __future__ import annotations

import hashlib
import os
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from control_store import opened, peopled
from temper.cli import app
from temper.cli._control import opened as at_the_terminal
from temper.core.requirement import Policy
from temper.engine.identity import answers
from temper.store.database import Store
from temper.store.evidence import following, said
from temper.store.evidence.following import Follower, follow, governed, kept_up
from temper.store.evidence.held import hold, told
from temper.store.evidence.ledger import Evidence
from unit.test_approvals import NOW, quietly, record


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path)


def kinds(store):
    return [line.kind for _, line in store.evidence.records()]


def test_tasks_are_told_with_the_run_that_ends_next_each_once(store):
    store.save_task("a" * 64, "evasion.noise", {"n": 1}, {"x": np.arange(3)})
    assert not store.evidence.path.exists(), "an assessment does not wait for its ledger at each task"
    store.save_run(record())
    store.save_run(record("0002"))
    assert kinds(store) == ["tasks", "run", "run"]
    held = hold(store)
    assert (held.holds, held.tasks) == (True, 1)
    assert "1 run" not in (lines := "\n".join(told(held)))
    assert "2 runs, 1 finished task and 0 changes by people were held against it" in lines
    assert lines.startswith("3 records, 3 of them under signed checkpoints")


def test_a_task_that_was_changed_is_named_and_the_store_is_read_only(store):
    store.save_task("a" * 64, "evasion.noise", {"value": 0.9})
    store.save_run(record())
    quietly(store, "UPDATE tasks SET document = replace(document, '0.9', '0.1')")
    assert hold(store).faults == [f"what the task evasion.noise ({'a' * 12}) found was changed"]
    assert store.evidence.faults()


def test_a_task_that_is_measured_again_is_told_before_it_is_written(store):
    """So that neither a kill in between nor a look at that moment takes it for tampering."""
    store.save_task("a", "evasion.noise", {"seconds": 1.0})
    store.save_run(record())
    store.save_task("a", "evasion.noise", {"seconds": 1.0})
    assert kinds(store) == ["tasks", "run"], "the same again is no news"
    store.save_task("a", "evasion.noise", {"seconds": 2.0})
    assert kinds(store) == ["tasks", "run", "tasks"]
    assert hold(store).holds
    quietly(store, "UPDATE tasks SET document = replace(document, '2.0', '1.0')")
    assert hold(store).holds, "what it was before was told as well"
    quietly(store, "UPDATE tasks SET document = replace(document, '1.0', '0.5')")
    assert not hold(store).holds


def test_tasks_that_are_gone_are_a_notice(store):
    store.save_task("a", "evasion.noise", {"n": 1})
    store.save_run(record())
    quietly(store, "DELETE FROM tasks")
    held = hold(store)
    assert (held.holds, held.notices) == (True, ["gone, and to be measured again: 1 finished task of the ledger"])


def test_the_standalone_verifier_reads_a_ledger_with_tasks(store):
    from temper.store.evidence import verifier

    store.save_task("a", "evasion.noise", {"n": 1})
    store.save_run(record())
    lines = [data for data, _ in store.evidence.records()]
    bodies = [verifier.unpack(line)[0] for line in lines]
    assert next((body[7], set(body[8])) for body in bodies) == ("tasks", {"found"})


# -- incidents -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    ["title = 'nothing much'", "severity = 'minor'", "source = 'gateway'", "closed = 9.0", "author = 'somebody'"],
)
def test_the_title_of_an_incident_and_how_it_stands_are_held_against_the_ledger(tmp_path, store, change):
    store.save_run(record())
    control = peopled(tmp_path / ".temper" / "control.db")
    try:
        number = control.incidents.open("scores are wrong", "major", "ann", NOW)
        control.incidents.rank(number, "critical", "ann", NOW + 1)
        control.incidents.close(control.incidents.open("another", "minor", "ann", NOW), "over", "ann", NOW + 2)
        follow(store.evidence, control, int(NOW * 1e9))
        assert hold(store, control).holds
        with control._database.write() as tx:
            tx.all(f"UPDATE incident SET {change} WHERE id = ?", number)
        assert hold(store, control).faults == [
            f"the control store: the head of incident {number} was changed: its title, its source, or how it stands"
        ]
    finally:
        control.close()


def test_what_is_done_at_a_terminal_is_in_the_ledger_at_once(tmp_path, store, monkeypatch):
    store.save_run(record())
    place = tmp_path / ".temper" / "control.db"
    peopled(place).close()
    with at_the_terminal(str(place)) as (control, _, now):
        control.incidents.open("scores are wrong", "major", "ann", now)
        before = len(kinds(store))
    assert kinds(store)[before:].count("change") >= 1
    done = CliRunner().invoke(app, ["incidents", "open", "it slipped through", "--store", str(place)])
    assert done.exit_code == 0, done.output
    changes = [said.told_change(line) for _, line in store.evidence.records() if line.kind == said.CHANGE]
    assert (changes[-1].action, changes[-1].subject) == ("incident.opened", "2")
    size = len(kinds(store))
    assert CliRunner().invoke(app, ["incidents", "list", "--store", str(place)]).exit_code == 0
    assert len(kinds(store)) == size, "looking tells nothing"


def test_a_ledger_that_cannot_be_told_stops_nobody_and_says_so(tmp_path, store, capsys):
    store.save_run(record())
    first, other = tmp_path / ".temper" / "control.db", tmp_path / "other.db"
    control = opened(first)
    control.incidents.open("scores are wrong", "major", "ann", 1.0)
    follow(store.evidence, control, int(NOW * 1e9))
    control.close()
    first.rename(other)
    with at_the_terminal(str(first)) as (control, _, now):
        assert control.incidents.open("another", "minor", "ann", now) == 1
    assert "the ledger of evidence was not told" in capsys.readouterr().err


# -- at once, once ---------------------------------------------------------------------------------------------------


def changes(store):
    return [said.told_change(line) for _, line in store.evidence.records() if line.kind == said.CHANGE]


def killed(work):
    """Do this in a process that is killed on the way."""
    if (process := os.fork()) == 0:
        try:
            work()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 9


@pytest.mark.parametrize("where", ["put", "_sign", "_left"])
def test_who_is_killed_while_the_ledger_is_told_leaves_nothing_untold_and_nothing_twice(tmp_path, store, where):
    store.save_run(record())
    control = peopled(tmp_path / ".temper" / "control.db")
    control.incidents.open("scores are wrong", "major", "ann", NOW)

    def die(*_):
        os._exit(9)

    def told_until():
        setattr(Evidence, where, die)
        Follower(store.evidence, opened(tmp_path / ".temper" / "control.db"), lambda: 1).turn()

    killed(told_until)
    follower = Follower(store.evidence, control, lambda: 1)
    many = follower.turn()
    assert many == (len(changes(store)) if where == "put" else 0), "what was put before the kill is not put again"
    assert [one.seq for one in changes(store)] == [one.seq for one in governed(control)]
    assert follower.turn() == 0
    control.incidents.close(1, "over", "ann", NOW + 1)
    assert follower.turn() > 0
    assert [one.seq for one in changes(store)] == [one.seq for one in governed(control)]
    assert hold(store, control).holds
    control.close()


def test_while_a_console_or_worker_runs_the_ledger_hears_what_anybody_does(tmp_path, store, monkeypatch):
    monkeypatch.setattr(following, "EVERY", 0.001)
    store.save_run(record())
    control = peopled(tmp_path / ".temper" / "control.db")
    other = opened(tmp_path / ".temper" / "control.db")
    heard, put = threading.Event(), Evidence.put
    with kept_up(store.evidence, control, lambda: 1):
        before = len(changes(store))
        monkeypatch.setattr(Evidence, "put", lambda *given: (put(*given), heard.set())[0])
        other.incidents.open("scores are wrong", "major", "ann", NOW)
        assert heard.wait(30)
    assert [one.action for one in changes(store)[before:]] == ["incident.opened"]
    control.close()
    other.close()


def test_a_ledger_of_another_control_store_is_said_once_and_tried_again(tmp_path, store, caplog):
    store.save_run(record())
    first = peopled(tmp_path / ".temper" / "control.db")
    Follower(store.evidence, first, lambda: 1).turn()
    first.close()
    other = opened(tmp_path / "other.db")
    other.incidents.open("scores are wrong", "major", "ann", NOW)
    follower = Follower(store.evidence, other, lambda: 1)
    assert (follower.turn(), follower.turn()) == (0, 0)
    assert sum("follows another control store" in one for one in caplog.messages) == 1
    other.close()


# -- policies --------------------------------------------------------------------------------------------------------


def test_a_policy_in_a_file_of_its_own_is_pinned_beside_the_temper_yaml(tmp_path):
    yaml, policy = tmp_path / "temper.yaml", tmp_path / "policy.yaml"
    yaml.write_text("policy: policy.yaml\n")
    policy.write_text("requirements: []\n")
    system = SimpleNamespace(source=str(yaml), policy=Policy(name="p", source=str(policy)))
    found = dict(answers(system))
    assert found == {
        "temper.yaml": hashlib.sha256(yaml.read_bytes()).hexdigest(),
        "policy": hashlib.sha256(policy.read_bytes()).hexdigest(),
    }
    shipped = SimpleNamespace(source=str(yaml), policy=Policy(name="p", source="default.yaml"))
    assert [*dict(answers(shipped))] == ["temper.yaml"]
    assert answers(SimpleNamespace(source="", policy=Policy(name="p"))) == ()
    pinned = record(digests=(("model", "ab"), ("policy", "cd"), ("numpy", "2")))
    assert pinned.libraries == (("numpy", "2"),), "no library"
