"""Drills as they are kept and drawn: followed while they run, never changed afterwards, and no control store needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from control_store import peopled
from temper.core.drill import PATIENCE, Slot, Turn
from temper.core.errors import StoreError, TemperError
from temper.engine.drill.recording import Recording
from temper.store.control import Control
from temper.web import drills
from unit.web_desk import NOW, World

SLOTS = [
    Slot(at=0, full=100, other=0, failed=0),
    Slot(at=1, full=3, other=90, failed=2),
    Slot(at=3, full=99, other=1, failed=0),
]
TURNS = {Turn.FAULT: 1.0, Turn.OTHER: 1.05, Turn.OPEN: 1.2, Turn.BACK: 2.0, Turn.FULL: 2.5}


@pytest.fixture
def control(place: str) -> Iterator[Control]:
    control = peopled(place)
    yield control
    control.close()


def begun(control: Control, now: float = NOW, fault: str = "fraud: the model's process was killed") -> int:
    return control.drills.begin("primary-down", fault, 4.0, 100.0, 1.0, "sam", now)


def test_a_drill_is_followed_and_what_was_told_stays(control: Control) -> None:
    number = begun(control)
    control.drills.follow(number, SLOTS[:2], {Turn.FAULT: 1.0})
    control.drills.follow(
        number, [Slot(at=1, full=0, other=0, failed=0), SLOTS[2]], {Turn.FAULT: 3.0, Turn.OTHER: 1.05}
    )
    found = control.drills.get(number)
    assert found.slots == tuple(SLOTS)
    assert found.turns == {Turn.FAULT: 1.0, Turn.OTHER: 1.05}
    assert found.between(Turn.FAULT, Turn.OTHER) == pytest.approx(0.05)
    assert found.between(Turn.FAULT, Turn.FULL) is None
    assert found.running(NOW + 4 + PATIENCE - 1)
    assert not found.running(NOW + 4 + PATIENCE + 1), "it was killed"
    control.drills.end(number, True, {"failed": 0, "detected": None}, "sam", NOW + 5)
    assert (control.drills.get(number).held, control.drills.get(number).figures["failed"]) == (True, 0)
    for sql in (
        "UPDATE drill SET held = 0",
        "UPDATE drill_slot SET failed = 0",
        "UPDATE drill_turn SET at = 0",
        "DELETE FROM drill_slot",
        "DELETE FROM drill",
    ):
        with pytest.raises(StoreError), control._database.write() as tx:
            tx.all(sql)
    with pytest.raises(TemperError, match="there is no drill 9"):
        control.drills.get(9)
    assert control.audit.verify() == []


def recording(place: str, told: list[str]) -> Recording:
    return Recording(
        place=place, by="sam", told=told.append, seconds=1.0, rate=100.0, metrics="http://127.0.0.1:9/metrics"
    )


async def played(one: Recording) -> None:
    start = time.monotonic()
    one.start(start)
    for at in range(100):
        now = time.monotonic() - start
        if at == 50:
            one.turned(Turn.FAULT, now)
        one.heard(now, 200 if at != 60 else 0, 1 if at < 50 else 2)
        await asyncio.sleep(0.012)
    await one.stop()


def test_every_answer_is_counted_once_and_the_first_fallback_is_seen(tmp_path: Path) -> None:
    told: list[str] = []
    place = str(tmp_path / "control.db")
    one = recording(place, told)
    one.open("primary-down", "killed")
    asyncio.run(played(one))
    one.turned(Turn.FULL, 0.9)
    one.end(True, {"failed": 1})
    control = Control.open(place)
    found = control.drills.get(1)
    control.close()
    assert told == []
    assert [sum(getattr(slot, name) for slot in found.slots) for name in ("full", "other", "failed")] == [50, 49, 1]
    assert found.turns[Turn.FAULT] == found.turns[Turn.OTHER] > 0.0
    assert found.turns[Turn.FULL] == 0.9
    assert found.held


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_store_that_fails_costs_the_record_and_not_the_drill(
    tmp_path: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    place = tmp_path / "control.db"
    if when == "before":
        place.write_bytes(b"this is no database, and it is long enough to be looked at by SQLite" * 20)
    one = recording(str(place), told)
    one.open("primary-down", "killed")
    if when == "meanwhile":

        def down(*_: Any) -> None:
            raise StoreError("the disk is full")

        assert one._control is not None
        monkeypatch.setattr(one._control.drills, "follow", down)
    asyncio.run(played(one))
    one.end(True, {})
    (only,) = told
    assert only.startswith("this drill is not recorded any more: ")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World.at(tmp_path)
    yield world
    world.control.close()


def test_a_drill_is_drawn_while_it_runs_and_afterwards(world: World) -> None:
    vera = world.browser("vera")
    assert "No drill was recorded" in vera.get("/dashboard").text
    number = begun(world.control)
    world.control.drills.follow(number, SLOTS[:2], {Turn.FAULT: 1.0})
    world.clock.now = NOW + 3
    part = vera.get("/dashboard/drill").text
    assert "running" in part
    assert "1 s to go" in part
    assert part.count('<rect class="failed"') == 1
    assert 'class="away"' in part
    page = vera.get("/dashboard").text
    assert page.index("/dashboard/drill") < page.index("/dashboard/figures"), "what runs comes first"
    world.control.drills.follow(number, SLOTS[2:], TURNS)
    world.control.drills.end(number, False, {"failed": 2}, "sam", NOW + 5)
    part = vera.get("/dashboard/drill").text
    assert "not held" in part
    assert "200 ms after 1" in part
    assert "500 ms after 4" in part
    begun(world.control, NOW + 100)
    world.clock.now = NOW + 1_000
    page = vera.get("/dashboard").text
    assert "interrupted" in page
    assert "1 drill before it" in page
    assert "Mean time to detect 200 ms (1), to restore 1.5 s (1)" in page
    assert "91 by the fallback, 2 failed" in vera.get(f"/drills/{number}").text
    assert vera.get("/drills/77").status == 404
    assert vera.get(f"/drills/{10**30}").status == 404


def test_a_drill_with_hostile_words_or_without_answers_is_drawn(world: World) -> None:
    begun(world.control, fault='<script>alert(1)</script>: " onload=x')
    for path in ("/dashboard", "/drills/1", "/dashboard/drill"):
        text = world.browser("vera").get(path).text
        assert "<script>alert" not in text
        assert '" onload=x' not in text
    found = drills.drawn(world.control.drills.get(1), NOW)
    assert found["bars"] == []
    assert found["up"][0] == (found["bottom"], "0")


def test_bars_are_as_high_as_their_answers_and_stand_on_each_other(world: World) -> None:
    number = begun(world.control)
    world.control.drills.follow(number, SLOTS, TURNS)
    found = drills.drawn(world.control.drills.get(number), NOW)
    second = [bar for bar in found["bars"] if bar["x"] == found["bars"][1]["x"]]
    assert [bar["kind"] for bar in second] == ["full", "other", "failed"]
    for lower, upper in pairwise(second):
        assert upper["y"] + upper["high"] == pytest.approx(lower["y"], abs=0.02)
    assert second[0]["y"] + second[0]["high"] == found["bottom"]
    assert second[1]["high"] / found["bars"][0]["high"] == pytest.approx(0.9, abs=0.01)
    assert all(bar["x"] + bar["wide"] <= found["right"] + 0.02 for bar in found["bars"])
    labels = [mark["label"] for mark in found["marks"]]
    assert all(after - before >= 22 for before, after in pairwise(labels))
