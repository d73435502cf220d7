"""Waivers are made by two people, about one requirement to the letter, until a day; and assessments heed them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import date

import pytest

from control_store import peopled
from temper.api._waived import waived
from temper.core.errors import Tampered, TemperError
from temper.core.event import silent
from temper.core.requirement import Judgement, Policy, Requirement, Verdict, Waiver
from temper.core.review import Conflict, Forbidden, Role
from temper.store.control.waivers import accepting, day
from temper.store.database import Store
from temper.store.evidence.held import hold
from temper.store.evidence.waiving import decide, propose
from temper.validation.gate import judge
from unit.test_approvals import record

NOW = 1.8e9
TODAY = day(NOW)
RULE = Requirement(id="evasion", metric="evasion.noise.success_rate", at_most=0.05, line=7)
POLICY = Policy(name="p", requirements=(RULE, Requirement(id="auc", metric="performance.auc", at_least=0.7)))
ACCEPTED = Waiver(by="risk office", reason="refunds are capped", until=date(2027, 6, 1))


@pytest.fixture
def store(tmp_path):
    found = Store.open(tmp_path / ".temper" / "temper.db")
    failed = Judgement(requirement=RULE, verdict=Verdict.FAIL)
    passed = Judgement(requirement=POLICY.requirements[1], verdict=Verdict.PASS)
    found.save_run(record(verdict=Verdict.FAIL, judgements=(failed, passed)))
    return found


@pytest.fixture
def control(place):
    found = peopled(place)
    yield found
    found.close()


def proposed(store, control, key="k1", accepted=ACCEPTED, name="evasion"):
    return propose(store, control, key, "0001", name, accepted, "ann", NOW)


def test_two_people_make_it_and_the_ledger_is_told(store, control):
    one = proposed(store, control)
    assert control.waivers.standing("fraud", TODAY) == []
    decide(store, control, one.id, "approve", "pat", "until the fix is live", NOW + 1)
    (counts,) = control.waivers.standing("fraud", TODAY)
    assert (counts.owner, counts.judge, counts.rule.id) == ("risk office", "pat", "evasion")
    assert control.waivers.standing("another", TODAY) == []
    told = [line.document()["body"]["action"] for _, line in store.evidence.records() if line.kind == "change"]
    assert told[-2:] == ["waiver.propose", "waiver.approve"]
    assert hold(store, control).faults == []


def test_neither_who_proposed_it_nor_who_had_the_run_made_approves(store, control):
    for name in ("ann", "cyd"):
        control.people.set_role(name, Role.APPROVER, "root", NOW)
    one = proposed(store, control)
    for name, what in (("ann", "proposed waiver"), ("cyd", "had run 0001 made"), ("bob", "bob")):
        with pytest.raises(Forbidden, match=what):
            decide(store, control, one.id, "approve", name, "fine", NOW + 1)
    past = "UPDATE waiver SET state = 'approved', judge = 'cyd', note = 'n', decided = 1.0 WHERE id = ?"
    with pytest.raises(TemperError), control._database.write() as tx:  # not even past the program
        tx.all(past, one.id)
    assert control.waivers.get(one.id).state == "open"


def test_what_is_over_or_was_not_failed_is_refused(store, control):
    with pytest.raises(TemperError, match="is over already"):
        proposed(store, control, accepted=replace(ACCEPTED, until=date(2027, 1, 14)))
    with pytest.raises(TemperError, match="auc is PASS"):
        proposed(store, control, name="auc")
    with pytest.raises(TemperError, match="judged no requirement"):
        proposed(store, control, name="evasion2")
    one = proposed(store, control)
    with pytest.raises(TemperError, match="is over already"):
        decide(store, control, one.id, "approve", "pat", "late", NOW + 200 * 86_400)


def test_a_key_proposes_once_and_two_at_once_are_a_conflict(store, control):
    one = proposed(store, control)
    assert proposed(store, control).id == one.id
    with pytest.raises(Conflict, match="waits for approval already"):
        proposed(store, control, "k2")
    decide(store, control, one.id, "reject", "ann", "worded better", NOW + 1)
    with pytest.raises(Conflict, match="is rejected, by ann"):
        decide(store, control, one.id, "approve", "pat", "fine", NOW + 2)
    assert proposed(store, control, "k2").id != one.id


def test_ending_one_takes_one_person_and_leads_back(store, control):
    one = proposed(store, control)
    with pytest.raises(Conflict):
        decide(store, control, one.id, "end", "pat", "too early", NOW + 1)
    decide(store, control, one.id, "approve", "pat", "fine", NOW + 1)
    decide(store, control, one.id, "end", "ann", "mended", NOW + 2)
    assert control.waivers.standing("fraud", TODAY) == []
    assert hold(store, control).faults == []


def test_one_that_was_changed_is_named_and_nothing_is_waived_from_then_on(store, control, place):
    one = proposed(store, control)
    decide(store, control, one.id, "approve", "pat", "fine", NOW + 1)
    with control._database.write() as tx:
        tx.all(f"DROP TRIGGER waiver_stays{' ON waiver' if '://' in place else ''}")
        tx.all("UPDATE waiver SET until = '2099-01-01' WHERE id = ?", one.id)
    assert hold(store, control).faults == ["the control store: waiver 1 was changed"]
    with pytest.raises(Tampered):
        proposed(store, control, "k2")


def test_an_assessment_heeds_it_until_its_day_and_while_the_requirement_is_the_same(store, control, place, monkeypatch):
    monkeypatch.setenv("TEMPER_CONTROL", place)
    heard = []

    def seen(policy, today=TODAY):
        return waived(policy, "fraud", "", store, today, lambda event: heard.append(event.message))

    one = proposed(store, control)
    assert seen(POLICY) == POLICY
    decide(store, control, one.id, "approve", "pat", "fine", NOW + 1)
    rule = seen(POLICY).requirements[0]
    assert rule.waiver == replace(ACCEPTED, reason="refunds are capped (waiver 1: proposed by ann, approved by pat)")
    assert seen(POLICY).requirements[1] == POLICY.requirements[1]
    measured = record().measurements
    for today, wanted in ((TODAY, "WAIVED"), (date(2027, 6, 1), "WAIVED"), (date(2027, 6, 2), "FAIL")):
        worse = replace(measured[1], value=0.9, low=0.8, high=0.95, count=90)
        assert judge(seen(POLICY, today), (worse,), today)[0].verdict.name == wanted
    assert heard == []
    stricter = replace(POLICY, requirements=(replace(RULE, at_most=0.01),))
    assert seen(stricter) == stricter
    assert heard == ["waiver 1 does not count: evasion has been written anew since"]
    moved = replace(POLICY, requirements=(replace(RULE, line=99),))
    assert seen(moved).requirements[0].waiver


def test_a_waiver_of_the_file_counts_first(store, control):
    one = proposed(store, control)
    done = decide(store, control, one.id, "approve", "pat", "fine", NOW + 1)
    own = Waiver(by="file", reason="r", until=TODAY)
    filed = replace(POLICY, requirements=(replace(RULE, waiver=own),))
    assert accepting(filed, [done], TODAY)[0].requirements[0].waiver == own
    assert accepting(filed, [done], date(2027, 2, 1))[0].requirements[0].waiver.by == "risk office"


def test_without_a_control_store_the_policy_is_as_written(store, monkeypatch):
    monkeypatch.delenv("TEMPER_CONTROL", raising=False)
    assert waived(POLICY, "fraud", "", store, TODAY, silent) == POLICY


def test_a_control_store_that_cannot_be_read_waives_nothing_and_that_is_said(store, tmp_path, monkeypatch):
    broken = tmp_path / "control.db"
    broken.write_bytes(b"no database" * 500)
    monkeypatch.setenv("TEMPER_CONTROL", str(broken))
    heard = []
    assert waived(POLICY, "fraud", "", store, TODAY, lambda event: heard.append(event.message)) == POLICY
    assert "do not count in this run" in heard[0]


def test_the_run_after_it_is_waived_and_says_by_whom(tmp_path, monkeypatch):
    import numpy as np

    from temper import api

    monkeypatch.delenv("TEMPER_CONTROL", raising=False)
    x = np.random.default_rng(0).normal(size=(200, 2))
    system = api.System(
        model=lambda rows: np.c_[1 / (1 + np.exp(rows[:, 0])), 1 / (1 + np.exp(-rows[:, 0]))],
        data=(x, (x[:, 0] + x[:, 1] > 0).astype(int)),
        policy=[{"id": "auc", "metric": "performance.auc", "at_least": 0.99}],
    )

    store, failed = Store.open(tmp_path), Judgement(requirement=system.policy.requirements[0], verdict=Verdict.FAIL)
    store.save_run(record(system=system.name, verdict=Verdict.FAIL, judgements=(failed,)))
    with closing(peopled(tmp_path / ".temper" / "control.db")) as control:
        one = propose(store, control, "k", "0001", "auc", ACCEPTED, "ann", NOW)
        decide(store, control, one.id, "approve", "pat", "fine", NOW + 1)
    after = api.assess(system, "quick", ["validation.performance"], engine="serial", store=tmp_path).record
    assert after.verdict is Verdict.WAIVED
    (judged,) = after.judgements
    assert (
        "Accepted by risk office until 2027-06-01: refunds are capped (waiver 1: proposed by ann" in judged.explanation
    )
    assert store.run("0001").verdict is Verdict.FAIL, "what was said stays said"
