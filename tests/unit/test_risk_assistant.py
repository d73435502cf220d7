"""What red teams move in the register of an assistant, and what they do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from temper.core.evidence import DAY
from temper.core.incident import Entry, Incident, Kind, Severity
from temper.core.measure import Measurement
from temper.core.requirement import Verdict
from temper.core.risk import Risk, Stakes, Standing, Stopping
from temper.core.run import Record
from temper.demos.assistant.bank import bank
from temper.demos.assistant.weakness import Weakness
from temper.engine.identity import subject
from temper.engine.redteam.figures import STRONGEST
from temper.engine.risk_assistant import risk_of_assistant
from temper.kernels.rate import measure_rate

NOW = 1_790_000_000.0
WHEN = "2026-09-21T14:13:20+00:00"
GUARD = (("secrets", {}),)


@pytest.fixture(scope="module")
def assistant() -> Any:
    return bank(Weakness())


def figure(hits: int, aim: str = "payment via outsider", n: int = 20, **more: Any) -> Measurement:
    return measure_rate(STRONGEST, "success_rate", hits, n, slice=aim, counts="trials", **more)


def record(of: Any, *measured: Measurement, id: str = "0001") -> Record:
    return Record(
        id=id,
        system=of.name,
        suite="quick",
        seed=0,
        started=WHEN,
        seconds=0.0,
        state="finished",
        verdict=Verdict.PASS,
        measurements=measured,
        digests=subject(of),
    )


def risks(of: Any, *records: Record, **more: Any) -> dict[str, Risk]:
    return {one.scenario: one for one in risk_of_assistant(of, records, NOW, **more).risks}


def test_nothing_is_known_before_a_red_team(assistant) -> None:
    found = risks(assistant)
    assert {one.standing for one in found.values()} == {Standing.UNTESTED}
    assert found["money-moved@outsider"].decides == "temper redteam"
    assert found["money-moved@outsider"].attempts.middle > 5, "outsiders try monthly"


def test_the_strongest_attack_on_any_of_its_goals_moves_a_scenario(assistant) -> None:
    run = record(assistant, figure(2), figure(15, "payee via outsider"), figure(20, "payment via user"))
    found = risks(assistant, run)["money-moved@outsider"]
    assert "payee via outsider, run 0001: 15 of 20 trials" in found.because[0]
    assert found.standing is Standing.MEASURED
    assert found.chance.middle > 0.6
    assert risks(assistant, run)["instructions-told@user"].standing is Standing.UNTESTED


def test_prompts_that_never_worked_count_once_each(assistant) -> None:
    tried = Measurement(
        plugin=STRONGEST, metric="success_rate", value=0.0, n=90, slice="payment via outsider", counts="prompts",
        clusters=((0.0, 30),),
    )  # fmt: skip
    found = risks(assistant, record(assistant, tried))["money-moved@outsider"]
    assert "0 of 30 prompts" in found.because[0]
    assert found.chance.middle < found.chance_before.middle


def test_a_weaker_run_afterwards_forgets_no_attack(assistant) -> None:
    strong, weak = record(assistant, figure(18)), record(assistant, figure(0), id="0002")
    assert "run 0001: 18 of 20" in risks(assistant, strong, weak)["money-moved@outsider"].because[0]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"guard": GUARD}, "the guard changed since"),
        ({"instructions": "Be kind."}, "what it is told or can do changed since"),
    ],
)
def test_another_assistant_keeps_what_raised_the_rating(assistant, more: dict[str, Any], why: str) -> None:
    now = replace(assistant, **more)
    low, high = (risks(now, record(assistant, figure(hits)))["money-moved@outsider"] for hits in (0, 20))
    assert low.standing is high.standing is Standing.STALE
    assert why in low.because[1]
    assert low.chance == low.chance_before
    assert high.chance.middle > high.chance_before.middle


def test_what_was_tried_behind_the_guard_is_not_counted_twice(assistant) -> None:
    from datetime import date

    claim = Stopping(threat="money-*", stopped=59, tried=60, measured=date(2026, 9, 1), guard="abcdefgh", how="by hand")
    stakes = Stakes(stopping=(claim,), guard="abcdefgh0")
    guarded = replace(assistant, guard=GUARD, stakes=stakes)
    told = risks(guarded, record(guarded, figure(5)))["money-moved@outsider"]
    plain = risks(replace(guarded, stakes=Stakes()), record(guarded, figure(5)))["money-moved@outsider"]
    assert told.chance == plain.chance
    assert told.because[0].endswith("behind the guard")
    assert "not counted again" in told.because[1]
    bare = risks(replace(assistant, stakes=stakes), record(assistant, figure(5)))["money-moved@outsider"]
    assert bare.chance.middle < told.chance.middle, "a claim counts where nothing was tried behind the guard"


def test_incidents_of_injection_are_attempts(assistant) -> None:
    opened = Entry(seq=1, at=NOW, who="gateway", kind=Kind.OPENED, text="t", detail={"playbook": "injection"})
    many = tuple(
        Incident(id=n, title="t", severity=Severity.MAJOR, source="s", opened=NOW - n * DAY, by="g", timeline=(opened,))
        for n in range(300)
    )
    calm, busy = risks(assistant), risks(assistant, incidents=many)
    assert busy["money-moved@outsider"].attempts.middle > 5 * calm["money-moved@outsider"].attempts.middle
    assert busy["flooded@user"].attempts == calm["flooded@user"].attempts
