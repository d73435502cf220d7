"""The console: what an approver sees of reviewers' agreement, and what nobody may see of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from temper.core.review import Ruling
from temper.store.control.exercises import Planted
from unit.web_desk import NOW, PAYLOAD, World

GREY = PAYLOAD | {"reasons": ["decide: the score is undecided"]}


@pytest.fixture
def world(place: str) -> Iterator[World]:
    with closing(World.at(place)) as found:
        yield found


def decided(world: World, number: int, name: str, verdict: str) -> None:
    held = world.control.reviews.claim_one(number, name, NOW)
    world.control.reviews.decide(number, name, verdict, "a telling reason", f"{number}{name}", held.version, NOW)


def planted(world: World, truth: str, lean: str) -> int:
    one = Planted(row=PAYLOAD["rows"][0], truth=Ruling(truth), lean=Ruling(lean))
    return world.control.exercises.plant([one], "pia", NOW)[0]


def test_an_empty_page_says_how_to_begin(world: World) -> None:
    text = world.browser("pia").get("/agreement").text
    assert "No case was answered by two people yet" in text
    assert "No planted case was answered yet" in text
    assert "0 % of the cases" in text


def test_two_people_and_planted_cases_are_told_with_intervals(world: World) -> None:
    for at in range(30):
        number = world.case(payload=GREY | {"score": 0.4 + at / 200}, eyes=2)
        decided(world, number, "ana", "block" if at % 2 else "allow")
        decided(world, number, "ben", "block" if at % 2 and at > 3 else "allow")
    for at in range(20):
        truth, lean = ("block", "allow") if at % 2 else ("allow", "allow")
        number = planted(world, truth, lean)
        for name in ("ana", "ben"):
            decided(world, number, name, "allow")
    text = world.browser("pia").get("/agreement").text
    assert "ana and ben" in text
    assert '<span class="many">28 of 30</span>agreed' in text
    assert "People follow the score" in text
    assert "20 of 40" in text
    for name in ("ana", "vera"):
        assert world.browser(name).get("/agreement").status == 403


def test_what_came_again_is_hidden_until_it_is_answered_and_then_listed(world: World) -> None:
    world.control.exercises.set_share(1.0, "pia", NOW)
    first = world.case()
    decided(world, first, "ana", "block")
    second = world.control.reviews.page()[0].id
    for name in ("ben", "pia", "vera"):
        browser = world.browser(name)
        text = browser.get(f"/cases/{first}").text
        assert "looked at again" in text
        for where in (f"/cases/{first}", f"/cases/{second}", "/queue?state=closed", "/queue", "/dashboard"):
            seen = browser.get(where).text
            assert "telling" not in seen
            assert "<dd>block</dd>" not in seen
            assert 'class="badge block"' not in seen
    assert "telling" in world.browser("ana").get(f"/cases/{first}").text
    assert world.browser("ana").send("/queue", f"/cases/{second}/claim").status == 409
    decided(world, second, "ben", "allow")
    text = world.browser("pia").get("/agreement").text
    assert f'<a href="/cases/{first}">#{first}</a> was <b>block</b>, and <b>allow</b>' in text
    assert "telling" in world.browser("ben").get(f"/cases/{first}").text


def test_nothing_on_any_page_of_an_analyst_tells_a_planted_case(world: World) -> None:
    real = [world.case(payload=GREY | {"score": 0.4 + at / 100}, request=f"g-0-{at}-{at:016x}") for at in range(9)]
    number = planted(world, "block", "allow")
    browser = world.browser("ana")
    pages = {}
    for one in (real[0], number):
        browser.send("/queue", f"/cases/{one}/claim")
        pages[one] = browser.get(f"/cases/{one}").text
        assert "plant" not in pages[one]
        assert "exercise" not in pages[one]
    assert "planted" not in browser.get("/queue").text
    shape = [[line.partition(">")[0] for line in page.splitlines()] for page in pages.values()]
    assert len(shape[0]) == len(shape[1]), "line by line the same page"
