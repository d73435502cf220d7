"""Policies in the browser: a difference somebody else approves, and no way round the second person."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from unit.web_desk import NOW, World

BEFORE = {"anomaly": {"mode": "shadow"}, "threshold": 0.5}
AFTER = {"anomaly": {"mode": "enforce"}, "decide": {"review": [0.3, 0.6]}, "threshold": 0.5}


@pytest.fixture
def world(place: str) -> Iterator[World]:
    found = World.at(place)
    found.control.policies.propose(AFTER, BEFORE, "ab" * 32, "ana", "too many false alarms", NOW)
    yield found
    found.close()


def state(world: World) -> str:
    return world.control.policies.get(1).state


def test_somebody_else_sees_what_changes_and_approves_it(world: World) -> None:
    browser = world.browser("pia")
    page = browser.get("/policies/1")
    assert "<code>anomaly.mode</code>" in page.text
    assert "<del>shadow</del>" in page.text
    assert "<ins>[0.3,0.6]</ins>" in page.text
    assert "threshold" not in page.text
    assert browser.send("/policies/1", "/policies/1/approve", reason="seen").status == 303
    assert state(world) == "approved"
    assert "approved by pia" in browser.get("/policies").text
    assert "Your word" not in browser.get("/policies/1").text


def test_whoever_proposed_it_is_offered_no_approval_and_gets_none(world: World) -> None:
    world.control.policies.propose(AFTER, BEFORE, "ab" * 32, "pia", "mine", NOW)
    browser = world.browser("pia")
    page = browser.get("/policies/2")
    assert "/approve" not in page.text
    assert "Take it back" in page.text
    answer = browser.send("/policies/2", "/policies/2/approve", reason="sure")
    assert answer.status == 403
    assert "Somebody else has to approve it" in answer.text
    assert world.control.policies.get(2).state == "open"
    assert browser.send("/policies/2", "/policies/2/reject", reason="a mistake").status == 303


def test_a_second_word_on_a_policy_is_a_conflict_that_shows_no_case(world: World) -> None:
    number = world.case()
    browser, other = world.browser("pia"), world.browser("ada")
    form = {"csrf": other.get("/policies/1").hidden("csrf"), "reason": "no"}
    browser.send("/policies/1", "/policies/1/approve", reason="seen")
    answer = other.post("/policies/1/reject", form)
    assert (answer.status, number) == (409, 1)
    assert "was approved by pia" in answer.text
    assert "/cases/1" not in answer.text


def test_a_policy_that_no_second_person_saw_is_shown_as_one(world: World) -> None:
    world.control.policies.override(AFTER, "playbook", "model-wrong (run 1)", NOW)
    browser = world.browser("pia")
    page = browser.get("/policies")
    assert "Set without a second person by playbook" in page.text
    assert browser.send("/policies/1", "/policies/1/approve", reason="seen").status == 409
    browser.send("/policies", "/policies/rollback", record=page.hidden("record"), reason="over")
    assert "second person by" not in browser.get("/policies").text


def test_going_back_names_the_policy_it_is_about(world: World) -> None:
    browser = world.browser("pia")
    browser.send("/policies/1", "/policies/1/approve", reason="seen")
    stale = {"csrf": browser.get("/policies").hidden("csrf"), "reason": "wrong"}
    stale["record"] = browser.get("/policies").hidden("record")
    assert browser.post("/policies/rollback", stale | {"record": "7"}).status == 409
    assert state(world) == "approved"
    assert browser.post("/policies/rollback", stale).header("location") == "/policies?said=back"
    assert browser.post("/policies/rollback", stale).status == 409, "a double click"
    assert state(world) == "retired"
    assert world.control.policies.record().value is None


def test_hostile_text_in_a_policy_is_text(world: World) -> None:
    text = "<script>alert(1)</script>\u202e"
    world.control.policies.propose({text: {"mode": text}}, BEFORE, "ab" * 32, "ana", "x<b>", NOW)
    page = world.browser("pia").get("/policies/2")
    assert "<script>alert" not in page.text
    assert "\u202e" not in page.text
    assert world.browser("pia").get("/policies/" + "9" * 30).status == 404
