"""Evidence, approvals and waivers in the console: what they say, who may act, that nothing is lost or done twice."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from temper.core.requirement import Waiver
from temper.store.database import Store
from temper.store.signed import public_of
from unit.kept_runs import HOP, LEAK, RULE, assessed, record
from unit.test_web_runs import words
from unit.web_desk import NOW, PEOPLE, Answer, World

MODEL = "aaaa1111"
RUNS = (
    record("0001", 1, 0.62, MODEL, HOP, author="ben"),
    record("0002", 2, 0.1, "bbbb2222", LEAK, author="ben"),
)
POLICY = "system: {name: card-fraud}\npolicy: policy.yaml\n"
RULES = """approvals: 1
signatures: %s
requirements:
  - {id: evasion, metric: evasion.hop.success_rate, at_most: 0.2, reason: refunds}
  - {id: noise, metric: stress.noise.loss, at_most: 0.1, waiver: {by: bo, reason: old, until: 2027-01-02}}
"""
WAIVER = {"run": "0001", "requirement": "evasion", "owner": "risk office", "reason": "capped", "until": "2027-06-01"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with assessed(tmp_path, RUNS) as found:
        policy(tmp_path, signed=False)
        yield found


def policy(folder: Path, signed: bool) -> None:
    (folder / "policy.yaml").write_text(RULES % str(signed).lower(), encoding="utf-8")
    (folder / "temper.yaml").write_text(POLICY, encoding="utf-8")


def asked(world: World, run: str = "0002", who: str = "ana") -> str:
    answer = world.browser(who).send(f"/runs/{run}/evidence", f"/runs/{run}/ask", reason="for spring")
    assert answer.status == 303, answer.text
    return answer.header("location").partition("?")[0]


def said(world: World, place: str, verb: str, who: str, **more: str) -> Answer:
    browser = world.browser(who)
    page = browser.get(place)
    form = {"csrf": page.hidden("csrf"), "version": page.hidden("version"), "reason": "looked at it"}
    return browser.post(f"{place}/{verb}", form | more)


def proposed(world: World, who: str = "ana", **more: str) -> Answer:
    browser = world.browser(who)
    page = browser.get("/waivers/new?run=0001&requirement=evasion")
    return browser.post("/waivers", {"csrf": page.hidden("csrf"), "key": page.hidden("key")} | WAIVER | more)


def actions(world: World) -> list[str]:
    return [one.action for one in world.control.audit.page() if not one.action.startswith(("session", "person"))][::-1]


# -- the ledger -------------------------------------------------------------------------------------------------------


def test_the_ledger_is_shown_and_verified_when_somebody_asks(world: World) -> None:
    browser = world.browser("ana")
    told = words(browser.get("/evidence").text)
    assert "Nobody has verified it from here" in told
    assert "run 0001 FAIL, finished ben" in told
    assert "temper audit export" in told
    assert browser.send("/evidence", "/evidence/verify").status == 303
    told = words(browser.get("/evidence").text)
    assert f"ana held {2 + len(PEOPLE)} records" in told
    assert actions(world) == ["evidence.verify"]
    asked(world)
    assert "Since then 1 record has come" in words(browser.get("/evidence").text)
    assert world.browser("vera").send("/evidence", "/evidence/verify").status == 403


def test_tasks_that_the_ledger_was_told_of_are_told_on_the_page(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store.save_task("a" * 64, "evasion.hop", {"n": 1})
    with assessed(tmp_path, RUNS) as world:
        told = words(world.browser("ana").get("/evidence").text)
        assert "1 finished task, from which later runs are answered Temper" in told
        assert "it cannot be read" not in told


def test_an_approval_that_was_given_waits_for_nobody(world: World) -> None:
    place = asked(world)
    assert "It waits for somebody with the role approver" in words(world.browser("vera").get(place).text)
    assert said(world, place, "approve", "pia").status == 303
    told = words(world.browser("vera").get(place).text)
    assert "1 of 1 given" in told
    assert "It waits" not in told


def test_a_store_that_was_changed_is_named_and_no_button_is_left(world: World, tmp_path: Path) -> None:
    place = asked(world)
    database = sqlite3.connect(tmp_path / ".temper" / "temper.db")
    database.execute("DROP TRIGGER runs_keep_on_update")
    database.execute("UPDATE runs SET document = replace(document, '0.62', '0.02') WHERE id = '0001'")
    database.commit()
    database.close()
    browser = world.browser("pia")
    told = words(browser.get("/runs/0001/evidence").text)
    assert "IS NOT WHAT THE LEDGER WAS TOLD" in told, "this run is held against the ledger each time"
    assert browser.send("/evidence", "/evidence/verify").status == 303
    for page in ("/evidence", "/approvals", "/waivers", place, "/jobs", "/runs/0002", "/runs/0002/evidence"):
        text = browser.get(page).text
        main = text.partition("<main")[2].partition("</main>")[0]
        if page != "/runs/0002":
            assert "run 0001 was changed: judgement evasion" in words(main), page
        assert "<button" not in main, page
        assert "Propose a waiver" not in main, page
    for path, form in (
        (f"{place}/approve", {"version": "0", "reason": "r"}),
        ("/runs/0001/ask", {"reason": "r"}),
        ("/waivers", WAIVER | {"key": "a" * 16}),
        ("/runs/0002/findings/F-11aa00/replay", {"key": "a" * 16}),
        ("/jobs", {"key": "a" * 16, "suite": "quick", "why": "w"}),
    ):
        answer = browser.post(path, {"csrf": browser.get("/evidence").hidden("csrf")} | form)
        assert answer.status == 423, path
        assert "run 0001 was changed" in answer.text
    assert world.control.jobs.page() == []


def test_what_is_deployed_is_followed_back_to_its_data(world: World) -> None:
    assert "Nothing was deployed with Temper" in words(world.browser("vera").get("/evidence").text)
    value = {"path": "m", "mode": "live", "digest": MODEL, "name": "m.json"}
    world.control.records.put("model", value, "ada", "it passed", NOW)
    told = words(world.browser("vera").get("/evidence").text)
    assert "Where m.json (answers) comes from" in told
    assert "held-out data d1" in told
    assert "Deployment live, 2027-01-15T08:00:00+00:00, by ada: it passed" in told
    world.control.records.put("model", value | {"digest": "ffff", "name": "n"}, "ada", "hurry", NOW)
    assert "No finished run is of this model" in words(world.browser("vera").get("/evidence").text)


# -- approvals --------------------------------------------------------------------------------------------------------


def test_one_puts_up_another_gives_their_word_and_it_says_that_it_is_not_signed(world: World) -> None:
    place = asked(world)
    assert asked(world) == place, "sent twice, put up once"
    assert "somebody else has to approve it" in world.browser("ana").get(place).text
    answer = said(world, place, "approve", "pia")
    assert answer.header("location") == f"{place}?said=signed"
    told = words(world.browser("vera").get(place).text)
    assert "pia approved it: looked at it" in told
    assert "through the console, not signed" in told
    (one,) = world.control.approvals.page()
    assert (one.state, one.votes[0].signed) == ("approved", False)
    assert actions(world) == ["approval.ask", "approval.approve"]
    assert world.control.approvals.standing("bbbb2222") == []
    assert said(world, place, "withdraw", "pia").status == 303
    assert world.control.approvals.get(one.id).state == "withdrawn"


def test_the_author_of_the_run_and_a_lower_role_approve_nothing(world: World) -> None:
    from temper.core.review import Role

    world.control.people.set_role("ben", Role.APPROVER, "ada", NOW)
    place = asked(world)
    page = world.browser("ben").get(place)
    assert "You had run 0002 made" in page.text
    assert f'formaction="{place}/approve"' not in page.text
    assert said(world, place, "approve", "ben").status == 403
    assert world.browser("vera").post(f"{place}/approve", {"csrf": "x"}).status == 403
    assert said(world, place, "approve", "ana").status == 403
    assert world.control.approvals.page()[0].approvers == ()


def test_where_the_policy_wants_signatures_the_page_gives_the_command(world: World, tmp_path: Path) -> None:
    policy(tmp_path, signed=True)
    place = asked(world)
    world.control.signers.add("pia", public_of(bytes(32)), "pia", NOW)
    text = world.browser("pia").get(place).text
    assert "temper approve 0002 --as pia --key pia.key --reason" in text
    assert f'formaction="{place}/approve"' not in text
    answer = said(world, place, "approve", "pia")
    assert answer.status == 403
    assert "takes a signature" in answer.text
    assert "looked at it" in answer.text, "what was written is not lost"
    assert said(world, place, "reject", "pia").status == 303


def test_a_run_that_failed_is_approved_by_the_name_of_its_verdict_only(world: World) -> None:
    place = asked(world, "0001")
    assert said(world, place, "approve", "pia").status == 403
    assert said(world, place, "approve", "pia", despite="Fail").status == 303


def test_a_word_is_taken_soon_after_logging_in_only(world: World) -> None:
    place = asked(world)
    browser = world.browser("pia")
    page = browser.get(place)
    form = {"csrf": page.hidden("csrf"), "version": page.hidden("version"), "reason": "looked at it"}
    world.clock.now += 601
    answer = browser.post(f"{place}/approve", form)
    assert answer.status == 409
    assert "looked at it" in answer.text
    assert "Log out, log in again" in browser.get(place).text
    assert world.control.approvals.page()[0].approvers == ()


def test_who_comes_second_is_told_and_gets_back_what_they_wrote(world: World) -> None:
    place = asked(world)
    pages = {name: world.browser(name) for name in ("pia", "ada")}
    forms = {}
    for name, browser in pages.items():
        page = browser.get(place)
        forms[name] = {"csrf": page.hidden("csrf"), "version": page.hidden("version"), "reason": f"{name} looked"}
    assert pages["pia"].post(f"{place}/reject", forms["pia"]).status == 303
    assert pages["pia"].post(f"{place}/reject", forms["pia"]).header("location") == place, "a double click is one word"
    answer = pages["ada"].post(f"{place}/approve", forms["ada"])
    assert answer.status == 409
    assert "ada looked" in answer.text
    assert f'href="{place}"' in answer.text
    assert len(world.control.approvals.page()[0].votes) == 1


# -- waivers ----------------------------------------------------------------------------------------------------------


def test_a_waiver_is_proposed_from_a_run_and_made_by_somebody_else(world: World) -> None:
    link = re.search(r'href="(/waivers/new\?[^"]+)"', world.browser("ana").get("/runs/0001").text)
    assert link
    assert world.browser("ana").get(link[1].replace("&amp;", "&")).status == 200
    assert "Propose a waiver" not in world.browser("ana").get("/runs/0002").text, "it passed"
    assert "Propose a waiver" not in world.browser("vera").get("/runs/0001").text
    assert proposed(world).header("location") == "/waivers/1?said=proposed"
    assert "waits for approval" in world.browser("ana").get("/runs/0001").text
    assert world.browser("ana").send("/waivers/1", "/waivers/1/approve", reason="mine").status == 403
    twice = [world.browser("pia").send("/waivers/1", "/waivers/1/approve", reason="capped indeed") for _ in "ab"]
    assert [one.header("location") for one in twice] == ["/waivers/1?said=waived", "/waivers/1"]
    assert "counts from the next assessment on" in world.browser("ana").get("/runs/0001").text
    (one,) = world.control.waivers.standing("card-fraud", date(2027, 1, 15))
    assert (one.owner, one.author, one.judge, one.run, one.maker) == ("risk office", "ana", "pia", "0001", "ben")
    assert actions(world) == ["waiver.propose", "access.refuse", "waiver.approve"], "and a refusal is one, too"
    assert "0.62" not in str(one.rule)


def test_a_form_that_is_sent_twice_proposes_once(world: World) -> None:
    browser = world.browser("ana")
    page = browser.get("/waivers/new?run=0001&requirement=evasion")
    form = {"csrf": page.hidden("csrf"), "key": page.hidden("key")} | WAIVER
    assert {browser.post("/waivers", form).header("location") for _ in "ab"} == {"/waivers/1?said=proposed"}
    assert len(world.control.waivers.page()) == 1


@pytest.mark.parametrize(
    ("wrong", "status", "why"),
    [
        ({"until": "2027-01-14"}, 422, "is over already"),
        ({"until": "soon"}, 422, "The last day is written as"),
        ({"owner": " "}, 422, "Fill in"),
        ({"reason": "x" * 3000}, 422, "Fill in"),
        ({"requirement": "other"}, 404, "no such requirement"),
    ],
)
def test_a_waiver_that_cannot_be_comes_back_with_all_that_was_written(
    world: World, wrong: dict[str, str], status: int, why: str
) -> None:
    answer = proposed(world, **wrong)
    assert (answer.status, why in answer.text) == (status, True)
    assert world.control.waivers.page() == []
    if status == 422:
        kept = WAIVER | wrong
        for name in ("owner", "reason", "until"):
            assert kept[name] in answer.text


def test_two_who_propose_at_once_lose_nothing(world: World) -> None:
    proposed(world)
    answer = proposed(world, "ben", reason="another view of it")
    assert answer.status == 409
    assert "another view of it" in answer.text
    assert "waits for approval already" in answer.text
    assert len(world.control.waivers.page()) == 1
    world.browser("pia").send("/waivers/1", "/waivers/1/reject", reason="not convinced")
    browser = world.browser("ada")
    late = browser.post("/waivers/1/approve", {"csrf": browser.get("/waivers").hidden("csrf"), "reason": "slower"})
    assert late.status == 409
    assert "slower" in late.text
    assert 'href="/waivers/1"' in late.text


def test_expired_ones_are_marked_wherever_they_stand(world: World, tmp_path: Path) -> None:
    proposed(world)
    world.browser("pia").send("/waivers/1", "/waivers/1/approve", reason="fine")
    told = words(world.browser("vera").get("/waivers").text)
    assert "Waiver 1 counts evasion risk office 2027-06-01" in told
    assert "noise expired bo 2027-01-02" in told
    (tmp_path / "policy.yaml").write_text(RULES.replace("0.2,", "0.1,") % "false")
    assert "Waiver 1 does not count" in words(world.browser("vera").get("/waivers").text)
    world.clock.now += 140 * 86_400
    policy(tmp_path, signed=False)
    assert "Waiver 1 expired evasion" in words(world.browser("vera").get("/waivers").text)
    assert "<button" not in world.browser("pia").get("/waivers/1").text.partition("<main")[2].partition("</main>")[0]


def test_what_people_wrote_is_inert(world: World) -> None:
    hostile = "<script>alert(1)</script>"
    asked(world)
    proposed(world, reason=hostile, owner=hostile)
    for page in ("/waivers", "/waivers/1", "/approvals", "/approvals/1", "/evidence"):
        assert hostile not in world.browser("vera").get(page).text


def test_a_run_with_a_waiver_of_its_own_says_so(tmp_path: Path) -> None:
    waived = replace(RULE, waiver=Waiver(by="risk office", reason="capped", until=date(2027, 6, 1)))
    one = record("0001", 1, 0.62, "a")
    kept = replace(one, judgements=(replace(one.judgements[0], requirement=waived),))
    with assessed(tmp_path, (kept,)) as world:
        assert "Waived by risk office until 2027-06-01" in words(world.browser("vera").get("/runs/0001").text)
    assert Store.open(tmp_path).run().judgements[0].requirement == waived


@pytest.mark.parametrize("path", ["/approvals/9", "/waivers/9", "/waivers/99999999999999999999", "/runs/0009/evidence"])
def test_what_is_not_there_is_said(world: World, path: str) -> None:
    assert world.browser("ana").get(path).status == 404
