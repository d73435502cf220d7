"""Labels that arrive late: which count, what is measured of them, and what is told before they come."""

import itertools
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.measure import Status
from temper.core.requirement import Policy, Requirement, Verdict, Waiver
from temper.kernels import cbpe
from temper.monitoring.accuracy.calibration import Calibration
from temper.monitoring.accuracy.cbpe import BLIND, Expected
from temper.monitoring.contract import kept, measured
from temper.monitoring.labels import NOT_KNOWN, Labels, joined
from temper.testing.cohort import cohort

DAY, TODAY = 86_400.0, date(2027, 1, 31)


def labels(*rows):
    ids, y, at = zip(*rows, strict=True) if rows else ((), (), ())
    return Labels(ids=np.array(ids, np.int64), y=np.array(y, np.int64), at=np.array(at, float))


def asked(n=6):
    rows = cohort(n)
    return replace(rows, at=np.arange(n) * DAY, y=np.full(n, NOT_KNOWN))


def test_a_label_counts_once_its_row_is_old_enough():
    given_ = labels((0, 1, DAY), (5, 1, 5.5 * DAY))
    found, met = joined(asked(), given_, 3 * DAY, 6 * DAY)
    assert found.ids.tolist() == [0, 1, 2, 3]
    assert found.y.tolist() == [1, -1, -1, -1]
    assert (met.matured, met.labelled, met.young, met.strangers) == (4, 1, 2, 0)
    assert met.told(6 * DAY)[:2] == ("1 of 4 matured rows have a label", "the evidence is 3 days to 6 days old")


def test_what_is_wrong_with_labels_is_counted():
    given_ = labels(
        (0, 1, DAY), (0, 1, 2 * DAY),  # again
        (1, 0, 2 * DAY), (1, 1, 3 * DAY),  # changed
        (2, 0, 4 * DAY), (2, 1, 4 * DAY), (2, 1, 4 * DAY),  # contradicts itself
        (3, 1, 2 * DAY),  # older than its prediction
        (4, 1, 99 * DAY),  # from the future
        (77, 1, DAY),  # no such prediction
    )  # fmt: skip
    found, met = joined(asked(), given_, 0.0, 10 * DAY)
    assert found.y.tolist() == [1, 1, -1, 1, -1, -1]
    assert (met.again, met.changed, met.contradicted) == (2, 1, 1)
    assert (met.before, met.ahead, met.strangers, met.labelled) == (1, 1, 1, 3)
    assert "1 labels belong to no prediction" in met.told(10 * DAY)


LABEL = st.tuples(st.integers(0, 8), st.integers(0, 1), st.integers(0, 4).map(float))


@settings(max_examples=40, deadline=None)
@given(st.lists(LABEL, max_size=25), st.randoms(use_true_random=False))
def test_the_order_of_labels_changes_nothing_and_the_latest_counts(rows, rng):
    turned = rows[:]
    rng.shuffle(turned)
    (one, met), (other, met_too) = (joined(asked(), labels(*some), 0.0, 9 * DAY) for some in (rows, turned))
    assert np.array_equal(one.y, other.y)
    assert met == met_too
    for at in range(6):
        mine = [(when, y) for id_, y, when in rows if id_ == at]
        last = {y for when, y in mine if when == max(mine)[0]}
        assert one.y[at] == (last.pop() if len(last) == 1 else NOT_KNOWN)


def test_labels_that_never_come_decide_nothing():
    found, met = joined(replace(cohort(2_000), y=np.full(2_000, NOT_KNOWN)), labels(), 0.0, DAY)
    policy = Policy(name="p", requirements=tuple(limits()))
    assert met.labelled == 0
    assert {one.verdict for one in kept(policy, measured(found), TODAY)} == {Verdict.INCONCLUSIVE}
    nothing_yet, met = joined(asked(), labels(), 30 * DAY, 6 * DAY)
    assert met.told(6 * DAY) == ("no row is old enough yet; 6 are too young",)
    assert all(one.status is not Status.OK for one in measured(nothing_yet))


def limits(accuracy=0.7, ece=0.1):
    yield Requirement(id="right", metric="performance.accuracy", at_least=accuracy)
    yield Requirement(id="found", metric="performance.recall", at_least=0.5)
    yield Requirement(id="honest", metric="calibration.ece", at_most=ece)
    yield Requirement(id="early", metric="cbpe.accuracy", at_least=0.1)
    yield Requirement(id="attacked", metric="evasion.*", at_most=0.1)


def verdicts(rows, **more):
    return {
        one.requirement.id: one
        for one in kept(Policy(name="p", requirements=tuple(limits(**more))), measured(rows), TODAY)
    }


def test_the_bound_decides():
    rows = cohort(3_000)
    found = verdicts(rows)
    assert {name: one.verdict for name, one in found.items()} == {
        "right": Verdict.PASS,
        "found": Verdict.PASS,
        "honest": Verdict.PASS,
        "early": Verdict.INCONCLUSIVE,
    }
    value = found["right"].value
    near = verdicts(rows, accuracy=value - 0.001)["right"]
    assert near.verdict is Verdict.INCONCLUSIVE
    assert near.needed > 10 * len(rows)
    assert verdicts(rows, accuracy=value + 0.1)["right"].verdict is Verdict.FAIL


def test_the_rows_needed_decide_about():
    rows = cohort(600)
    value = verdicts(rows)["right"].value
    needed = verdicts(rows, accuracy=value - 0.03)["right"].needed
    times = needed / 600
    more = replace(cohort(needed), y=np.resize(rows.y, needed), flagged=np.resize(rows.flagged, needed))
    low = next(one.low for one in measured(more) if one.name == "performance.accuracy")
    assert times > 1.0
    assert low == pytest.approx(value - 0.03, abs=0.01)


def test_a_level_that_the_ends_do_not_have_is_not_judged():
    strict = Requirement(id="sure", metric="performance.accuracy", at_least=0.1, confidence=0.999)
    (one,) = kept(Policy(name="p", requirements=(strict,)), measured(cohort(3_000)), TODAY)
    assert one.verdict is Verdict.INCONCLUSIVE
    assert "too low" in one.explanation


def test_blocked_rows_without_labels_leave_recall_open_and_precision_too():
    rows = cohort(3_000)
    blocked = replace(rows, y=np.where(rows.flagged, NOT_KNOWN, rows.y))
    found = {one.name: one for one in measured(blocked)}
    assert found["performance.precision"].value is None
    assert found["performance.recall"].low < 0.01
    assert found["performance.recall"].high > 0.7


def test_figures_are_those_of_their_definitions():
    rows = cohort(2_000)
    found = {(one.name, one.slice): one.value for one in measured(rows)}
    one, flag = rows.y == 1, rows.flagged
    old = rows.x[:, -1]
    bands = np.searchsorted(np.quantile(old, [0.25, 0.5, 0.75], method="higher"), old, side="right")
    rates = [flag[one & (bands == band)].mean() for band in range(4)]
    amount = rows.x[:, 0]
    assert found["performance.accuracy", "all"] == pytest.approx((one == flag).mean(), abs=1e-12)
    assert found["performance.recall", "all"] == pytest.approx(flag[one].mean(), abs=1e-12)
    assert found["performance.precision", "all"] == pytest.approx(one[flag].mean(), abs=1e-12)
    assert found["fairness.tpr_gap", "column:age"] == pytest.approx(max(rates) - min(rates), abs=1e-12)
    assert found["calibration.bias", "all"] == pytest.approx((rows.y - rows.score).mean(), abs=1e-7)
    paid = np.where(one & ~flag, amount, 0.0) + np.where(~one & flag, 5.0, 0.0)
    assert found["cost.per_row", "all"] == pytest.approx(paid.mean(), abs=1e-5)


def naive(p, flagged):
    """The published formulae, row by row; the area by trapezia over thresholds at every distinct score."""
    tp = sum(one for one, flag in zip(p, flagged, strict=True) if flag)
    fp = sum(1 - one for one, flag in zip(p, flagged, strict=True) if flag)
    fn = sum(one for one, flag in zip(p, flagged, strict=True) if not flag)
    tn = sum(1 - one for one, flag in zip(p, flagged, strict=True) if not flag)
    curve = [(0.0, 0.0)]
    for threshold in sorted(set(p), reverse=True):
        above = [one for one in p if one >= threshold]
        curve.append((sum(1 - one for one in above) / (fp + tn), sum(above) / (tp + fn)))
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(curve))
    return {
        "accuracy": (tp + tn) / (tp + tn + fp + fn),
        "precision": tp / (tp + fp),
        "recall": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "f1": tp / (tp + (fp + fn) / 2),
        "auc": area,
    }


@pytest.mark.parametrize("digits", [16, 1])
def test_expected_figures_are_the_published_ones_with_and_without_ties(digits):
    p = np.random.default_rng(digits).beta(1.0, 2.0, 400).round(digits)
    found = cbpe.expected(p, p >= 0.4, p)
    assert found == pytest.approx(naive(p.tolist(), (p >= 0.4).tolist()), abs=1e-12)


def test_expected_figures_come_true_where_probabilities_do():
    p = np.random.default_rng(5).beta(1.0, 2.0, 2_000)
    flagged, within = p >= 0.4, 0
    ends = cbpe.spread(p, flagged, 0.9)
    for seed in range(200):
        y = np.random.default_rng(100 + seed).random(2_000) < p
        within += ends["recall"][0] <= flagged[y].mean() <= ends["recall"][1]
    assert 165 <= within <= 195  # 180 are expected, with a deviation of 4.2


def test_scores_that_are_no_probabilities_are_calibrated_by_known_rows():
    rng = np.random.default_rng(6)
    score = rng.random(4_000)
    truth = score**3
    known = cbpe.Calibrator.fit(score[:3_000], (rng.random(3_000) < truth[:3_000]).astype(int))
    rows = replace(cohort(1_000), score=score[3_000:], flagged=score[3_000:] > 0.7)
    raw, made = (next(one.value for one in Expected().measure(one) if one.metric == "precision")
                 for one in (rows, replace(rows, calibrator=known)))  # fmt: skip
    right = truth[3_000:][rows.flagged].mean()
    assert abs(made - right) < 0.03 < abs(raw - right)


def test_concept_drift_leaves_the_expected_figures_as_they_were_and_fails_those_of_labels():
    rows = cohort(3_000)
    drifted = replace(rows, y=np.where((rows.score > 0.5) & (rows.ids % 2 == 0), 0, rows.y))
    before, after = ({one.name: one for one in measured(some)} for some in (rows, drifted))
    for name, one in after.items():
        if name.startswith("cbpe."):
            assert one.value == before[name].value
            assert BLIND in one.caveats
            assert one.status is Status.INCONCLUSIVE
    assert after["performance.precision"].high < before["performance.precision"].low
    promised = Requirement(id="p", metric="performance.precision", at_least=before["performance.precision"].low)
    (verdict,) = kept(Policy(name="p", requirements=(promised,)), list(after.values()), TODAY)
    assert verdict.verdict is Verdict.FAIL


def test_a_breach_that_somebody_accepts_is_waived_until_then():
    waiver = Waiver(by="head of fraud", reason="new rules are coming", until=TODAY)
    promised = Requirement(id="p", metric="performance.accuracy", at_least=0.99, waiver=waiver)
    figures = measured(cohort(500))
    found = [kept(Policy(name="p", requirements=(promised,)), figures, day)[0] for day in (TODAY, date(2027, 2, 1))]
    assert [one.verdict for one in found] == [Verdict.WAIVED, Verdict.FAIL]


def test_a_group_whose_labels_stay_away_leaves_the_gap_open():
    rows = cohort(3_000)
    old = rows.x[:, -1] > np.quantile(rows.x[:, -1], 0.75)
    gone = replace(rows, y=np.where(old, NOT_KNOWN, rows.y))
    known, left = (
        next(one for one in measured(some) if (one.name, one.slice) == ("fairness.tpr_gap", "all"))
        for some in (rows, gone)
    )
    assert known.high < 0.3
    assert left.high > 0.8


def test_scores_that_are_no_probabilities_have_no_calibration_error():
    rows = cohort(300)
    (found,) = Calibration().measure(replace(rows, score=rows.score * 7.0))
    assert found.status is Status.UNTRIED
