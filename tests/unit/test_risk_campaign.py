"""What campaigns do to the risk register: what succeeded raises it, and only what was tried in full lowers it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from temper import api
from temper.core.budget import Budget
from temper.core.evidence import DAY, Present, Triggers, part_of
from temper.core.measure import Measurement, Status
from temper.core.outline import outlined
from temper.core.requirement import Verdict
from temper.core.risk import Range, Standing, Stopping
from temper.core.run import Record
from temper.core.target import Access
from temper.core.threat import Actor, Scenario, Threat
from temper.core.waged import Came, Means, Waged
from temper.engine.risk import risk_of
from temper.kernels.rate import measure_rate
from temper.monitoring.evidence import evidence

NOW = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
FRAUDSTER = Actor(name="fraudster", queries=40, cost=2.0)
INSIDER = Actor(name="insider", knowledge="white-box", queries=40, cost=2.0)
GUARD = "f" * 64


def scenario(id: str, plugins: tuple[str, ...], actor: Actor = FRAUDSTER, access: Access = Access.SCORES) -> Scenario:
    threat = Threat(id=id, title=id, goal="integrity", asset="decision", access=access, plugins=plugins)
    return Scenario(threat=threat, actor=actor, budget=Budget(queries=40, cost=2.0, norm="cost"), rating="high")


EVASION = scenario("evasion-fields", ("evasion.coordinate",))
SCENES = (
    EVASION,
    scenario("evasion-fields", ("evasion.coordinate",), INSIDER),
    scenario("evasion-trees", ("evasion.tree_ascent",), access=Access.TREES),
    scenario("extraction-queries", ("extraction.surrogate",)),
    scenario("extraction-mark", ("validation.watermark",)),
    scenario("membership", ("inversion.membership",)),
)


@pytest.fixture(scope="module")
def system():
    x = np.random.default_rng(0).normal(size=(60, 2))
    y = (x[:, 0] > 0).astype(int)
    made = api.System(model=lambda rows: np.column_stack([rows[:, 0] < 0, rows[:, 0] >= 0]) * 1.0, data=(x, y))
    return replace(made, actors=(FRAUDSTER, INSIDER), stakes=replace(made.stakes, guard=GUARD))


def campaign(
    passed: int, undecided: int = 0, *, aim: str = "move", weak: str = "", id: str = "0001", days: float = 1, **more
) -> Record:
    """One campaign over fifty rows, or three where nothing is moved."""
    doubt = {"status": Status.INCONCLUSIVE, "reason": weak} if weak else {}
    n = 50 if aim == "move" else 3
    figures = [measure_rate("campaign", "reached", 0, 1, slice=aim, counts="campaigns", **doubt)]
    figures += [measure_rate("campaign", "passed", passed, n, undecided=undecided, slice=aim)]
    if aim != "move":
        figures = [measure_rate("campaign", "reached", passed, n, slice=aim, counts="campaigns", **doubt)]
    figures.append(measure_rate("campaign", "detected", 2, 9, counts="turns"))
    given = {"means": Means(knowledge="black-box", queries=2_000, wanted=50, change=2.0), "guarded": True}
    digests = {"model": "m", "attacks": "a", "guard": GUARD} | more.pop("digests", {})
    state = more.pop("state", "finished")
    waged = Waged(
        attacker="", rules="", target="", turns=(), queries=1_234, cost=31.5, seconds=9.0, ended="",
        objectives=(Came(aim=aim, words=f"{aim} it", goal=1.0, value=0.0, reached=False),), **(given | more),
    )  # fmt: skip
    return record(*figures, id=id, days=days, state=state, campaign=waged, digests=tuple(digests.items()))


def record(*measured: Measurement, id: str = "0001", days: float = 1, **more: object) -> Record:
    usual: dict[str, object] = {"state": "finished", "digests": (("model", "m"), ("attacks", "a")), "seed": int(id)}
    started = datetime.fromtimestamp(NOW - days * DAY, UTC).isoformat()
    fixed = {"id": id, "system": "s", "suite": "quick", "started": started, "seconds": 1.0, "verdict": Verdict.PASS}
    return Record(measurements=measured, **(fixed | usual | more))  # type: ignore[arg-type]


def bare(count: int, id: str = "0002", **more: object) -> Record:
    return record(
        measure_rate("evasion.coordinate", "success_rate", count, 100, slice="actor:fraudster"), id=id, **more
    )


def risks(system, *records: Record, only: tuple[Scenario, ...] = SCENES):
    present = Present(now=NOW, model="m", attacks="a")
    return {risk.scenario: risk for risk in risk_of(system, records, present, Triggers(), only=only).risks}


def risk(system, *records: Record):
    return risks(system, *records, only=(EVASION,))[EVASION.id]


def test_rows_that_got_through_are_the_residual_success(system) -> None:
    found = risk(system, campaign(5))
    assert found.standing is Standing.MEASURED
    assert found.chance.middle == pytest.approx((1.5 + 5) / 54, abs=0.02)
    said = found.because[0]
    assert "run 0001: 5 of 50 rows, behind the guard" in said
    for words in ("10 %, 4.3 % to 21.4 %", "black-box, 1,234 queries and 31.5 for changes", "seen in 2 of 9 turns"):
        assert words in said
    sure = replace(
        system,
        stakes=replace(system.stakes, attempts=Range(low=9, likely=9, high=9), loss=Range(low=5, likely=5, high=5)),
    )
    assert "200 rows to get past" in risk(sure, campaign(5)).decides


def test_it_speaks_of_what_it_sought_and_of_nothing_else(system) -> None:
    found = risks(system, campaign(5), campaign(0, aim="steal", id="0002"))
    assert found["extraction-queries@fraudster"].standing is Standing.MEASURED
    assert "0 of 3 campaigns" in found["extraction-queries@fraudster"].because[0]
    for other in ("evasion-trees@fraudster", "extraction-mark@fraudster", "membership@fraudster"):
        assert found[other].standing is Standing.UNTESTED


@pytest.mark.parametrize(
    "told",
    [
        campaign(0, weak="too weak to tell"),
        campaign(0, undecided=50),
        campaign(0, state="stopped", undecided=50),
        campaign(0, state="stopped"),
        campaign(0, means=Means(knowledge="black-box", queries=100, wanted=50, change=2.0)),
        campaign(0, means=Means(knowledge="black-box", queries=2_000, wanted=50, change=1.0)),
        campaign(0, means=Means(knowledge="black-box", queries=2_000, wanted=50, change=2.0, money=60.0)),
        campaign(0, means=None),
        campaign(0, digests={"guard": "0" * 64}),
        campaign(0, digests={"model": "other"}),
        campaign(0, days=200),
    ],
    ids=["weak", "cut", "stopped", "by hand", "queries", "change", "money", "old", "guard", "model", "age"],
)
def test_what_was_not_tried_in_full_lowers_nothing(system, told: Record) -> None:
    found = risk(system, told)
    assert found.chance == found.chance_before
    assert found.standing is not Standing.MEASURED
    assert risk(system, campaign(0)).chance.middle < found.chance.middle, "the same campaign waged in full does"


def test_what_got_through_before_it_was_stopped_got_through(system) -> None:
    stopped = campaign(40, undecided=10, state="stopped")
    found = risk(system, stopped)
    assert found.standing is Standing.INCONCLUSIVE
    assert found.chance.middle > found.chance_before.middle + 0.2
    assert "counts for nothing: it was stopped" in found.because[1]


def test_more_means_than_the_actor_has_count_where_they_fail(system) -> None:
    means = Means(knowledge="white-box", queries=2_000, wanted=50, change=2.0)
    found = risks(system, campaign(20, means=means))
    assert found["evasion-fields@insider"].chance.middle == pytest.approx(0.4, abs=0.03)
    mine = found["evasion-fields@fraudster"]
    assert mine.chance.middle < mine.chance_before.middle, "thirty rows held against somebody stronger"
    assert "had more than fraudster: white-box, not black-box" in mine.because[0]


def test_the_worst_that_still_speaks_counts(system) -> None:
    low, high = campaign(2), campaign(25)
    assert risk(system, low, bare(60)).chance.middle == risk(system, bare(60)).chance.middle
    assert "beside it: campaign (move it), run 0001" in risk(system, low, bare(60)).because[-1]
    assert risk(system, high, bare(10)).chance.middle == risk(system, high).chance.middle > 0.4
    assert risk(system, high, replace(low, id="0003", seed=3)).chance == risk(system, high).chance
    gone = campaign(2, id="0001", digests={"guard": "0" * 64})
    assert risk(system, gone, bare(10)).chance == risk(system, bare(10)).chance, "another guard since"


def test_a_guard_measured_by_layers_lowers_an_attack_on_the_model_and_no_campaign(system) -> None:
    stopping = Stopping(
        threat="evasion-*", stopped=45, tried=60, measured=date(2026, 10, 20), guard=GUARD, how="temper layers"
    )
    guarded = replace(system, stakes=replace(system.stakes, stopping=(stopping,)))
    left = risk(guarded, bare(60)).chance.middle
    assert left == pytest.approx(0.6 * (1 - 45 / 61), abs=0.02)
    assert risk(guarded, bare(60), campaign(2)).chance.middle == left
    more = risk(guarded, bare(60), campaign(25))
    assert more.chance == risk(system, campaign(25)).chance, "what got past the guard is not lowered by it again"


def test_a_doubtful_one_raises_a_sound_one_to_what_it_saw_and_no_further(system) -> None:
    cut = campaign(15, undecided=35, weak="cut")
    alone, both = risk(system, cut), risk(system, bare(10), cut)
    assert alone.chance.middle > 0.3
    assert risk(system, bare(10)).chance.middle < both.chance.middle == pytest.approx((1.5 + 15) / 54, abs=0.03)


def test_stale_keeps_what_it_raised(system) -> None:
    found = risk(system, campaign(45, digests={"guard": "0" * 64}))
    assert found.standing is Standing.STALE
    assert found.chance.middle > 0.7
    assert "stale: another guard since" in found.because[1]


def test_what_a_stale_one_raised_stays_until_a_sound_one_speaks(system) -> None:
    gone = campaign(45, id="0001", days=2, digests={"guard": "0" * 64})
    weak = campaign(0, undecided=50, id="0002", days=1, weak="cut")
    raised = risk(system, gone)
    assert risk(system, gone, weak).chance == raised.chance, "who is too weak lowers nothing"
    assert risk(system, gone, weak).standing is Standing.STALE
    sound = campaign(2, id="0003", days=0.5)
    assert risk(system, gone, weak, sound).standing is Standing.MEASURED
    assert risk(system, gone, weak, sound).chance.middle < 0.1 < 0.7 < raised.chance.middle


def test_a_campaign_renews_no_part_of_an_assessment() -> None:
    assert part_of("campaign") == "campaign"
    assert evidence([outlined(campaign(5))], "m") == {}
