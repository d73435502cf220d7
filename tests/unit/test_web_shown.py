"""The console: a decision keeps the digest of the page it was made on, and counts for nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from temper.core.review import State
from temper.store.codec import to_json
from temper.web import shown
from unit.web_desk import FIELDS, NOW, PAYLOAD, Answer, Browser, World


@pytest.fixture
def world(place: str) -> Iterator[World]:
    with closing(World.at(place)) as found:
        yield found


def held(world: World, number: int, name: str = "ana") -> tuple[Browser, Answer]:
    """Somebody's browser, and the page of a case that is theirs now."""
    browser = world.browser(name)
    browser.send("/queue", f"/cases/{number}/claim")
    return browser, browser.get(f"/cases/{number}")


def form(page: Answer, **change: str) -> dict[str, str]:
    return (
        {field: page.hidden(field) for field in FIELDS} | {"verdict": "allow", "reason": "a careful thought"} | change
    )


def changed(world: World, number: int, payload: object) -> None:
    """Another payload, past the store."""
    with world.control._database.write() as tx:
        tx.all("UPDATE review SET payload = ? WHERE id = ?", to_json(payload), number)


def test_a_decision_and_its_audit_row_keep_what_was_seen(world: World) -> None:
    number = world.case()
    browser, page = held(world, number)
    assert browser.post(f"/cases/{number}/decide", form(page)).status == 303
    case = world.control.reviews.get(number)
    assert case.decisions[0].seen == page.hidden("seen") == shown.digest(case)
    assert world.control.audit.page(1)[0].detail["seen"] == page.hidden("seen")
    assert "saw what this page shows" in browser.get(f"/cases/{number}").text
    assert f"seen {page.hidden('seen')[:16]}…" in world.browser("pia").get("/audit").text
    assert world.control.audit.verify() == []


def test_a_page_says_what_becomes_of_a_case_that_nobody_decides(world: World) -> None:
    number = world.case(due=NOW + 60, overdue="allow")
    browser = world.browser("ana")
    assert "allow at 2027-01-15 08:01:00 UTC" in browser.get(f"/cases/{number}").text
    world.clock.now += 61
    assert "overdue: it gets its default, allow" in browser.get(f"/cases/{number}").text
    assert browser.send("/queue", f"/cases/{number}/claim").status == 409


def test_both_of_two_people_saw_the_same_page(world: World) -> None:
    number = world.case(eyes=2)
    for name in ("ana", "ben"):
        browser, page = held(world, number, name)
        browser.post(f"/cases/{number}/decide", form(page))
    assert len({one.seen for one in world.control.reviews.get(number).decisions}) == 1


@pytest.mark.parametrize("part", ["rows", "score", "source", "reasons", "reference", "client", "request"])
def test_a_case_that_changed_under_the_page_is_not_decided(world: World, part: str) -> None:
    number = world.case()
    browser, page = held(world, number)
    changed(world, number, PAYLOAD | {part: [] if isinstance(PAYLOAD[part], list) else "other"})
    answer = browser.post(f"/cases/{number}/decide", form(page))
    assert answer.status == 409
    assert "not what this page showed any more" in answer.text
    assert "a careful thought" in answer.text
    assert "See the case as it is now" in answer.text
    assert world.control.reviews.get(number).state is State.CLAIMED
    again = browser.get(f"/cases/{number}")
    assert again.hidden("seen") != page.hidden("seen")
    assert browser.post(f"/cases/{number}/decide", form(again)).status == 303


@pytest.mark.parametrize("word", ["", "x", "0" * 64, "\u00fc"])
def test_a_form_that_does_not_say_what_was_seen_is_refused(world: World, word: str) -> None:
    number = world.case()
    browser, page = held(world, number)
    assert browser.post(f"/cases/{number}/decide", form(page, seen=word)).status == 409
    assert world.control.reviews.get(number).state is State.CLAIMED


def test_a_digest_changed_afterwards_is_seen(world: World) -> None:
    number = world.case()
    browser, page = held(world, number)
    browser.post(f"/cases/{number}/decide", form(page))
    for seen in ("0" * 64, ""):
        world.unguarded("decision", "UPDATE decision SET seen = ?", seen)
        assert world.control.audit.verify() == ["decision 1 is not the one in the audit"]
    text = browser.get(f"/cases/{number}").text
    assert "answered without this page" in text


def test_a_decision_from_before_pages_were_kept_still_holds(world: World) -> None:
    number = world.case()
    case = world.control.reviews.claim("ana", world.clock())
    world.control.reviews.decide(number, "ana", "allow", "by hand", "t", case.version, world.clock())
    assert world.control.reviews.get(number).decisions[0].seen == ""
    assert world.control.audit.verify() == []
    assert "answered without this page" in world.browser("ana").get(f"/cases/{number}").text


def test_what_is_shown_does_not_depend_on_who_looks_or_when(world: World) -> None:
    number = world.case(eyes=2)
    seen = {world.browser(name).get(f"/cases/{number}").text.partition("<code>")[2][:16] for name in ("vera", "ada")}
    world.clock.now += 5_000
    seen.add(held(world, number)[1].hidden("seen")[:16])
    assert len(seen) == 1
