"""Approvals are by somebody else, of the run that was looked at, signed; and evidence shows what was changed."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from control_store import opened, peopled
from temper.core.errors import StoreError, TemperError
from temper.core.measure import Measurement
from temper.core.requirement import Policy, Verdict
from temper.core.review import Conflict, Forbidden, Role
from temper.core.run import Record
from temper.store.control.approvals import TYPE, statement
from temper.store.database import Store
from temper.store.evidence.approving import about, approve, ask, end
from temper.store.evidence.following import follow
from temper.store.evidence.held import hold
from temper.store.signed import public_of, said, sealed

MODEL = "ab" * 32
NOW = 1.8e9
KEYS = {name: bytes([number] * 32) for number, name in enumerate(("pat", "root", "ann"), 1)}


def record(number: str = "0001", **more: object) -> Record:
    plain = Record(
        id=number, system="fraud", suite="quick", seed=0, started="2026-01-02T03:04:05+00:00", seconds=1.5,
        state="finished", verdict=Verdict.PASS, digests=(("model", MODEL),), author="cyd",
        measurements=(
            Measurement(plugin="performance", metric="auc", value=0.9, low=0.8, high=0.95, n=100),
            Measurement(plugin="evasion.noise", metric="success_rate", value=0.1, low=0.0, high=0.2, n=100),
        ),
    )  # fmt: skip
    return replace(plain, **more)


@pytest.fixture
def store(tmp_path):
    found = Store.open(tmp_path / ".temper" / "temper.db")
    found.save_run(record())
    return found


@pytest.fixture
def control(place):
    found = peopled(place)
    for name, key in KEYS.items():
        found.signers.add(name, public_of(key), "root", 1.0)
    yield found
    found.close()


def approved(store, control, needs=1, names=("pat",)):
    ask(store, control, "0001", needs, "ann", "please look", NOW + 2)
    return [approve(store, control, "0001", name, "seen it", KEYS[name], NOW + 3) for name in names][-1]


def test_one_puts_up_another_approves_and_the_ledger_is_told(store, control):
    done = approved(store, control)
    assert (done.state, done.approvers, done.about.model) == ("approved", ("pat",), MODEL)
    assert [one.id for one in control.approvals.standing(MODEL)] == [done.id]
    told = [line.document()["body"]["action"] for _, line in store.evidence.records() if line.kind == "change"]
    assert told[-2:] == ["approval.ask", "approval.approve"]
    held = hold(store, control)
    assert (held.holds, held.runs, held.notices) == (True, 1, [])


def test_neither_the_author_nor_who_put_it_up_nor_a_low_role_approves(store, control):
    control.people.add("second", Role.APPROVER, "a sentence to remember", "root", 1.0)
    ask(store, control, "0001", 1, "pat", "please look", NOW + 2)
    for name, key, what in (("pat", KEYS["pat"], "put run 0001 up"), ("ann", KEYS["ann"], "role approver"),
                            ("second", bytes(32), "no key to sign")):  # fmt: skip
        with pytest.raises(Forbidden, match=what):
            approve(store, control, "0001", name, "seen it", key, NOW + 3)
    store.save_run(record("0002", author="root"))
    ask(store, control, "0002", 1, "ann", "please look", NOW + 2)
    with pytest.raises(Forbidden, match="root had run 0002 made"):
        approve(store, control, "0002", "root", "seen it", KEYS["root"], NOW + 3)
    past = "INSERT INTO approval_vote (seq, approval, person, maker, author, decision, reason, envelope, at) "
    past += "VALUES (9, 1, 'root', 'root', 'ann', 'approve', 'r', 'e', 1.0)"
    with pytest.raises(TemperError), control._database.write() as tx:  # not even past the program
        tx.all(past)


def test_another_key_another_run_or_no_request_is_no_approval(store, control):
    with pytest.raises(TemperError, match="nobody has put run 0001 up"):
        approve(store, control, "0001", "pat", "seen it", KEYS["pat"], NOW + 3)
    one = ask(store, control, "0001", 1, "ann", "please look", NOW + 2)
    with pytest.raises(Forbidden, match="not signed by the key of pat"):
        approve(store, control, "0001", "pat", "seen it", KEYS["root"], NOW + 3)
    said = statement(one, "approve", "pat", "seen it", NOW + 3, {}) | {"run": "0002"}
    with pytest.raises(Forbidden, match="about something else: run"):
        control.approvals.decide(one.id, "approve", "pat", "seen it", sealed(said, TYPE, KEYS["pat"]), NOW + 3)
    control.signers.end("pat", "pat", NOW + 4)
    with pytest.raises(Forbidden, match="no key to sign with"):
        approve(store, control, "0001", "pat", "seen it", KEYS["pat"], NOW + 5)


def test_two_people_can_be_wanted_and_one_counts_once(store, control):
    assert approved(store, control, needs=2).state == "open"
    assert control.approvals.standing(MODEL) == []
    with pytest.raises(Conflict, match="has approved it already"):
        approve(store, control, "0001", "pat", "again", KEYS["pat"], NOW + 4)
    done = approve(store, control, "0001", "root", "me too", KEYS["root"], NOW + 5)
    assert (done.state, done.approvers) == ("approved", ("pat", "root"))


def test_what_was_decided_meanwhile_is_a_conflict_and_nothing_is_lost(store, control):
    seen = ask(store, control, "0001", 2, "ann", "please look", NOW + 2)
    approve(store, control, "0001", "pat", "seen it", KEYS["pat"], NOW + 3)
    envelope = sealed(statement(seen, "approve", "root", "late", NOW + 4, {}), TYPE, KEYS["root"])
    with pytest.raises(Conflict, match="meanwhile"):
        control.approvals.decide(seen.id, "approve", "root", "late", envelope, NOW + 4, version=seen.version)
    assert control.approvals.get(seen.id).approvers == ("pat",)
    now = control.approvals.get(seen.id).version
    assert (
        control.approvals.decide(seen.id, "approve", "root", "late", envelope, NOW + 4, version=now).state == "approved"
    )
    with pytest.raises(Conflict, match="is approved"):
        control.approvals.decide(seen.id, "reject", "root", "late", "", NOW + 5)
    assert control.audit.verify() == control.approvals.astray() == []


def test_a_withdrawn_approval_does_not_stand_and_the_run_can_be_put_up_again(store, control):
    approved(store, control)
    assert end(store, control, "0001", "withdraw", "pat", "a mistake", NOW + 4).state == "withdrawn"
    assert control.approvals.standing(MODEL) == []
    assert approved(store, control).state == "approved"
    assert hold(store, control).holds


def test_a_verdict_that_is_no_pass_is_approved_by_its_name_only(store, control):
    store.save_run(record("0002", verdict=Verdict.FAIL))
    ask(store, control, "0002", 1, "ann", "we need it", NOW + 2)
    for despite in ("", "inconclusive"):
        with pytest.raises(Forbidden, match="verdict of run 0002 is FAIL"):
            approve(store, control, "0002", "pat", "seen it", KEYS["pat"], NOW + 3, despite=despite)
    assert (
        approve(store, control, "0002", "pat", "seen it", KEYS["pat"], NOW + 3, despite="fail").about.verdict == "fail"
    )


def test_a_run_that_ended_untold_or_stopped_is_not_approved(store, control):
    store.save_run(record("0002", state="stopped"))
    with pytest.raises(TemperError, match="is stopped"):
        about(store, "0002")
    quietly(store, "INSERT INTO runs SELECT '0003', started, state, replace(document, '0001', '0003') FROM runs "
                   "WHERE id = '0001'")  # fmt: skip
    with pytest.raises(TemperError, match="not told of run 0003"):
        about(store, "0003")
    held = hold(store)
    assert held.holds
    assert "run 0003 was never told" in held.notices[0]
    store.save_run(record("0004"))
    assert "run 0003 was told later than it ended" in hold(store).notices
    with pytest.raises(TemperError, match="not told of run 0003"):
        about(store, "0003")


def quietly(store, sql):
    """Change the database of runs behind Temper's back."""
    with sqlite3.connect(store.path) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute(sql)
    database.close()


@pytest.mark.parametrize(("sql", "what"), [
    ("UPDATE runs SET document = replace(document, '\"value\":0.1', '\"value\":0.0')",
     "run 0001 was changed: measurement evasion.noise.success_rate"),
    ("UPDATE runs SET document = replace(document, '\"verdict\":\"pass\"', '\"verdict\":\"fail\"')",
     "run 0001 was changed: verdict"),
    ("UPDATE runs SET document = replace(document, '\"value\":0.9', '\"value\":')", "cannot be read any more"),
    ("UPDATE runs SET state = 'stopped'", "run 0001 was changed: its row says stopped"),
    ("INSERT INTO findings VALUES ('F-1', '0001', 't', '{}')", "its findings are not those of the run"),
    ("DELETE FROM runs", "run 0001 is gone"),
])  # fmt: skip
def test_a_change_behind_our_back_is_named_and_the_store_is_read_only_from_then_on(tmp_path, sql, what):
    store = Store.open(tmp_path / ".temper" / "temper.db")
    store.save_run(record())
    assert hold(store).holds
    quietly(store, sql)
    held = hold(store)
    assert not held.holds
    assert what in held.faults[0]
    for refused in (lambda: store.save_run(record("0002")), store.next_run_id, lambda: store.save_task("k", "n", {})):
        with pytest.raises(StoreError, match="read-only"):
            refused()
    with pytest.raises(StoreError, match="read-only"):
        about(store, "0001")
    assert hold(store).faults == held.faults


def test_what_people_did_is_held_against_the_ledger(store, control):
    approved(store, control)
    number = control.incidents.open("scores are wrong", "major", "ann", NOW + 5)
    follow(store.evidence, control, int(1.9e18))
    assert hold(store, control).holds
    with control._database.write() as tx:  # the tables refuse it; so the audit is asked about a row it knows otherwise
        tx.all("INSERT INTO incident_entry (seq, incident, at, who, kind, text, detail) "
               "VALUES (99, ?, 6.0, 'ann', 'note', 'never said', '{}')", number)  # fmt: skip
    held = hold(store, control)
    assert held.faults == [f"the control store: line 99 of incident {number} was changed"]


def test_a_control_store_that_lost_what_was_told_is_found(store, control, tmp_path):
    follow(store.evidence, control, int(1.9e18))
    other = opened(tmp_path / "other.db")
    other.people.add("somebody", Role.ADMIN, "a sentence to remember", "root", 7.0)
    try:
        with pytest.raises(TemperError, match="another control store"):
            follow(store.evidence, other, int(1.9e18))
        with pytest.raises(TemperError, match="not the one whose changes"):
            hold(store, other)
    finally:
        other.close()
    assert hold(store, control).holds


def test_the_ledger_itself_is_held_by_its_checkpoints(store):
    log = store.evidence.path
    data = bytearray(log.read_bytes())
    at = data.index(b"performance") if b"performance" in data else data.index(b"fraud")
    data[at] ^= 1
    log.write_bytes(data)
    held = hold(store)
    assert held.faults[0].startswith("the ledger: the first 1 records are not those that were signed")
    with pytest.raises(StoreError, match="read-only"):
        store.save_run(record("0002"))


def test_a_ledger_without_its_key_is_not_gone_on_with(store):
    (store.evidence.folder / "ledger.key").unlink()
    with pytest.raises(StoreError, match="is gone, and with it who vouches"):
        store.save_run(record("0002"))
    assert store.run("0002").id == "0002"  # kept all the same


def test_a_run_has_a_lineage_by_digests_and_a_signed_statement(store, control, tmp_path):
    from temper import api
    from temper.report.intoto import PAYLOAD
    from temper.store.evidence.lineage import lineage
    from temper.store.ledger.checkpoint import public_key
    from temper.store.signed import opened as unsealed
    from temper.targets.signature import new_key

    approved(store, control)
    control.records.put("model", {"mode": "live", "digest": MODEL, "name": "m", "path": "m"}, "pat", "it passed", NOW)
    links = list(lineage(store, control, store.run("0001")))
    told = "\n".join(f"{one.kind:<12}{one.told}" for one in links)
    assert [one.digest for one in links if one.kind == "model"] == [MODEL]
    assert "run         0001, PASS, 2026-01-02T03:04:05+00:00, by cyd" in told
    assert "ledger      record 0" in told
    assert "IS NOT WHAT" not in told
    assert "approved, put up by ann, approved by pat" in told
    assert "deployment  live, 2027-01-15T08:00:00+00:00, by pat: it passed" in told
    secret, public = new_key(tmp_path / "k")
    envelope = api.signed_statement(store.run(), "intoto", secret)
    said = unsealed(envelope, PAYLOAD, public_key(public).hex())
    assert said["subject"] == [{"name": "fraud", "digest": {"temperContent": MODEL}}]
    assert said["predicate"]["result"] == "PASSED"


def test_a_model_answers_once_enough_people_approved_it(store, control, place, tmp_path):
    from temper.gateway.tables.deploy import approved as let_through

    config = tmp_path / "temper.yaml"
    none, one, two = (Policy(name="p", approvals=many) for many in range(3))
    let_through(place, MODEL, none, config)
    with pytest.raises(Forbidden, match="2 people to approve a model before it answers, and 0 approved"):
        let_through(place, MODEL, two, config)
    approved(store, control, needs=2, names=("pat", "root"))
    let_through(place, MODEL, two, config)
    with pytest.raises(Forbidden, match="and 0 approved"):
        let_through(place, "cd" * 32, one, config)
    end(store, control, "0001", "withdraw", "root", "a mistake", NOW + 9)
    with pytest.raises(Forbidden, match="and 0 approved"):
        let_through(place, MODEL, one, config)


def test_a_word_without_a_signature_counts_where_request_and_policy_take_it(store, control, place, tmp_path):
    from temper.gateway.tables.deploy import approved as let_through

    config = tmp_path / "temper.yaml"
    ask(store, control, "0001", 1, "ann", "please look", NOW + 2)
    with pytest.raises(Forbidden, match="takes a signature"):
        approve(store, control, "0001", "pat", "seen it", None, NOW + 3)
    end(store, control, "0001", "reject", "ann", "another way", NOW + 4)
    ask(store, control, "0001", 1, "ann", "please look", NOW + 5, signed=False)
    control.people.set_role("ann", Role.APPROVER, "root", NOW)
    with pytest.raises(Forbidden, match="put run 0001 up"):  # eyes are counted as before
        approve(store, control, "0001", "ann", "seen it", None, NOW + 6)
    done = approve(store, control, "0001", "pat", "seen it", None, NOW + 6, session=NOW)
    (vote,) = done.votes
    assert (done.state, vote.signed) == ("approved", False)
    word = said(vote.envelope, TYPE)
    assert (word["through"], word["session"], word["by"], word["digest"]) == ("console", NOW, "pat", done.about.digest)
    let_through(place, MODEL, Policy(name="p", approvals=1, signatures=False), config)
    with pytest.raises(Forbidden, match="and 0 approved"):  # a policy that has become stricter since
        let_through(place, MODEL, Policy(name="p", approvals=1), config)
    (row,) = [one for one in control.audit.page() if one.action == "approval.approve"]
    assert row.detail["through"] == "console"
    held = hold(store, control)
    assert held.faults == []


def test_nobody_makes_an_old_request_take_a_word(store, control):
    one = ask(store, control, "0001", 1, "ann", "please look", NOW + 2)
    with pytest.raises(TemperError), control._database.write() as tx:
        tx.all("UPDATE approval SET signed = 0 WHERE id = ?", one.id)
    assert control.approvals.get(one.id).signed
