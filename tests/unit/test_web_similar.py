"""The console: past cases like the one on the page, near ones only, decided ones only, and what they are worth."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from temper.web.similar import similar
from unit.web_desk import NOW, PAYLOAD, World


@pytest.fixture
def world(place: str) -> Iterator[World]:
    with closing(World.at(place)) as found:
        yield found


def row(**change: Any) -> dict[str, Any]:
    return PAYLOAD | {"rows": [PAYLOAD["rows"][0] | change]}


def closed(world: World, verdict: str = "block", **options: Any) -> int:
    number = world.case(**options)
    held = world.control.reviews.claim_one(number, "ana", NOW)
    world.control.reviews.decide(number, "ana", verdict, "seen before", f"t{number}", held.version, NOW)
    return number


def near(world: World, number: int) -> Any:
    reviews = world.control.reviews
    return similar(reviews.get(number), reviews.past(number))


def test_the_nearest_decided_cases_come_first_with_what_differs(world: World) -> None:
    same = closed(world)
    close = closed(world, "allow", payload=row(amount=9000.0))
    other = closed(world, payload=row(amount=100.0, country="FR"))
    far = closed(world, payload=row(amount=1.0, country="FR", night=False, age_of_account=3000))
    number = world.case()
    found = near(world, number)
    assert [(one.id, one.outcome, one.near) for one in found.nearest] == [
        (same, "block", "the same values"),
        (close, "allow", "close"),
    ]
    assert found.nearest[1].differs == ("amount 9,000 instead of 9,400",)
    assert found.nearest[0].reasons == ("anomaly", "decide")
    assert (found.looked, found.blocked) == (4, 3)
    text = world.browser("ana").get(f"/cases/{number}").text
    assert f'href="/cases/{same}"' in text
    assert f'href="/cases/{other}"' not in text
    assert f'href="/cases/{far}"' not in text
    assert "Of these 2, the nearest by their values, 1 were blocked; of the latest 4 that people closed, 3." in text
    assert "no sample of what clients send" in text


def test_what_is_open_expired_or_half_decided_is_never_among_them(world: World) -> None:
    world.case()
    second = world.case(eyes=2)
    held = world.control.reviews.claim_one(second, "ana", NOW)
    world.control.reviews.decide(second, "ana", "block", "a telling reason", "t", held.version, NOW)
    world.case(due=NOW + 1)
    world.control.reviews.expire(NOW + 2)
    number = world.case()
    assert near(world, number).looked == 0
    assert "Nobody has closed another case yet" in world.browser("ben").get(f"/cases/{number}").text


def test_a_case_is_not_like_itself_and_says_where_nothing_is_near(world: World) -> None:
    number = closed(world)
    assert near(world, number).nearest == ()
    closed(world, payload=row(amount=1.0, country="FR", night=False, age_of_account=3000))
    assert "None of the latest 1 decided cases is near this one" in world.browser("ana").get(f"/cases/{number}").text


def test_the_best_row_of_several_counts(world: World) -> None:
    twin = closed(world, payload=PAYLOAD | {"rows": [row(amount=5.0)["rows"][0], PAYLOAD["rows"][0]]})
    assert [one.near for one in near(world, world.case()).nearest if one.id == twin] == ["the same values"]


def test_without_values_the_reasons_count(world: World) -> None:
    both = closed(world, payload={"rows": [], "reasons": ["decide: a", "anomaly: b"]})
    one = closed(world, payload={"rows": [], "reasons": ["decide: c"]})
    closed(world, payload={"rows": [], "reasons": ["quota: d"]})
    closed(world, payload={})
    found = near(world, world.case(payload={"reasons": ["decide: x", "anomaly: y"]}))
    assert [(past.id, past.near) for past in found.nearest] == [
        (both, "came for the same reasons"),
        (one, "came for some of the same reasons"),
    ]
    assert found.by == "reasons"
    assert near(world, world.case(payload={})).nearest == ()


@pytest.mark.parametrize(
    "rows",
    ["x", [1], [{}], [{"other": 1}], [{"amount": "text"}], [PAYLOAD["rows"][0] | {"amount": 10**400}], [{"a": [1]}, 2]],
)
def test_strange_rows_are_still_a_page(world: World, rows: Any) -> None:
    closed(world, payload=PAYLOAD | {"rows": rows})
    closed(world)
    for payload in (PAYLOAD, PAYLOAD | {"rows": rows}, PAYLOAD | {"rows": rows, "reference": 7}):
        number = world.case(payload=payload)
        assert world.browser("ana").get(f"/cases/{number}").status == 200


def test_hostile_values_are_shown_and_do_not_act(world: World) -> None:
    closed(world, payload=row(country="<b>\u202e"))
    closed(world, payload=row(device="\x1b[31m"))
    text = world.browser("ana").get(f"/cases/{world.case()}").text
    assert "device ‹U+001B›[31m instead of missing" in text
    assert "country &lt;b&gt;‹U+202E› instead of NL" in text
    assert "<b>" not in text.partition('id="similar"')[2].partition("</section>")[0]
    assert not any(char in text for char in "\u202e\x1b")


def test_a_very_large_case_is_passed_over(world: World) -> None:
    closed(world, payload=row(device="x" * 70_000))
    assert near(world, world.case()).looked == 0


def test_a_long_past_keeps_nobody_waiting(world: World) -> None:
    """400 closed cases, 200 of them looked at, each as large as what is still compared."""
    wide = {f"column_{at}": float(at) for at in range(300)}
    reference = {name: {"low": 0.0, "high": 600.0, "typical": 300.0} for name in wide}
    payload = PAYLOAD | {"rows": [wide], "reference": reference, "note": "x" * 40_000}
    world.fill(400, payload=payload, state="closed", outcome="block", closed=NOW)
    number = world.case(payload=payload)
    start = time.process_time()
    found = near(world, number)
    assert time.process_time() - start < 0.5
    assert (found.looked, len(found.nearest)) == (200, 5)
