"""From what became of every request to what is told of a drill, and who is to blame for what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from temper.chaos.arithmetic import Share
from temper.chaos.injector import FAULTS, built
from temper.core.drill import Turn
from temper.core.errors import ConfigError
from temper.core.requirement import Verdict
from temper.engine.drill.catalogue import DRILLS, Victim, drill_of
from temper.engine.drill.reading import OTHER, PRIMARY, SILENT, Facts, mark_of, outcome
from temper.engine.drill.terms import Load
from temper.traffic.played import Played

EXPECTED = np.array([0.25, 0.5, 0.75])


def mark(score: float) -> int:
    return mark_of(b'{"results":[{"decision":"allow","score":%r}],"source":"primary"}' % score)


def played(**changes: Any) -> Played:
    """100 requests a second for 20 s, each answered at once and right by the model."""
    due = np.arange(2_000) / 100
    marks = np.array([mark(float(EXPECTED[at % 3])) for at in range(2_000)], dtype=np.int64)
    arrays = {"due": due, "taken": due, "sent": due, "done": due + 0.01, "status": np.full(2_000, 200), "marks": marks}
    return Played(**{**arrays, **changes})


def facts(**changes: Any) -> Facts:
    usual = {
        "drill": DRILLS["hang"], "words": "x: the model hangs", "load": Load(rate=100.0), "deadline": 0.1, "began": 5.0,
        "over": 10.0, "met": 500, "turns": {Turn.FAULT: 5.0, Turn.OPEN: 5.5}, "expected": EXPECTED,
    }  # fmt: skip
    return Facts(**{**usual, **changes})


def test_every_drill_names_a_fault_that_can_be_built() -> None:
    for drill in DRILLS.values():
        built(drill.fault, drill.options)
        assert (drill.victim is Victim.LINE) == (not drill.fault.startswith("host."))
        assert drill.words.startswith("the ")
    assert {drill.fault for drill in DRILLS.values()} == set(FAULTS.names()), "every fault has a drill"
    with pytest.raises(ConfigError, match="did you mean 'latency'"):
        drill_of("latancy")


def test_who_answered_is_read_from_the_answer() -> None:
    assert mark(0.25) & 3 == PRIMARY
    assert mark(-3.5) >> 2 == -3_500_000
    assert mark_of(b'{"source":"rules","results":[{"score":0.9}]}') == OTHER
    assert mark_of(b'{"source":"primary","results":[{"decision":"allow"}]}') == SILENT
    assert mark_of(b"<html>") == OTHER


def test_a_drill_in_which_nothing_happens_passes() -> None:
    found = outcome(played(), facts(turns={}))
    assert (found.failed, found.late, found.degraded, found.wrong) == (0, 0, 0, 0)
    assert found.verdict is Verdict.PASS
    assert (found.fallback, found.restored, found.full_again, found.spent) == (0.0, 0.0, 0.0, 0.0)
    assert (found.detected, found.alerts) == (None, ())
    assert found.good.unseen == 3 / 2_000
    assert "up to 0.15% bad would have been possible unseen" in "\n".join(found.lines())
    assert found.slots[0].sum() == 2_000


def test_a_fallback_is_counted_as_answered_and_not_as_full_quality() -> None:
    run = played()
    away = (run.due >= 5.0) & (run.due < 10.0)
    found = outcome(played(marks=np.where(away, OTHER, run.marks)), facts())
    assert (found.degraded, found.failed, found.good.count, found.full.count) == (500, 0, 2_000, 1_500)
    assert found.first_other == pytest.approx(0.01)
    assert found.restored == 5.0
    assert found.full_again == 0.0
    assert found.breaker == found.detected == 0.5
    assert found.verdict is Verdict.PASS
    assert list(found.slots[1].nonzero()[0]) == list(range(50, 100))


def test_wrong_scores_that_nobody_noticed_fail() -> None:
    run = played()
    away = (run.due >= 5.0) & (run.due < 10.0)
    found = outcome(played(marks=np.where(away, mark(0.9), run.marks)), facts())
    assert found.wrong == 500
    assert found.good.count == 2_000, "in time they were"
    assert found.verdict is Verdict.FAIL
    assert any("wrong scores" in line for line in found.lines())
    near = outcome(played(marks=run.marks + (5 << 2)), facts())
    assert near.wrong == 0, "five millionths are no other score"


def test_what_failed_or_was_late_burns_the_budget_and_alerts() -> None:
    run = played()
    away = (run.due >= 5.0) & (run.due < 10.0)
    lost = outcome(played(status=np.where(away, 0, 200), done=np.where(away, np.nan, run.done)), facts(turns={}))
    assert (lost.failed, lost.late) == (500, 0)
    assert lost.spent == 25.0
    assert lost.detected == lost.alerts[0].at - 5.0 == pytest.approx(0.1)
    assert lost.fallback == 5.0
    assert lost.answered_again == lost.restored == 5.0
    assert lost.verdict is Verdict.FAIL
    late = outcome(played(done=np.where(away, run.due + 0.5, run.done)), facts())
    assert (late.failed, late.late) == (0, 500)
    never = outcome(played(status=np.where(run.due >= 5.0, 0, 200)), facts())
    assert never.restored is None
    assert "never" in "\n".join(never.lines())


def test_what_cannot_be_judged_is_not_judged() -> None:
    run = played()
    busy = outcome(played(status=np.where(run.due < 2.0, 503, 200)), facts())
    assert busy.verdict is Verdict.INCONCLUSIVE
    assert "no steady state" in "\n".join(busy.lines())
    unseen = replace(busy, steady=Share(count=0, n=0))
    assert unseen.verdict is Verdict.INCONCLUSIVE
    assert "before the fault: ask for longer" in "\n".join(unseen.lines())
    slow = outcome(played(taken=run.due + 0.05), facts())
    assert slow.verdict is Verdict.INCONCLUSIVE
    assert outcome(played(), facts(met=0)).verdict is Verdict.INCONCLUSIVE
    few = run.take(np.arange(0, 2_000, 10))
    sparse = outcome(few, facts(expected=EXPECTED[np.arange(0, 2_000, 10) % 3]))
    assert sparse.verdict is Verdict.INCONCLUSIVE, "200 requests cannot show 99 %"
    assert replace(sparse, slo=0.9).verdict is Verdict.PASS


def test_figures_can_be_written_as_json() -> None:
    import json

    told = outcome(played(status=np.full(2_000, 0), done=np.full(2_000, np.nan)), facts()).figures()
    assert json.loads(json.dumps(told, allow_nan=False))["verdict"] == "inconclusive"


@pytest.mark.parametrize("wrong", [{"rate": 0.0}, {"seconds": 0.5}, {"slo": 1.0}, {"rate": float("nan")}])
def test_loads_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Load(**wrong)
