"""The console in a real browser, on both stores: races, double clicks, a case that changes, a line that breaks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from browser.console import marks, served, tab
from temper.core.review import State
from temper.store.codec import to_json
from unit.web_desk import NOW, PAYLOAD, World

pytestmark = marks
CLAIM = "document.querySelector('main .head [data-claim]').click()"


@pytest.fixture
def desk(place: str) -> Iterator[tuple[World, str]]:
    with served(place) as found:
        yield found


def held(browser: Any, world: World, at: str, name: str, number: int) -> Any:
    """A tab in which this person holds the case."""
    page = tab(browser, world, at, name)
    page.goto(f"/cases/{number}")
    page.locator("main .head [data-claim]").click()
    page.get_by_text("You hold this case").wait_for()
    return page


def answer(page: Any, verdict: str, reason: str = "three accounts, one device") -> None:
    page.get_by_label(verdict).check()
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name="Decide").click()
    page.get_by_role("button", name="Send it now").click()


def test_two_who_differ_and_the_approver_who_decides(browser: Any, desk: tuple[World, str]) -> None:
    world, at = desk
    number = world.case(eyes=2, due=NOW + 3600)
    for name, verdict in (("ana", "Allow"), ("ben", "Block")):
        page = held(browser, world, at, name, number)
        assert page.get_by_role("heading", name="Answers").count() == 0, "blind"
        answer(page, verdict, f"{name} says {verdict}")
        page.wait_for_url("**/queue?said=decided")
    page = tab(browser, world, at, "pia")
    page.goto("/queue?state=escalated")
    page.get_by_role("button", name=f"Claim case #{number}").click()
    page.get_by_text("You hold this case").wait_for()
    assert page.get_by_text("ana says Allow").is_visible()
    assert page.get_by_text("ben says Block").is_visible()
    answer(page, "Block")
    page.wait_for_url("**/queue?said=decided")
    case = world.control.reviews.get(number)
    assert (case.state, case.outcome, len(case.decisions)) == (State.CLOSED, "block", 3)
    page.goto(f"/cases/{number}")
    assert page.get_by_text("saw what this page shows").count() == 3
    page.goto("/agreement")
    assert page.get_by_text("ana and ben").is_visible()
    assert world.control.audit.verify() == []


def test_of_two_who_click_in_the_same_moment_one_gets_the_case(browser: Any, desk: tuple[World, str]) -> None:
    world, at = desk
    numbers = [world.case() for _ in range(5)]
    pages = [tab(browser, world, at, name) for name in ("ana", "ben")]
    for number in numbers:
        for page in pages:
            page.goto(f"/cases/{number}")
        for page in pages:  # neither waits for what the other brings about
            page.evaluate(f"setTimeout(() => {CLAIM}, 50)")
        seen = [_settled(page) for page in pages]
        assert sorted(seen) == ["Something has changed meanwhile", "held"]
        assert world.control.reviews.get(number).owner == ("ana", "ben")[seen.index("held")]


def _settled(page: Any) -> str:
    page.locator(".lease, .kicker").first.wait_for()
    return "held" if page.get_by_text("You hold this case").count() else str(page.locator("h1").inner_text())


def test_a_case_decided_by_many_forms_at_once_is_decided_once(browser: Any, desk: tuple[World, str]) -> None:
    """The same form from eight lines at once, as a browser that repeats itself sends it."""
    world, at = desk
    number = world.case(eyes=2)
    page = held(browser, world, at, "ana", number)
    names = ("csrf", "token", "version", "seen")
    form = {name: page.locator(f"[data-decide] [name={name}]").input_value() for name in names}
    sender = world.browser("ana")
    sender.cookies = {one["name"]: one["value"] for one in page.context.cookies()}
    told = form | {"verdict": "allow", "reason": "sent again"}
    with ThreadPoolExecutor(8) as crowd:
        found = list(crowd.map(lambda _: sender.post(f"/cases/{number}/decide", told).status, range(8)))
    assert found == [303] * 8
    case = world.control.reviews.get(number, "ana")
    assert (len(case.decisions), case.state) == (1, State.SECOND)


def test_double_clicks_and_the_way_back_decide_once(browser: Any, desk: tuple[World, str]) -> None:
    world, at = desk
    number = world.case(eyes=2)
    page = held(browser, world, at, "ana", number)
    page.get_by_label("Block").check()
    page.get_by_label("Reason").fill("clicked twice")
    page.get_by_role("button", name="Decide").dblclick()
    page.get_by_role("button", name="Send it now").dblclick()
    page.wait_for_url("**/queue?said=decided")
    page.go_back()
    page.get_by_role("heading", name=f"Case #{number}").wait_for()
    assert page.get_by_role("button", name="Decide").count() == 0, "a page from before is not kept"
    page.go_forward()
    page.wait_for_url("**/queue?said=decided")
    case = world.control.reviews.get(number, "ana")
    assert (len(case.decisions), case.state) == (1, State.SECOND)


def test_a_case_that_changes_under_the_tab_is_not_decided(browser: Any, desk: tuple[World, str]) -> None:
    world, at = desk
    number = world.case()
    page = held(browser, world, at, "ana", number)
    with world.control._database.write() as tx:
        tx.all("UPDATE review SET payload = ? WHERE id = ?", to_json(PAYLOAD | {"score": 0.99}), number)
    answer(page, "Allow", "by a score of 0.57")
    page.get_by_role("heading", name="Something has changed meanwhile").wait_for()
    assert page.get_by_text("by a score of 0.57").is_visible()
    page.get_by_role("link", name="See the case as it is now").click()
    assert page.get_by_text("0.99").is_visible()
    answer(page, "Block")
    page.wait_for_url("**/queue?said=decided")
    assert world.control.reviews.get(number).outcome == "block"


def test_without_a_connection_nothing_is_sent_and_nothing_is_lost(browser: Any, desk: tuple[World, str]) -> None:
    world, at = desk
    number = world.case()
    page = held(browser, world, at, "ana", number)
    page.context.set_offline(True)
    answer(page, "Block", "written before the line broke")
    assert page.get_by_text("There is no connection: nothing was sent.").is_visible()
    assert page.get_by_label("Reason").input_value() == "written before the line broke"
    page.context.set_offline(False)
    page.get_by_role("button", name="Decide").click()
    assert not page.get_by_text("There is no connection").is_visible()
    page.get_by_role("button", name="Send it now").click()
    page.wait_for_url("**/queue?said=decided")
    assert world.control.reviews.get(number).decisions[0].reason == "written before the line broke"


def test_somebody_shut_out_is_out_with_the_tab_open(browser: Any, desk: tuple[World, str]) -> None:
    world, at = desk
    number = world.case()
    page = held(browser, world, at, "ana", number)
    world.control.people.disable("ana", "ada", NOW)
    answer(page, "Allow")
    page.get_by_role("heading", name="Log in").wait_for()
    case = world.control.reviews.get(number)
    assert (case.state, case.owner) == (State.OPEN, None)
