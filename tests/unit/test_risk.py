"""The risk register: what moves a rating and what must not, acceptances, guards, sightings, and what runs know."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from rich.console import Console

from temper import api
from temper.config.reading import parse
from temper.config.risk import guard_digest, stakes_of
from temper.core.budget import Budget
from temper.core.errors import ConfigError, TemperError
from temper.core.evidence import DAY, Present, Triggers
from temper.core.finding import Finding
from temper.core.incident import Entry, Incident, Severity
from temper.core.incident import Kind as Line_
from temper.core.measure import Measurement, Status
from temper.core.requirement import Verdict
from temper.core.risk import (
    LOSSES,
    Acceptance,
    Ceiling,
    Known,
    Line,
    Range,
    Register,
    Sightings,
    Stakes,
    Standing,
    Stopping,
    Trials,
)
from temper.core.run import Record
from temper.core.target import Access
from temper.core.threat import Actor, Scenario, Threat
from temper.engine.risk import risk_of
from temper.kernels.rate import measure_rate
from temper.report.risk import amount, section, sentences, show_register
from temper.report.risk_charts import drawn
from temper.store.codec import dump, load
from temper.threats.register import register

TODAY = date(2026, 11, 1)
NOW = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
FRAUDSTER = Actor(name="fraudster", queries=200, cost=2.0)
INSIDER = Actor(name="insider", knowledge="white-box", queries=200, cost=2.0)
NOBODY = Actor(name="nobody", knowledge="none", queries=0)
BUDGET = Budget(queries=200, cost=2.0, norm="cost")
STAKES = Stakes(
    unit="EUR",
    appetite=50_000.0,
    attempts=Range(low=20, likely=60, high=200),
    loss=Range(low=200, likely=900, high=5_000),
    lines=(Line(threat="evasion-scores", success=0.5),),
)


def scenario(id: str = "evasion-scores", actor: Actor = FRAUDSTER, plugins: tuple[str, ...] = ("evasion.square",)):
    budget = BUDGET if actor is not NOBODY else Budget()
    goal = "reliability" if actor is NOBODY else "integrity"
    threat = Threat(id=id, title=id, goal=goal, asset="decision", access=Access.SCORES, plugins=plugins)
    return Scenario(threat=threat, actor=actor, budget=budget, rating="high")


def trials(successes: float, failures: float, unknown: float = 0.0, **more: object) -> Trials:
    usual: dict[str, object] = {"plugin": "evasion.square", "run": "0001", "age": 0.0}
    return Trials(successes=successes, failures=failures, unknown=unknown, **(usual | more))  # type: ignore[arg-type]


def one(known: Known, stakes: Stakes = STAKES, today: date = TODAY):
    return register([scenario()], stakes, {scenario().id: known}, today).risks[0]


def test_the_worked_scenario_before_after_and_hardened() -> None:
    untested, broken, hardened = (one(Known(trials=t)) for t in (None, trials(37, 163), trials(6, 194)))
    assert [risk.standing for risk in (untested, broken, hardened)] == [Standing.UNTESTED, *[Standing.MEASURED] * 2]
    assert broken.chance.middle == pytest.approx(0.191, abs=1e-3)
    assert (broken.chance.low, broken.chance.high) == pytest.approx((0.140, 0.248), abs=2e-3)
    assert (hardened.chance.low, hardened.chance.high) == pytest.approx((0.017, 0.070), abs=2e-3)
    middles = [risk.annual.middle for risk in (untested, broken, hardened)]
    assert middles == pytest.approx([41_000, 17_300, 3_400], rel=0.05)
    assert [risk.annual.p90 for risk in (untested, broken, hardened)] == pytest.approx([122e3, 43e3, 9e3], rel=0.05)
    assert [risk.rating for risk in (untested, broken, hardened)] == ["critical", "high", "medium"]
    assert broken.annual_before == untested.annual


def test_silence_without_power_leaves_the_rating() -> None:
    risk = one(Known(trials=trials(0, 0, 200, doubt="random moves broke more rows")))
    assert risk.standing is Standing.INCONCLUSIVE
    assert risk.chance == risk.chance_before
    assert risk.annual == risk.annual_before
    assert "random moves broke more rows" in risk.because[1]
    assert "checks of its own power" in risk.decides


def test_what_a_weak_attack_broke_is_broken() -> None:
    raised = one(Known(trials=trials(150, 0, 50, doubt="masked gradients")))
    assert raised.standing is Standing.INCONCLUSIVE
    assert raised.chance.middle > raised.chance_before.middle + 0.2


def test_stale_evidence_keeps_what_it_raised_and_loses_what_it_lowered() -> None:
    low, high = (one(Known(trials=trials(k, 200 - k, stale="another model answers"))) for k in (6, 190))
    assert low.standing is high.standing is Standing.STALE
    assert low.chance.middle >= low.chance_before.middle
    assert high.chance.middle > 0.9
    assert "another model answers" in low.because[1]
    assert low.decides == "temper assess --only evasion.square"


def test_evidence_counts_half_after_its_half_life() -> None:
    fresh, old, ancient = (one(Known(trials=trials(6, 194, age=days * DAY))) for days in (0, 90, 9_000))
    assert old.chance.middle == pytest.approx((2 + 3) / (4 + 100), abs=2e-3)
    assert fresh.chance.middle < old.chance.middle < ancient.chance.middle == pytest.approx(0.5, abs=1e-3)


def test_relevance_weighs_what_was_measured() -> None:
    at = [
        one(Known(trials=trials(6, 194)), replace(STAKES, lines=(*STAKES.lines, Line(relevance=w))))
        for w in (1, 0.1, 0)
    ]
    assert at[0].chance.middle < at[1].chance.middle < at[2].chance.middle
    assert at[2].chance == at[2].chance_before


def test_a_certificate_bounds_from_above_and_one_of_nothing_does_not() -> None:
    bounded = one(Known(ceiling=Ceiling(possible=4, n=200, run="0001")))
    assert bounded.standing is Standing.MEASURED
    assert bounded.chance.high < 0.06
    idle = one(Known(ceiling=Ceiling(possible=200, n=200, run="0001")))
    assert idle.standing is Standing.UNTESTED
    assert idle.chance == idle.chance_before


def stopping(**more: object) -> Stopping:
    usual = {"threat": "evasion-*", "stopped": 45, "tried": 60, "measured": date(2026, 10, 1), "guard": "abcdef01"}
    return Stopping(**(usual | {"how": "a red team that knew it"} | more))  # type: ignore[arg-type]


def test_a_guard_counts_by_what_it_stopped_of_those_who_knew_it() -> None:
    known = Known(trials=trials(100, 100))
    bare = one(known).chance.middle
    guarded = one(known, replace(STAKES, guard="abcdef0123", stopping=(stopping(),)))
    assert guarded.chance.middle == pytest.approx(bare * (1 - 45 / 61), rel=0.05)
    nothing = one(known, replace(STAKES, guard="abcdef0123", stopping=(stopping(stopped=0),)))
    assert nothing.chance.middle == pytest.approx(bare)


@pytest.mark.parametrize(
    ("stakes", "why"),
    [
        (replace(STAKES, guard="99999999", stopping=(stopping(),)), "configured otherwise"),
        (replace(STAKES, guard="", stopping=(stopping(),)), "none now"),
        (replace(STAKES, guard="abcdef01", stopping=(stopping(measured=date(2026, 1, 1)),)), "half-life"),
    ],
)
def test_a_guard_that_is_another_now_counts_for_nothing(stakes: Stakes, why: str) -> None:
    known = Known(trials=trials(100, 100))
    risk = one(known, stakes)
    assert risk.chance == one(known).chance
    assert why in risk.because[-1]


def test_sightings_raise_attempts_and_never_lower_them() -> None:
    calm, busy = (one(Known(sightings=Sightings(events=n, years=0.25, what="incidents"))) for n in (1, 100))
    assert calm.attempts == one(Known()).attempts
    assert busy.attempts.middle > 350
    assert "seen in service: 100" in busy.because[-1]


def test_an_acceptance_stops_working_when_it_lapses() -> None:
    stakes = replace(
        STAKES, accepted=(Acceptance(threat="evasion-*", by="Head of Risk", reason="old cards", until=TODAY),)
    )
    held, lapsed = one(Known(), stakes), one(Known(), stakes, date(2026, 11, 2))
    assert "Head of Risk until 2026-11-01: old cards" in held.accepted
    assert not held.lapsed
    assert not lapsed.accepted
    assert "lapsed on 2026-11-01" in lapsed.lapsed
    found = register([scenario()], stakes, {}, date(2026, 11, 2))
    assert "1 of 1 risks may each cost more" in sentences(found)[1]
    assert "lapsed" in found.notes[0]


def accepting(threat: str) -> Stakes:
    return replace(STAKES, accepted=(Acceptance(threat=threat, by="a", reason="b", until=TODAY),))


@pytest.mark.parametrize("line", ["evasoin-*", "evasion-trees-bound"])
def test_a_line_that_names_no_risk_there_is_is_refused(line: str) -> None:
    with pytest.raises(ConfigError, match="names no threat"):
        register([scenario()], accepting(line), {}, TODAY)


def test_a_line_that_names_nothing_here_is_said() -> None:
    found = register([scenario()], accepting("membership"), {}, TODAY)
    assert found.notes == ("risk: 'membership' by '*' names no scenario of this system",)


def test_a_certificate_is_no_risk_and_no_scenario_is_an_empty_register() -> None:
    assert register([scenario("evasion-trees-bound")], Stakes(), {}, TODAY).risks == ()
    assert section(register([], Stakes(), {}, TODAY)) is None


def test_bands_where_nobody_said_what_is_at_stake() -> None:
    found = register([scenario(), scenario("bad-data", NOBODY, ("stress.missing",))], Stakes(), {}, TODAY)
    by = {risk.scenario: risk for risk in found.risks}
    assert by["evasion-scores@fraudster"].assumed == ("attempts", "loss")
    assert by["evasion-scores@fraudster"].attempts.middle > by["bad-data@nobody"].attempts.middle
    assert found.unit == "loss units"
    assert "not money" in found.notes[-1]


def test_another_scenario_changes_nobodys_numbers() -> None:
    alone = register([scenario()], STAKES, {}, TODAY).risks[0]
    beside = register([scenario("membership", INSIDER, ("inversion.membership",)), scenario()], STAKES, {}, TODAY).risks
    assert alone in beside


def two() -> Register:
    known = {scenario().id: Known(trials=trials(37, 163))}
    return register([scenario(), scenario("bad-data", NOBODY, ("stress.missing",))], STAKES, known, TODAY)


def test_a_register_comes_back_from_the_store() -> None:
    assert load(Register, dump(two())) == two()


def test_swings_go_both_ways_and_losses_are_exceeded_less_and_less() -> None:
    found = two()
    assert all(swing.low <= 0 <= swing.high for swing in found.swings)
    for curve in found.exceedance:
        values = [point.value for point in curve.points]
        assert values == sorted(values, reverse=True)
        assert values[0] > 0.9
        assert values[-1] < 0.01


def test_three_charts_and_a_table_of_all() -> None:
    shown = section(two())
    assert shown is not None
    assert len(shown["lines"]) == 2
    assert [chart.title.split(":")[0] for chart in shown["charts"]] == ["Risk matrix", "Loss exceedance", "Tornado"]
    assert drawn(register([], Stakes(), {}, TODAY)) == ()
    assert amount(41_234.0) == "41,200"


def test_a_narrow_terminal_holds_a_register() -> None:
    kept = io.StringIO()
    show_register(two(), Console(file=kept, width=80))
    told = kept.getvalue()
    assert max(map(len, told.splitlines())) <= 80
    assert all(one.scenario in told for one in two().risks), "no name is cut in two"
    assert "next, for the largest that is open: temper assess --only" in " ".join(told.split())


# -- what runs know ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def system():
    x = np.random.default_rng(0).normal(size=(60, 2))
    y = (x[:, 0] > 0).astype(int)
    made = api.System(
        model=lambda rows: np.column_stack([rows[:, 0] < 0, rows[:, 0] >= 0]) * 1.0, data=(x, y), name="s"
    )
    return replace(made, actors=(FRAUDSTER, INSIDER))


SCENES = (
    scenario(),
    scenario(actor=INSIDER),
    scenario("extraction-queries", plugins=("validation.access_profile", "extraction.surrogate")),
    scenario("bad-data", NOBODY, ("stress.missing", "stress.stale", "stress.noise")),
)


def record(*measured: Measurement, id: str = "0001", found: tuple[Finding, ...] = (), **digests: str) -> Record:
    return Record(
        id=id,
        system="s",
        suite="quick",
        seed=0,
        started=datetime.fromtimestamp(NOW - DAY * (2 - int(id)), UTC).isoformat(),
        seconds=1.0,
        state="finished",
        verdict=Verdict.PASS,
        measurements=measured,
        findings=found,
        digests=tuple(({"model": "m", "attacks": "a"} | digests).items()),
    )


def finding(plugin: str) -> Finding:
    return Finding(id=f"F-{plugin}", title="t", plugin=plugin, metric="m", severity="high")


def known(system, *records: Record, incidents=(), **now: str):
    present = Present(now=NOW, **({"model": "m", "attacks": "a"} | now))
    found = risk_of(system, records, present, Triggers(), incidents, only=SCENES)
    return {risk.scenario: risk for risk in found.risks}


def broken(count: int, slice: str = "actor:fraudster", **more: object) -> Measurement:
    return measure_rate("evasion.square", "success_rate", count, 100, slice=slice, **more)


def test_a_rate_counts_for_everybody_with_the_same_budget(system) -> None:
    found = known(system, record(broken(60)))
    assert found["evasion-scores@insider"].chance.middle == pytest.approx((1.5 + 60) / 104, abs=0.02)
    assert "60 of 100 rows" in found["evasion-scores@fraudster"].because[0]
    assert found["extraction-queries@fraudster"].standing is Standing.UNTESTED


def test_a_certificate_of_the_ball_is_found(system) -> None:
    bound = measure_rate("evasion.bound", "possible_success", 3, 100, slice="all")
    assert known(system, record(broken(0), bound))["evasion-scores@fraudster"].because[1].startswith("proven, run 0001")


def test_an_attack_that_failed_its_power_check_is_inconclusive(system) -> None:
    weak = broken(0, status=Status.INCONCLUSIVE, reason="the twin stood")
    risk = known(system, record(weak))["evasion-scores@fraudster"]
    assert risk.standing is Standing.INCONCLUSIVE
    assert risk.chance == risk.chance_before


def test_a_campaign_is_one_attempt_and_a_check_is_none(system) -> None:
    profile = Measurement(plugin="access_profile", metric="batch_gap", value=0.0, n=16)
    copied = Measurement(plugin="extraction.surrogate", metric="f1", value=0.9, n=100)
    stolen = known(system, record(profile, copied, found=(finding("extraction.surrogate"),)))
    assert "1 of 1 campaigns" in stolen["extraction-queries@fraudster"].because[0]
    assert known(system, record(profile))["extraction-queries@fraudster"].standing is Standing.UNTESTED
    safe = known(system, record(copied))["extraction-queries@fraudster"]
    assert "0 of 1 campaigns" in safe.because[0]
    assert safe.chance.middle < safe.chance_before.middle


def test_campaigns_of_other_seeds_are_attempts_of_their_own(system) -> None:
    copied = Measurement(plugin="extraction.surrogate", metric="f1", value=0.9, n=100)
    stolen = (finding("extraction.surrogate"),)
    first, again = record(copied, found=stolen), record(copied, id="0002", found=stolen)
    seeds = [replace(record(copied, id=f"000{n}"), seed=n) for n in (1, 2)]
    name = "extraction-queries@fraudster"
    one, same = known(system, first)[name], known(system, first, again)[name]
    assert "1 of 1 campaigns" in same.because[0], "the same seed draws the same numbers"
    three = known(system, first, *seeds)[name]
    assert "runs" not in three.because[0]
    assert "run 0002, 0001, 0001: 1 of 3 campaigns" in three.because[0]
    assert three.chance.middle < one.chance.middle
    other = [replace(one, digests=(("model", "older"), ("attacks", "a"))) for one in seeds]
    assert "1 of 1 campaigns" in known(system, *other, first)[name].because[0], "of another model"


def test_people_who_stand_alone_are_counted_as_people(system) -> None:
    scene = scenario("standing-alone", plugins=("validation.privacy",))
    alone = measure_rate("privacy", "singled_out", 9, 300)
    present = Present(now=NOW, model="m", attacks="a")
    (risk,) = risk_of(system, [record(alone)], present, Triggers(), only=(scene,)).risks
    assert "9 of 300 people in the training rows" in risk.because[0]
    assert risk.chance.middle == pytest.approx((1.5 + 9) / 304, abs=0.02)


def test_every_kind_of_accident_counts(system) -> None:
    figures = [Measurement(plugin=f"stress.{name}", metric="loss", value=0.1, n=9) for name in ("missing", "stale")]
    doubted = Measurement(
        plugin="stress.noise", metric="loss", value=None, status=Status.INCONCLUSIVE, reason="few rows"
    )
    risk = known(system, record(*figures, doubted, found=(finding("stress.stale"),)))["bad-data@nobody"]
    assert "1 of 3 kinds of accident, 1 of them not known" in risk.because[0]
    assert risk.standing is Standing.MEASURED


@pytest.mark.parametrize(
    ("now", "was", "why"),
    [
        ({"model": "other"}, {}, "other answers"),
        ({"attacks": "newer"}, {}, "attacks or threats"),
        ({}, {"held-out data": "other"}, "another held-out data"),
        ({}, {"schema": "other"}, "another schema"),
    ],
)
def test_evidence_of_something_else_is_stale(system, now: dict[str, str], was: dict[str, str], why: str) -> None:
    risk = known(system, record(broken(2), **was), **now)["evasion-scores@fraudster"]
    assert risk.standing is Standing.STALE
    assert why in risk.because[1]
    assert risk.chance.middle >= risk.chance_before.middle


def test_the_latest_run_of_the_model_that_answers_counts(system) -> None:
    first, second = record(broken(60)), record(broken(5), id="0002", model="hardened")
    was = known(system, first, second)["evasion-scores@fraudster"]
    now = known(system, first, second, model="hardened")["evasion-scores@fraudster"]
    assert was.because[0].startswith("evasion.square, run 0001: 60")
    assert now.because[0].startswith("evasion.square, run 0002: 5")
    assert now.standing is Standing.MEASURED
    assert now.chance.middle < was.chance.middle


def test_incidents_are_attempts(system) -> None:
    opened = Entry(seq=1, at=NOW, who="gateway", kind=Line_.OPENED, text="t", detail={"playbook": "evasion"})
    many = [
        Incident(id=n, title="t", severity=Severity.MAJOR, source="s", opened=NOW - n * DAY, by="g", timeline=(opened,))
        for n in range(60)
    ]
    calm, busy = known(system), known(system, incidents=many)
    name = "evasion-scores@fraudster"
    assert busy[name].attempts.middle > 5 * calm[name].attempts.middle
    assert busy["bad-data@nobody"].attempts == calm["bad-data@nobody"].attempts


# -- temper.yaml ------------------------------------------------------------------------------------------------------

WHOLE = """
risk:
  unit: EUR
  appetite: 50000
  half_life: 30d
  attempts: [20, 60, 200]
  loss: [200, 900, 5000]
  scenarios:
    - {threat: "extraction-*", attempts: yearly, loss: [2e4, 6e4, 4e5], success: 0.3, relevance: 0.5}
  accepted:
    - {threat: membership, by: Head of Risk, reason: public data, until: 2027-06-30}
  guard:
    - {threat: "evasion-*", stopped: 45, tried: 60, measured: 2026-10-01, guard: GUARD, how: red team}
guard: {profile: p.npz}
"""


def stakes(text: str) -> Stakes:
    return stakes_of(parse(text, "temper.yaml"))


def test_everything_that_is_written_arrives() -> None:
    digest = guard_digest(parse(WHOLE, "temper.yaml"))
    found = stakes(WHOLE.replace("GUARD", digest[:8]))
    assert (found.unit, found.appetite, found.half_life) == ("EUR", 50_000.0, 30 * DAY)
    assert found.lines[0].loss == Range(low=2e4, likely=6e4, high=4e5)
    assert found.lines[0].attempts is not None
    assert found.accepted[0].until == date(2027, 6, 30)
    assert found.guard == digest
    assert stakes("risk: {loss: major}").loss == LOSSES["major"]
    assert stakes("model: {path: m}") == Stakes()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("unit: EUR", "unit: EUR\n  apetite: 3", "appetite"),
        ("  loss: [200, 900, 5000]\n", "", "needs `loss:`"),
        ("loss: [200, 900, 5000]", "loss: major", "no amount of money"),
        ("attempts: [20, 60, 200]", "attempts: [20, 60]", "2 numbers"),
        ("attempts: [20, 60, 200]", "attempts: [60, 20, 200]", "does not rise"),
        ("attempts: [20, 60, 200]", "attempts: montly", "monthly"),
        ("success: 0.3", "success: 1", "belief"),
        ("relevance: 0.5", "relevance: 2", "relevance"),
        ("stopped: 45", "stopped: 61", "61 of 60"),
        ("guard: GUARD", "guard: ab", "say which guard"),
        ("appetite: 50000", "appetite: 0", "above 0"),
        ("by: Head of Risk, ", "", "by is missing"),
        ("until: 2027-06-30", "until: soon", "a date"),
    ],
)
def test_a_mistake_is_answered_with_its_line(old: str, new: str, says: str) -> None:
    with pytest.raises(TemperError, match=says) as refused:
        stakes(WHOLE.replace(old, new))
    assert "temper.yaml:" in str(refused.value) or says in str(refused.value)
