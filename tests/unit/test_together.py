"""What attacks and certificates say together: the worst row by row, the bound above, and no contradiction unnoticed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from temper.core.budget import Budget
from temper.core.measure import Measurement, Status
from temper.core.requirement import Verdict
from temper.core.system import Protected
from temper.engine.task import Sizes, Task, World
from temper.engine.together import BOUND, STRONGEST, Group, together
from temper.kernels.rate import measure_rate
from temper.testing.scenes import picture_model, picture_scene

BALL = Budget(norm="linf", radius=0.2)
N = 10


@pytest.fixture
def world() -> World:
    scene = picture_scene()
    data: Any = type("Rows", (), {"x": scene.x, "y": scene.y, "ids": scene.ids})
    system = Protected(name="s", target=picture_model(), data=data, schema=scene.schema)
    return World(system=system, sizes=Sizes(), seed=0, attacked=np.arange(N), held_out=np.arange(N))


def attacked(name: str, distances: list[float], budget: Budget = BALL, status: Status = Status.OK) -> Group:
    """An attack that broke the rows with a finite distance and finished with the others."""
    distance = np.array(distances)
    verdicts = np.where(np.isfinite(distance), "broken", "held")
    count = int(np.isfinite(distance).sum())
    reason = "" if status is Status.OK else "it has failed its own check"
    rate = measure_rate(name, "success_rate", count, len(distance), status=status, reason=reason)
    evidence = {"verdicts": verdicts, "distance": distance, "ids": np.arange(len(distance)), "queries": np.ones(N, int)}
    return Group(task=task(name, budget), measured=(rate,), evidence=evidence)


def proven(radii: list[float], subject: str = "model") -> Group:
    shown = Measurement(plugin="tree_bounds", metric="certified_share", value=0.5)
    evidence = {"radius": np.array(radii), "ids": np.arange(len(radii)), "subject": np.array([subject])}
    return Group(
        task=replace(task("tree_bounds", BALL), room="validation"),
        measured=(shown,),
        evidence={f"certified_{name}": values for name, values in evidence.items()},
    )


def task(name: str, budget: Budget) -> Task:
    return Task(room="attacks", plugin=name, budget=budget, scenario="evasion-x@somebody")


INF = float("inf")
FEW = [0.05, 0.1] + [INF] * 8
MANY = [INF, 0.04, 0.1, 0.1, 0.15, 0.1, 0.1, 0.2, INF, INF]


def test_a_row_counts_when_any_attack_broke_it_at_its_nearest_success(world: World) -> None:
    _, joint, alarms = together([attacked("evasion.square", FEW), attacked("evasion.noise", MANY)], world)
    (strongest,) = joint
    assert (strongest.plugin, strongest.count, strongest.n) == (STRONGEST, 8, 10)
    assert strongest.curve is not None
    shares = {round(p.at, 3): p.value for p in strongest.curve.points}
    assert shares[0.04] == 0.1  # the second row at 0.04, by the second attack
    assert shares[0.2] == 0.8
    assert not alarms


def test_attacks_with_other_balls_are_not_added_up(world: World) -> None:
    wide = Budget(norm="linf", radius=0.4)
    _, joint, _ = together([attacked("evasion.square", FEW), attacked("evasion.noise", MANY, wide)], world)
    assert joint == ()


def test_between_the_strongest_attack_and_the_proof_the_rows_nobody_knows_are_counted(world: World) -> None:
    _, joint, alarms = together([attacked("evasion.square", FEW), proven([0.0] * 5 + [0.2] * 5)], world)
    by_name = {m.plugin: m for m in joint}
    assert by_name[BOUND].count == 5
    assert by_name[BOUND].baseline == (("broken by the strongest attack", 0.2),)
    assert "3 of 10 rows" in " ".join(by_name[BOUND].caveats)
    assert by_name[BOUND].curve is not None
    assert by_name[BOUND].curve.points[0].value == 0.0
    assert by_name[BOUND].curve.points[-1].value == 0.5
    assert not alarms


def test_a_row_both_certified_and_broken_is_an_alarm_that_fails_the_run(world: World) -> None:
    _, _, alarms = together([attacked("evasion.square", FEW), proven([0.06] * 10)], world)
    (alarm,) = alarms
    assert alarm.verdict is Verdict.ERROR
    assert "Soundness alarm" in alarm.explanation
    assert alarm.value == 1.0  # the row broken at 0.05; the one at 0.1 lies outside


def test_a_proof_about_a_smoothed_model_says_nothing_of_attacks_on_the_model(world: World) -> None:
    groups = [attacked("evasion.square", FEW), proven([0.2] * 10, "smoothed, sigma 0.25")]
    _, joint, alarms = together(groups, world)
    assert not alarms
    assert BOUND not in {m.plugin for m in joint}


def test_a_proof_that_did_not_apply_bounds_nothing_and_its_reason_is_kept(world: World) -> None:
    own, joint, alarms = together([attacked("evasion.square", FEW), proven([])], world)
    assert "tree_bounds" in {m.plugin for m in own}
    assert joint == ()
    assert alarms == ()


def test_an_attack_with_the_model_in_hand_that_does_worse_than_one_without_is_doubted(world: World) -> None:
    white, black = attacked("evasion.pgd", [INF] * 10), attacked("evasion.square", MANY)
    own, (strongest,), _ = together([white, black], world)
    by_name = {m.plugin: m for m in own}
    assert by_name["evasion.pgd"].status is Status.INCONCLUSIVE
    assert "its gradients mislead" in by_name["evasion.pgd"].reason
    assert by_name["evasion.square"].status is Status.OK
    assert strongest.status is Status.OK


def test_attacks_with_limits_of_their_own_do_not_outdo_each_other(world: World) -> None:
    free = Budget(norm="linf")
    sticker, camera = attacked("evasion.patch", [INF] * 10, free), attacked("evasion.spatial", MANY, free)
    own, _, _ = together([sticker, camera], world)
    assert {m.status for m in own} == {Status.OK}


def test_where_every_attack_is_in_doubt_so_is_the_strongest(world: World) -> None:
    groups = [attacked(f"evasion.{name}", FEW, status=Status.INCONCLUSIVE) for name in ("square", "noise")]
    _, (strongest,), _ = together(groups, world)
    assert strongest.status is Status.INCONCLUSIVE
    assert strongest.undecided == 8
