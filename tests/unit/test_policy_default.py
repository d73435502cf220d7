"""What the shipped policy says of files, triggers and members, and what it leaves out."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from temper.config.policy import load_policy
from temper.core.measure import Measurement, Status
from temper.core.requirement import Judgement, Verdict
from temper.validation.gate import judge

TWIN = "same recipe, random halves"
IDS = ("is-safe-to-load", "opens-to-no-trigger", "keeps-its-members-private",
       "keeps-its-members-private-unrefitted", "bounds-the-odds-on-a-member")  # fmt: skip
ROOMS = ("validation.artifact", *(f"poisoning.{name}_trigger" for name in ("in_bounds", "clean_label")),
         *(f"inversion.{name}" for name in ("membership", "label_only", "quantile")))  # fmt: skip


def told(*measured: Measurement, skipped: tuple[str, ...] = ()) -> dict[str, Judgement]:
    """The judgements of the policy's requirements on files, triggers and members, where there is one."""
    found = judge(load_policy("default"), measured, date(2026, 1, 1), skipped)
    return {one.requirement.id: one for one in found if one.requirement.id in IDS}


def figure(name: str, value: float | None, half: float = 0.01, rows: str = "all", **more: Any) -> Measurement:
    """A figure with an interval of that half width."""
    plugin, _, metric = name.rpartition(".")
    ends = {} if value is None else {"low": value - half, "high": value + half, "n": 500}
    return Measurement(plugin=plugin, metric=metric, value=value, slice=rows, **(ends | more))


@pytest.mark.parametrize(("name", "rows", "requirement", "good", "bad"), [
    ("artifact.findings", "all", "is-safe-to-load", 0.0, 1.0),
    ("poisoning.in_bounds_trigger.excess_success", "all", "opens-to-no-trigger", 0.1, 0.4),
    ("poisoning.jittered_trigger.excess_success", "all", "opens-to-no-trigger", 0.1, 0.4),
    ("poisoning.clean_label_trigger.excess_success", "all", "opens-to-no-trigger", 0.1, 0.4),
    ("inversion.membership.tpr_at_1pct", TWIN, "keeps-its-members-private", 0.02, 0.2),
    ("inversion.label_only.tpr_at_1pct", TWIN, "keeps-its-members-private", 0.02, 0.2),
    ("inversion.quantile.tpr_at_1pct", "all", "keeps-its-members-private-unrefitted", 0.02, 0.2),
    ("inversion.membership.epsilon_lower", TWIN, "bounds-the-odds-on-a-member", 0.5, 3.0),
])  # fmt: skip
def test_each_figure_is_judged(name: str, rows: str, requirement: str, good: float, bad: float) -> None:
    half = 0.0 if name.startswith("artifact") else 0.01
    assert told(figure(name, good, half, rows))[requirement].verdict is Verdict.PASS
    assert told(figure(name, bad, half, rows))[requirement].verdict is Verdict.FAIL
    untried = figure(name, None, rows=rows, status=Status.UNTRIED, reason="no training data")
    assert told(untried)[requirement].verdict is Verdict.INCONCLUSIVE


def test_the_control_is_no_breach_and_one_trigger_is_enough() -> None:
    control = figure("poisoning.out_of_bounds_trigger.excess_success", 0.95)
    held = figure("poisoning.in_bounds_trigger.excess_success", 0.05)
    open_ = figure("poisoning.jittered_trigger.excess_success", 0.9)
    assert told(control, held)["opens-to-no-trigger"].verdict is Verdict.PASS
    assert told(control, held, open_)["opens-to-no-trigger"].measured == "poisoning.jittered_trigger.excess_success"


def test_the_deployed_model_is_not_judged_by_what_only_refits_can_show() -> None:
    """Members and strangers of a real split differ by more than their membership; random halves do not."""
    found = told(figure("inversion.membership.tpr_at_1pct", 0.6), figure("inversion.membership.epsilon_lower", 4.0))
    assert found["keeps-its-members-private"].verdict is Verdict.INCONCLUSIVE


def test_what_the_plan_or_the_system_leaves_out_is_no_open_question() -> None:
    assert told(skipped=ROOMS) == {}
    nothing = figure("artifact.not_applicable", None, status=Status.UNTRIED, reason="there is no file to scan")
    assert "is-safe-to-load" not in told(nothing, skipped=ROOMS[1:])
    assert {one.verdict for one in told().values()} == {Verdict.INCONCLUSIVE}
