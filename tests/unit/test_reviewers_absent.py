"""Cases of a drill whose reviewers stay away: counted by hand, decided by simulated people, and told by the gateway."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from control_store import peopled
from small_gateway import folder, gateway, models
from temper.chaos.orders import Orders
from temper.core.gameday import GameDay
from temper.core.requirement import Verdict
from temper.core.review import Case, Role, Ruling, State
from temper.engine.drill import gameday, team
from temper.engine.drill.reviewing import Queue, reviewed
from temper.engine.drill.terms import Load
from temper.gateway.tables.alarms import QUIET
from temper.gateway.tables.build import Gateway
from temper.report.gameday import render
from unit.test_drill_outcome import facts, outcome, played
from unit.test_incidents import Clock, alarms, told

__all__ = ["folder", "gateway", "models"]
BLOCK = Ruling.BLOCK


def case(created: float, closed: float | None, state: State = State.CLOSED, **changes: Any) -> Case:
    """One that is due 2 s after it came."""
    usual: dict[str, Any] = {
        "id": 1, "request": "r", "payload": {}, "state": state, "priority": 0, "due": created + 2.0, "eyes": 1,
        "round": 1, "level": Role.ANALYST, "owner": None, "lease": 0.0, "version": 1, "created": created,
        "outcome": BLOCK, "closed": closed, "overdue": BLOCK,
    }  # fmt: skip
    return Case(**{**usual, **changes})


CASES = [
    case(101.0, 101.5),
    case(104.0, 104.9),
    case(105.5, 108.0, State.EXPIRED),  # nobody came from 105 to 110
    case(106.5, 109.5, State.EXPIRED),
    case(109.5, 110.75),
    case(112.0, 112.5),
]


def test_cases_are_counted_by_when_they_came() -> None:
    found = reviewed(CASES, 105.0, 110.0, [90.0, 108.5, 109.0], 120.0)
    counted = [(one.count, one.n) for one in (found.before, found.meanwhile, found.after)]
    assert counted == [(2, 2), (1, 3), (1, 1)]
    assert (found.lapsed, found.lying, found.noticed, found.worked_off) == (2, 0, 3.5, 0.75)
    assert found.reasons(0.99) == []
    assert "1 of 3 meanwhile" in found.lines()[0]


def judged(cases: list[Case], told: list[float]) -> list[tuple[Verdict, str]]:
    return reviewed(cases, 105.0, 110.0, told, 120.0).reasons(0.99)


def test_what_must_not_be_is_said() -> None:
    (silent,) = judged(CASES, [90.0])
    assert silent == (Verdict.FAIL, "no incident told that cases are not decided in time")
    left = [*CASES, replace(CASES[2], state=State.OPEN, closed=None, outcome=None)]
    assert {words for _, words in judged(left, [108.0])} == {
        "1 cases that were due were left lying",
        "the backlog was not worked off",
    }
    otherwise = [*CASES, replace(CASES[2], outcome=Ruling.ALLOW)]
    assert judged(otherwise, [108.0])[0][0] is Verdict.FAIL, "the policy says block"
    late = [*CASES, replace(CASES[2], closed=112.6)]
    assert judged(late, [108.0])[0][0] is Verdict.FAIL, "the clock looked four seconds too late"
    assert [one.name for one, _ in judged(CASES[:2], [])] == ["INCONCLUSIVE"], "no case ran out"
    unsteady = [case(101.0, 103.5, State.EXPIRED), *CASES]
    assert "no steady state of the queue: 2 of 3" in judged(unsteady, [108.0])[0][1]


def test_the_verdict_of_a_drill_hears_of_its_cases() -> None:
    good = reviewed(CASES, 105.0, 110.0, [108.5], 120.0)
    passed = outcome(played(), facts(turns={}, reviewed=good))
    assert (passed.verdict, passed.detected, passed.figures()["lapsed"]) == (Verdict.PASS, 3.5, 2)
    silent = outcome(played(), facts(turns={}, reviewed=replace(good, noticed=None)))
    assert (silent.verdict, silent.detected) == (Verdict.FAIL, None)
    unsteady = reviewed([case(101.0, 103.5, State.EXPIRED), *CASES], 105.0, 110.0, [], 120.0)
    assert outcome(played(), facts(turns={}, reviewed=unsteady)).verdict is Verdict.INCONCLUSIVE


def test_the_report_of_a_day_says_what_became_of_cases() -> None:
    good = reviewed(CASES, 105.0, 110.0, [108.5], 120.0)
    found = gameday.rehearsal(outcome(played(), facts(turns={}, reviewed=good)), "the reviewers do not come")
    assert ("incident about cases", 8.5) in found.marks
    page = render(GameDay(system="x", started=0.0, slo=0.99, rehearsals=(found,)))
    assert "1 of 3 meanwhile" in page
    assert "after 3.5 s an incident told of it; the backlog was worked off 0.8 s after it" in page


def test_a_queue_is_the_policys_or_what_is_nearest_to_the_threshold() -> None:
    scores = np.linspace(0.0, 1.0, 1_001)
    assert Queue.of(Load(), scores, 0.5, [0.4, 0.6]).zone == (0.4, 0.6)
    own = Queue.of(Load(rate=100.0, seconds=60.0), scores, 0.5, None)
    assert own.zone == pytest.approx((0.475, 0.525), abs=0.002)
    assert own.pace == pytest.approx(12.0, abs=0.2), "twice as fast as cases come"
    assert (own.due, Queue.of(Load(seconds=8.0), scores, 0.5, None).due) == (6.0, 1.0)


def test_simulated_people_decide_unless_they_are_absent(place: str, tmp_path: Path) -> None:
    control, orders, now = peopled(place), Orders(path=tmp_path / "orders"), time.time()
    team.joined(control)
    team.joined(control)
    orders.write(until=time.monotonic() + 60.0, absent=1.0)
    for number in range(3):
        control.reviews.enqueue(f"r{number}", {"score": 0.5}, now, eyes=2 if number == 0 else 1)

    def working() -> None:
        with suppress(Exception):  # the store is closed under it in the end
            team.work(control, orders, 100.0)

    threading.Thread(target=working, daemon=True).start()
    time.sleep(0.3)
    assert control.reviews.waiting(0.0)[0] == 3
    orders.clear()
    end = time.monotonic() + 20.0
    while control.reviews.waiting(0.0)[0] and time.monotonic() < end:
        time.sleep(0.02)
    assert control.reviews.counts()[State.CLOSED] == 3, "the one with four eyes too"
    assert control.audit.verify() == []
    control.close()


def test_cases_that_the_clock_decides_open_one_incident_with_its_playbook(gateway: Gateway) -> None:
    clock, reviews = Clock(), gateway.control.reviews
    seen = alarms(gateway, clock)
    seen.incidents()
    assert told(gateway) == []
    for number in range(2):
        reviews.enqueue(f"r{number}", {"score": 0.5}, 1.0, due=2.0)
    gateway.tending._overdue()
    for _ in range(5):
        seen.incidents()
        clock.now += 1.0
    assert told(gateway) == [("reviews", ["cases that nobody decided in time, by now: 2"])]
    (one,) = gateway.control.incidents.page()
    assert gateway.control.incidents.get(one.id).playbook == "reviews-overdue"
    clock.now += QUIET
    seen.incidents()
    assert told(gateway)[0][1][1].startswith("over after")
