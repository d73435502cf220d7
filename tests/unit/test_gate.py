"""The gate: bounds decide, what nobody knows never helps, and a waiver is not a pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.measure import Measurement, Status
from temper.core.requirement import Judgement, Policy, Requirement, Verdict, Waiver
from temper.kernels.rate import clopper_pearson
from temper.report._figure import rows_to_decide, to_decide
from temper.validation.gate import judge, overall

TODAY = date(2025, 6, 1)


def rate(count: int, n: int, undecided: int = 0, **more: Any) -> Measurement:
    return Measurement(
        plugin="evasion.search", metric="success_rate", value=count / n if n else None, count=count, n=n,
        undecided=undecided, **more,
    )  # fmt: skip


def figure(value: float, low: float, high: float, **more: Any) -> Measurement:
    settings = {"plugin": "performance", "metric": "auc", "n": 1000} | more
    return Measurement(value=value, low=low, high=high, **settings)  # type: ignore[arg-type]


def need(metric: str = "evasion.*.success_rate", **more: Any) -> Requirement:
    limit = {} if "at_least" in more else {"at_most": 0.05}
    return Requirement(id="r", metric=metric, **(limit | more))


def only(requirement: Requirement, *measurements: Measurement, **more: Any) -> Judgement:
    (judgement,) = judge(Policy(name="p", requirements=(requirement,)), measurements, TODAY, **more)
    return judgement


ORDER = [Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS]


@pytest.mark.parametrize(
    ("count", "n", "verdict"),
    [(0, 59, Verdict.PASS), (0, 58, Verdict.INCONCLUSIVE), (1, 59, Verdict.INCONCLUSIVE), (20, 100, Verdict.FAIL)],
)
def test_a_rate_is_decided_by_its_exact_one_sided_end(count: int, n: int, verdict: Verdict) -> None:
    assert only(need(), rate(count, n)).verdict is verdict


def test_zero_events_need_59_rows_for_five_percent() -> None:
    judgement = only(need(), rate(0, 30))
    assert judgement.needed == 59
    assert "about 59 rows would decide it" in judgement.explanation
    assert "n = 30" in judgement.explanation


def test_on_the_wrong_side_of_the_limit_no_number_of_rows_makes_it_pass() -> None:
    beyond = only(need(), rate(5, 90))
    assert (beyond.verdict, beyond.beyond) == (Verdict.INCONCLUSIVE, True)
    assert beyond.needed is not None
    assert beyond.needed > 1_000
    said = f"no number of rows makes it pass at this value; about {beyond.needed:,} would show that it fails"
    assert said in beyond.explanation
    assert to_decide(beyond) == said
    assert rows_to_decide(beyond) == "", "it is said already"
    within = only(need(), rate(1, 90))
    assert (within.verdict, within.beyond) == (Verdict.INCONCLUSIVE, False)
    assert to_decide(within) == f"about {within.needed:,} rows would decide it"
    low = only(need("performance.auc", at_least=0.8), figure(0.79, 0.7, 0.9))
    assert low.beyond
    assert "no number of rows makes it pass" in low.explanation


@given(n=st.integers(1, 400), data=st.data(), limit=st.sampled_from([0.01, 0.05, 0.3, 0.9]))
@settings(deadline=None, max_examples=150)
def test_more_broken_rows_never_improve_a_verdict(n: int, data: st.DataObject, limit: float) -> None:
    undecided = data.draw(st.integers(0, n - 1))
    count = data.draw(st.integers(0, n - undecided - 1))
    before = only(need(at_most=limit), rate(count, n, undecided)).verdict
    after = only(need(at_most=limit), rate(count + 1, n, undecided)).verdict
    assert ORDER.index(after) <= ORDER.index(before)


@given(n=st.integers(1, 400), data=st.data(), limit=st.sampled_from([0.01, 0.05, 0.3, 0.9]), upper=st.booleans())
@settings(deadline=None, max_examples=150)
def test_a_row_nobody_decided_never_helps_to_pass(n: int, data: st.DataObject, limit: float, upper: bool) -> None:
    undecided = data.draw(st.integers(0, n - 1))
    count = data.draw(st.integers(0, n - undecided))
    requirement = need(at_most=limit) if upper else need(at_least=limit)
    before = only(requirement, rate(count, n, undecided)).verdict
    lost = [rate(count - 1, n, undecided + 1)] if count else []
    lost += [rate(count, n, undecided + 1)] if count + undecided < n else []
    for measurement in lost:
        after = only(requirement, measurement).verdict
        assert after is not Verdict.PASS or before is Verdict.PASS
        assert after is not Verdict.FAIL or before is Verdict.FAIL


@given(count=st.integers(0, 200), n=st.integers(1, 200), confidence=st.sampled_from([0.9, 0.95, 0.99]))
@settings(deadline=None)
def test_a_passing_rate_has_its_upper_bound_below_the_limit(count: int, n: int, confidence: float) -> None:
    count = min(count, n)
    judgement = only(need(at_most=0.2, confidence=confidence), rate(count, n))
    passed = clopper_pearson(count, n, confidence, "upper")[1] <= 0.2
    assert (judgement.verdict is Verdict.PASS) == passed
    assert judgement.n == n
    assert judgement.low is not None
    assert judgement.high is not None
    assert judgement.low <= count / n <= judgement.high


def test_untried_rows_that_could_all_be_broken_leave_it_open() -> None:
    judgement = only(need(), rate(0, 400, undecided=60))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert "60 of its rows were never decided" in judgement.explanation
    assert judgement.needed is None


def test_events_that_break_the_limit_alone_fail_whatever_the_rest_is() -> None:
    assert only(need(), rate(40, 200, undecided=160)).verdict is Verdict.FAIL


def test_counts_that_contradict_each_other_never_pass() -> None:
    judgement = only(need(at_least=0.5), rate(150, 100, undecided=0))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert "contradict" in judgement.explanation


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.81, 0.9, Verdict.PASS), (0.7, 0.79, Verdict.FAIL), (0.78, 0.9, Verdict.INCONCLUSIVE)],
)
def test_other_figures_are_decided_by_the_ends_of_their_interval(low: float, high: float, verdict: Verdict) -> None:
    judgement = only(need("performance.auc", at_least=0.8), figure((low + high) / 2, low, high))
    assert judgement.verdict is verdict
    assert (judgement.low, judgement.high, judgement.n) == (low, high, 1000)


def test_the_rows_needed_grow_with_the_square_of_the_width() -> None:
    # 0.02 above the limit with a reach of 0.04: half the width, four times the rows.
    judgement = only(need("performance.auc", at_least=0.8), figure(0.82, 0.78, 0.86))
    assert judgement.needed == 4000
    assert only(need("performance.auc", at_least=0.8), figure(0.8, 0.7, 0.9)).needed is None


def test_an_interval_that_is_too_narrow_in_confidence_is_not_used() -> None:
    strict = need("performance.auc", at_least=0.5, confidence=0.99)
    assert only(strict, figure(0.9, 0.8, 0.95)).verdict is Verdict.INCONCLUSIVE
    assert only(strict, figure(0.9, 0.8, 0.95, confidence=0.98)).verdict is Verdict.PASS
    assert only(replace(strict, confidence=0.975), figure(0.9, 0.8, 0.95)).verdict is Verdict.PASS


@pytest.mark.parametrize(
    "broken",
    [
        figure(0.9, float("nan"), float("nan")),
        figure(float("nan"), 0.8, 0.95),
        figure(0.9, 0.95, 0.8),
        replace(figure(0.9, 0.8, 0.95), low=None),
        replace(figure(0.9, 0.8, 0.95), value=None),
        replace(figure(0.9, 0.8, 0.95), undecided=3),
        replace(figure(0.9, 0.8, 0.95), status=Status.INCONCLUSIVE, reason="a power check failed"),
        replace(figure(0.9, 0.8, 0.95), status=Status.UNTRIED, reason="no time"),
    ],
)
def test_a_figure_that_is_not_one_never_passes(broken: Measurement) -> None:
    assert only(need("performance.auc", at_least=0.5), broken).verdict is Verdict.INCONCLUSIVE


def test_an_error_is_an_error_and_keeps_its_reason() -> None:
    crash = replace(figure(0.9, 0.8, 0.95), status=Status.ERROR, reason="the model raised ValueError")
    judgement = only(need("performance.auc", at_least=0.5), crash)
    assert judgement.verdict is Verdict.ERROR
    assert "the model raised ValueError" in judgement.explanation


def test_the_worst_of_several_measurements_decides() -> None:
    good, bad = rate(0, 200), replace(rate(90, 100), plugin="evasion.walk")
    judgement = only(need(), good, bad)
    assert judgement.verdict is Verdict.FAIL
    assert judgement.measured == "evasion.walk.success_rate"
    assert "worst of 2" in judgement.explanation
    worse = only(need(), replace(rate(3, 400)), replace(rate(0, 400), plugin="evasion.walk"))
    assert worse.value == 3 / 400


def test_slices_are_matched_and_default_to_all_rows() -> None:
    part = rate(90, 100, slice="column:age")
    assert only(need(), part, rate(0, 200)).verdict is Verdict.PASS
    assert only(need(slice="column:*"), part, rate(0, 200)).verdict is Verdict.FAIL


def test_a_requirement_without_a_measurement_is_open_unless_the_plan_left_it_out() -> None:
    requirement = need("extraction.surrogate.fidelity_f1")
    judgement = only(requirement, rate(0, 200))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert "nothing was measured" in judgement.explanation
    policy = Policy(name="p", requirements=(requirement,))
    assert judge(policy, (), TODAY, skipped=["extraction.*"]) == ()
    assert judge(policy, (), TODAY, skipped=["extraction.surrogate"]) == ()
    assert judge(policy, (), TODAY, skipped=["evasion.*", "Copying the model"]) != ()


def test_a_measured_requirement_is_judged_even_if_one_of_its_plugins_was_skipped() -> None:
    assert only(need(), rate(90, 100), skipped=["evasion.walk", "evasion.search"]).verdict is Verdict.FAIL


def test_what_cannot_occur_here_is_left_out() -> None:
    absent = Measurement(
        plugin="fairness", metric="not_applicable", value=None, status=Status.UNTRIED, reason="no sensitive column"
    )
    policy = Policy(name="p", requirements=(need("fairness.selection_gap"),))
    assert judge(policy, (absent,), TODAY) == ()
    other = replace(absent, plugin="stress.category_swap")
    stressed = figure(0.001, 0.0, 0.002, plugin="stress.noise", metric="loss")
    assert only(need("stress.*.loss"), stressed, other).verdict is Verdict.PASS


def test_a_plugin_that_could_not_run_at_all_counts_for_each_of_its_metrics() -> None:
    crash = Measurement(
        plugin="validation.performance", metric="all", value=None, status=Status.ERROR, reason="out of memory"
    )
    assert only(need("performance.auc", at_least=0.5), crash).verdict is Verdict.ERROR
    assert only(need("performance.auc", at_least=0.5), figure(0.9, 0.8, 1.0), crash).verdict is Verdict.ERROR


def waived(until: date, *measurements: Measurement) -> Judgement:
    return only(need(waiver=Waiver(by="Ada", reason="replaced in autumn", until=until)), *measurements)


def test_a_valid_waiver_makes_a_breach_waived_and_says_who_and_why() -> None:
    judgement = waived(TODAY, rate(90, 100))
    assert judgement.verdict is Verdict.WAIVED
    assert "Ada until 2025-06-01: replaced in autumn" in judgement.explanation
    assert judgement.value == 0.9


def test_a_lapsed_waiver_leaves_the_breach_with_a_note() -> None:
    judgement = waived(date(2025, 5, 31), rate(90, 100))
    assert judgement.verdict is Verdict.FAIL
    assert "lapsed on 2025-05-31" in judgement.explanation


def test_a_waiver_neither_spoils_a_pass_nor_hides_an_error() -> None:
    assert waived(TODAY, rate(0, 200)).verdict is Verdict.PASS
    assert waived(TODAY, rate(0, 200, status=Status.ERROR, reason="crash")).verdict is Verdict.ERROR


@given(st.lists(st.sampled_from(list(Verdict)), max_size=5))
def test_the_whole_is_the_worst_of_its_parts_and_never_better(verdicts: list[Verdict]) -> None:
    whole = overall([Judgement(requirement=need(), verdict=verdict) for verdict in verdicts])
    if Verdict.FAIL in verdicts:
        assert whole is Verdict.FAIL
    elif Verdict.ERROR in verdicts:
        assert whole is Verdict.ERROR
    elif Verdict.INCONCLUSIVE in verdicts or not verdicts:
        assert whole is Verdict.INCONCLUSIVE
    else:
        assert (whole is Verdict.PASS) == (Verdict.WAIVED not in verdicts)


def slices(*counts: tuple[int, int]) -> list[Measurement]:
    return [rate(count, n, slice=f"goal: {at}") for at, (count, n) in enumerate(counts)]


def test_one_breach_among_many_claims_may_be_chance() -> None:
    """6 of 40 is over a twentieth by itself (p = 0.014); as the worst of twelve it is nothing to speak of."""
    assert only(need(), rate(6, 40)).verdict is Verdict.FAIL
    judgement = only(need(slice="goal: *"), *slices((6, 40), *[(0, 100)] * 11))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert "among 12 claims made at once it may be chance" in judgement.explanation
    worse = only(need(slice="goal: *"), *slices((12, 40), *[(0, 100)] * 11))
    assert worse.verdict is Verdict.FAIL
    assert [claim.verdict for claim in worse.claims].count(Verdict.FAIL) == 1


def test_that_all_claims_hold_is_one_claim() -> None:
    """0 of 60 passes alone and as one of many that all pass, but not beside one that does not."""
    whole = only(need(slice="goal: *"), *slices(*[(0, 60)] * 8))
    assert whole.verdict is Verdict.PASS
    assert {claim.verdict for claim in whole.claims} == {Verdict.PASS}
    mixed = only(need(slice="goal: *"), *slices((2, 60), *[(0, 60)] * 7))
    assert {claim.verdict for claim in mixed.claims} == {Verdict.INCONCLUSIVE}


def test_claims_at_the_limit_are_decided_no_oftener_than_promised() -> None:
    """Ten goals, each exactly at the limit: a verdict on any of them is wrong."""
    import numpy as np

    rng, runs = np.random.default_rng(3), 300
    wrong = 0
    for _ in range(runs):
        judgement = only(need(slice="goal: *"), *slices(*[(int(k), 150) for k in rng.binomial(150, 0.05, 10)]))
        wrong += any(claim.verdict is not Verdict.INCONCLUSIVE for claim in judgement.claims)
    assert wrong / runs <= 0.1 + 2 * (0.09 / runs) ** 0.5  # 5 % for each side


@pytest.mark.parametrize("anytime", [False, True])
def test_clusters_decide_by_their_own_number(anytime: bool) -> None:
    """Sixty prompts of ten trials each are sixty, not six hundred."""

    def prompts(*clusters: tuple[float, int], **more: Any) -> Measurement:
        return replace(rate(0, 1), count=None, clusters=clusters, anytime=anytime, counts="prompts", **more)

    few = only(need(), prompts((0.0, 30), n=300, value=0.0))
    assert few.verdict is Verdict.INCONCLUSIVE
    assert few.needed is not None
    assert 59 <= few.needed <= 90
    assert f"{few.needed} prompts would decide it, {few.needed - 30} more" in few.explanation
    assert only(need(), prompts((0.0, few.needed), n=10, value=0.0)).verdict is Verdict.PASS
    assert only(need(), prompts((0.0, few.needed - 1), n=10, value=0.0)).verdict is Verdict.INCONCLUSIVE
    lost = only(need(), prompts((0.0, few.needed), n=10, value=0.0, undecided=1))
    assert lost.verdict is Verdict.INCONCLUSIVE
    assert only(need(), prompts((1.0, 20), (0.5, 5), n=75, value=0.9)).verdict is Verdict.FAIL
