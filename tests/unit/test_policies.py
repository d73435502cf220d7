"""A policy takes two people, what is approved is what was looked at, and decisions name what they were made under."""

import asyncio
import time

import pytest
from typer.testing import CliRunner

from control_store import CHEAP, PASSWORD, PEOPLE, opened, peopled
from small_gateway import asked, decisions, folder, gateway, models
from temper.cli import app
from temper.core.errors import ConfigError, TemperError
from temper.core.review import Conflict, Forbidden
from temper.gateway.tables import policy
from temper.store.control.people import People

__all__ = ["folder", "gateway", "models"]

OLD = {"anomaly": {"mode": "shadow"}, "threshold": 0.5}
NEW = {"anomaly": {"mode": "enforce", "answer": "review"}, "decide": {"review": [0.4, 0.6]}}


@pytest.fixture
def control(place):
    found = peopled(place)
    yield found
    found.close()


def proposed(control, value=NEW, before=OLD, by="ann", now=1.0):
    return control.policies.propose(value, before, "d" * 64, by, "fewer false alarms", now)


def test_one_proposes_another_approves_and_the_record_is_there_at_once(control):
    one = proposed(control)
    assert control.policies.record() is None
    done = control.policies.approve(one.id, "pat", "seen", 2.0)
    assert (done.state, done.judge, done.note) == ("approved", "pat", "seen")
    assert control.policies.record().value == NEW
    assert control.policies.in_force().id == one.id
    assert [entry.action for entry in control.audit.page(3)] == ["policy.approve", "record.policy", "policy.propose"]
    assert control.audit.verify() == []


def test_the_difference_names_every_option_that_changes_and_no_other(control):
    lines = [(one.path, one.before, one.after) for one in proposed(control).changes()]
    assert lines == [
        ("anomaly.answer", None, "review"),
        ("anomaly.mode", "shadow", "enforce"),
        ("decide.review", None, "[0.4,0.6]"),
        ("threshold", "0.5", None),
    ]


def test_nobody_approves_their_own_and_the_role_counts(control):
    one = proposed(control, by="pat")
    for name, what in (("pat", "somebody else"), ("ann", "approver"), ("vera", "approver"), ("nobody", "account")):
        with pytest.raises(Forbidden, match=what):
            control.policies.approve(one.id, name, "seen", 2.0)
    with pytest.raises(Forbidden, match="analyst"):
        proposed(control, by="vera")
    with pytest.raises(Forbidden, match="two people"):
        control.records.put("policy", NEW, "root", "quicker", 2.0)
    with pytest.raises(TemperError, match="the one that holds"):
        proposed(control, value=OLD)
    assert control.policies.record() is None
    seq = control.records.put("kill", False, "root", "a record to point to", 2.0).seq
    past = f"UPDATE policy SET state = 'approved', judge = 'pat', decided = 1, record = {seq}"
    with pytest.raises(TemperError), control._database.write() as tx:  # not even past the program
        tx.all(past)


def test_what_was_compared_with_another_policy_is_refused(control):
    first, second = proposed(control), proposed(control, value={"anomaly": {"mode": "off"}}, by="bob")
    control.policies.approve(first.id, "pat", "seen", 2.0)
    with pytest.raises(Conflict, match="has changed since"):
        control.policies.approve(second.id, "pat", "seen", 3.0)
    for again in (control.policies.approve, control.policies.reject):
        with pytest.raises(Conflict, match="was approved by pat"):
            again(first.id, "root", "seen", 3.0)


def test_a_proposal_is_turned_down_by_an_approver_or_taken_back_by_its_author(control):
    one, two = proposed(control), proposed(control)
    with pytest.raises(Forbidden):
        control.policies.reject(one.id, "bob", "no", 2.0)
    assert control.policies.reject(one.id, "ann", "a mistake", 2.0).judge == "ann"
    assert control.policies.reject(two.id, "pat", "too strict", 2.0).state == "rejected"
    assert control.policies.record() is None


def test_going_back_leads_through_what_was_approved_to_temper_yaml(control):
    values = [{"threshold": one} for one in (0.4, 0.3)]
    for value in values:
        control.policies.approve(proposed(control, value=value).id, "pat", "seen", 2.0)
    with pytest.raises(Forbidden):
        control.policies.rollback("ann", "wrong", 3.0)
    assert control.policies.rollback("pat", "wrong", 3.0).value == values[0]
    assert control.policies.record().value == values[0]
    third = proposed(control, value={"threshold": 0.2})
    control.policies.approve(third.id, "pat", "seen", 4.0)
    assert control.policies.rollback("pat", "wrong", 5.0).value == values[0]
    assert control.policies.rollback("pat", "wrong", 6.0) is None
    assert control.policies.record().value is None
    with pytest.raises(TemperError, match="no policy is in force"):
        control.policies.rollback("pat", "wrong", 7.0)
    assert [one.state for one in control.policies.page()] == ["retired"] * 3
    assert control.audit.verify() == []


def test_what_a_playbook_sets_is_told_apart_until_somebody_goes_back_or_approves(control):
    one = control.policies.approve(proposed(control).id, "pat", "seen", 2.0)
    assert control.policies.overridden() is None
    two = proposed(control, value={"threshold": 0.3})
    control.policies.override({"anomaly": {"mode": "enforce"}}, "playbook", "model-wrong (run 1)", 3.0)
    assert control.policies.in_force() is None
    assert control.policies.overridden().reason == "model-wrong (run 1)"
    assert control.policies.record().value == {"anomaly": {"mode": "enforce"}}
    with pytest.raises(Conflict, match="has changed since"):
        control.policies.approve(two.id, "pat", "seen", 4.0)
    assert control.policies.rollback("pat", "over", 5.0).id == one.id
    assert (control.policies.overridden(), control.policies.in_force().id) == (None, one.id)
    control.policies.override(None, "playbook", "model-wrong (run 2)", 6.0)
    three = control.policies.approve(proposed(control, value={"threshold": 0.2}).id, "pat", "seen", 7.0)
    assert (control.policies.overridden(), control.policies.in_force().id) == (None, three.id)
    assert control.policies.get(one.id).state == "approved"
    assert control.audit.verify() == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE policy SET value = '{}'",
        "UPDATE policy SET author = 'bob'",
        "UPDATE policy SET base = 7",
        "DELETE FROM policy",
        "UPDATE policy SET state = 'open', judge = NULL, record = NULL",
        "UPDATE policy SET judge = 'root' WHERE state = 'approved'",
    ],
)
def test_what_was_proposed_and_decided_stays(control, change):
    one = proposed(control)
    control.policies.approve(one.id, "pat", "seen", 2.0)
    kept = control.policies.get(one.id)
    with pytest.raises(TemperError), control._database.write() as tx:
        tx.all(change)
    assert control.policies.get(one.id) == kept


def test_an_approved_policy_is_followed_and_every_decision_names_its_digest(folder, gateway):
    control = gateway.control
    for name, role in PEOPLE.items():
        control.people.add(name, role, PASSWORD, "root", 0.0)

    def propose(*sets):
        return policy.propose(folder / "temper.yaml", control, None, sets, "ann", "a test", time.time())

    async def story():
        answers = [await asked(gateway)]
        one = propose("threshold=0.999", "anomaly.mode=shadow")
        assert not await gateway.reloading.once(), "what is only proposed changes nothing"
        control.policies.approve(one.id, "pat", "seen", time.time())
        assert await gateway.reloading.once()
        answers.append(await asked(gateway))
        control.policies.rollback("pat", "wrong", time.time())
        assert await gateway.reloading.once()
        return one, [*answers, await asked(gateway)]

    one, answers = asyncio.run(story())
    labels = [answer["results"][0]["label"] for answer in answers]
    named = [answer["policy"] for answer in answers]
    assert labels == ["1", "0", "1"]
    assert named[1] == one.digest[:12] != named[0] == named[2]
    assert [made["policy"][:12] for made in decisions(gateway)] == named
    assert [change.path for change in one.changes()] == ["anomaly.mode", "threshold"]


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ("open=true", "cannot set open"),
        ("anomly.mode=shadow", "no stage 'anomly'"),
        ("anomaly.answer=shout", "answers 'shout'"),
        ("quota.per_secnd=5", "no option 'per_secnd'"),
        ("people.due_=5", "no option 'due_'"),
        ("decide.review=0.4", r"decide\.review is 0\.4"),
        ("decide.review", "sets nothing"),
        ("decide.review=[", "not YAML"),
    ],
)
def test_what_no_gateway_could_follow_is_not_even_proposed(folder, gateway, sets, said):
    gateway.control.people.add("ann", PEOPLE["ann"], PASSWORD, "root", 0.0)
    with pytest.raises(ConfigError, match=said):
        policy.propose(folder / "temper.yaml", gateway.control, None, [sets], "ann", "a test", 1.0)
    assert gateway.control.policies.page() == []


def run(*words, typed=PASSWORD):
    done = CliRunner().invoke(app, [str(word) for word in words], input=f"{typed}\n")
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_the_commands_propose_show_approve_and_go_back(folder, monkeypatch):
    monkeypatch.setattr(People, "_hasher", CHEAP)
    store = folder / ".temper" / "control.db"
    monkeypatch.setenv("TEMPER_CONTROL", str(store))
    peopled(store).close()
    (folder / "new.yaml").write_text("anomaly: shadow\nthreshold: 0.25\n")
    words = ("--as", "ann", "--reason", "as agreed", "--config", folder / "temper.yaml")
    with pytest.raises(Forbidden, match="do not open anything"):
        run("policy", "propose", folder / "new.yaml", *words, typed="wrong")
    done = run("policy", "propose", folder / "new.yaml", "--set", "decide.review=[0.2, 0.3]", *words)
    assert "policy 1: open, proposed by ann" in done
    assert "  decide.review: (not set) -> [0.2,0.3]\n" in done
    assert "  threshold: 0.5 -> 0.25\n" in done
    assert done.endswith(run("policy", "show", 1))
    assert "is in force" in run("policy", "approve", 1, "--as", "pat", "--reason", "seen")
    assert run("policy", "list").split("\t")[:2] == ["1", "in force"]
    control = opened(store)
    assert control.policies.record().value["threshold"] == 0.25
    control.close()
    assert run("policy", "rollback", "--as", "pat", "--reason", "too loud").endswith("of temper.yaml is in force\n")
    run("policy", "propose", "--set", "threshold=0.1", *words)
    assert run("policy", "reject", 2, "--as", "pat", "--reason", "no").endswith("policy 2 is rejected\n")
