"""What one may rely on when a whole run is hardened: which attacks are worked on, and in which order."""

from typing import Any

import pytest

from temper.core.finding import Finding
from temper.core.requirement import Judgement, Requirement, Verdict
from temper.core.run import Record
from temper.engine.harden_all import Wanted, _goals


def finding(plugin: str) -> Finding:
    return Finding(id=f"F-{plugin}", title="t", plugin=plugin, metric="m", severity="high", defences=("regularise",))


def judged(metric: str, verdict: Verdict) -> Judgement:
    rule = Requirement(id=metric, metric=metric, at_most=0.1)
    return Judgement(requirement=rule, verdict=verdict, explanation="")


def record(*findings: Finding, judgements: tuple[Judgement, ...] = ()) -> Record:
    plain: dict[str, Any] = {"id": "1", "system": "s", "suite": "quick", "seed": 0, "started": "", "seconds": 0.0}
    return Record(**plain, state="finished", verdict=Verdict.FAIL, findings=findings, judgements=judgements)


FOUND = (finding("extraction.surrogate"), finding("inversion.membership"), finding("poisoning.label_flip_targeted"))


def test_training_data_come_before_the_fit_and_the_fit_before_the_answers() -> None:
    assert _goals(record(*FOUND), Wanted()) == ["evasion", "poisoning", "inversion", "extraction"]


@pytest.mark.parametrize(("verdict", "worked_on"), [(v, v not in (Verdict.PASS, Verdict.WAIVED)) for v in Verdict])
def test_what_the_policy_accepts_is_left_alone(verdict: Verdict, worked_on: bool) -> None:
    told = judged("inversion.membership.tpr_at_1pct", verdict)
    assert ("inversion" in _goals(record(*FOUND, judgements=(told,)), Wanted())) is worked_on


def test_nothing_found_is_nothing_to_work_on() -> None:
    told = judged("inversion.membership.tpr_at_1pct", Verdict.INCONCLUSIVE)
    assert _goals(record(judgements=(told,)), Wanted()) == ["evasion"]


def test_a_finding_asks_for_its_own_kind_whatever_the_policy_says() -> None:
    told = judged("inversion.membership.tpr_at_1pct", Verdict.PASS)
    assert _goals(record(*FOUND, judgements=(told,)), Wanted(finding=FOUND[1])) == ["inversion"]
    assert _goals(record(*FOUND), Wanted(finding=finding("stress.noise"))) == ["evasion"]


def test_named_defences_are_for_evasion() -> None:
    assert _goals(record(*FOUND), Wanted(defences=("augment",))) == ["evasion"]
