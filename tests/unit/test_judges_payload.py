"""The judges of payloads: closed forms against brute force, honest intervals, and gates that refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from temper.core.attack import Outcome, Scene
from temper.core.errors import TemperError
from temper.core.measure import Status
from temper.core.seed import Draws
from temper.judges._members import at_rate, blind_area, exposed
from temper.judges._pooled import area, paired_area_loss, paired_loss, placements, student
from temper.judges.advantage import Advantage, Guesses, Membership
from temper.judges.agreement import Agreement, Copied, auc_ratio, f1_of, kappa_of, r_squared, spearman, table
from temper.judges.recall_loss import Dose, RecallLoss, noise, within
from temper.kernels.ranking import auc, f1, kappa
from unit.payload_world import schema

labelled = arrays(np.int64, 12, elements=st.integers(0, 1)).filter(lambda y: 0 < y.sum() < len(y))
coarse = arrays(np.float64, 12, elements=st.integers(0, 5).map(float))


def scene(n: int, threshold: float | None = 0.5, classes: int = 2) -> Scene:
    return Scene(
        x=np.zeros((n, 12)), y=np.zeros(n), ids=np.arange(n), schema=schema(), threshold=threshold, classes=classes
    )


def two(score: np.ndarray) -> np.ndarray:
    return np.stack([1.0 - score, score], axis=-1)


@given(labelled, coarse)
def test_both_means_of_the_placements_are_the_area(y: np.ndarray, score: np.ndarray) -> None:
    mine, theirs = placements(y, score)
    assert mine.mean() == pytest.approx(auc(y, score), abs=1e-12)
    assert theirs.mean() == pytest.approx(auc(y, score), abs=1e-12)


def test_delong_variance_is_the_one_of_the_paper() -> None:
    y = np.array([1, 1, 1, 0, 0, 0, 0])
    score = np.array([0.9, 0.6, 0.3, 0.7, 0.4, 0.2, 0.1])
    kernel = (score[y == 1][:, None] > score[y == 0][None, :]).astype(float)
    variance = kernel.mean(1).var(ddof=1) / 3 + kernel.mean(0).var(ddof=1) / 4
    value, low, high = area(y, score)
    wanted = student(value, [(variance, 2)])
    assert (low, high) == pytest.approx((max(wanted[0], 0.0), min(wanted[1], 1.0)))


def test_a_perfect_order_of_few_rows_still_has_an_open_interval() -> None:
    y = np.array([0] * 10 + [1] * 10)
    value, low, high = area(y, np.arange(20.0))
    assert value == 1.0
    assert low < 0.95
    assert high == 1.0


def test_the_area_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    truth, inside = 0.7602, 0  # two normal scores one standard deviation apart
    for _ in range(300):
        y = np.repeat([0, 1], 60)
        _, low, high = area(y, rng.normal(size=120) + y)
        inside += low <= truth <= high
    assert 0.91 <= inside / 300 <= 0.99


def test_the_paired_loss_interval_covers_the_truth_with_noise_in_rows_and_repeats() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(300):
        easy = rng.random(80)
        shift = 0.1 + 0.05 * rng.normal(size=(3, 1))
        before, after = easy < 0.6, easy < 0.6 - shift
        _, low, high = paired_loss(np.repeat(before[None], 3, 0).astype(float), after.astype(float))
        inside += low <= 0.1 <= high
    assert inside / 300 >= 0.93


def test_nothing_lost_is_not_nothing_possible() -> None:
    same = np.ones((2, 50))
    value, low, high = paired_loss(same, same)
    assert value == 0.0
    assert low < -0.01
    assert high > 0.01


def test_identical_twins_lose_no_area() -> None:
    y = np.array([0, 1] * 20)
    scores = np.random.default_rng(0).random((2, 40))
    assert paired_area_loss(y, scores, scores) == (0.0, 0.0, 0.0)


@given(coarse, st.integers(1, 12))
def test_every_twin_gets_exactly_the_deployed_number_of_alerts(score: np.ndarray, alerts: int) -> None:
    flags = within(score, alerts)
    assert flags.sum() == pytest.approx(alerts)
    assert flags.min() >= 0.0
    assert flags.max() <= 1.0
    assert np.all(np.diff(flags[np.argsort(score, kind="stable")]) >= 0.0)


def test_recall_loss_separates_a_shifted_scale_from_a_lost_order() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 300)
    clean = two(np.clip(0.3 + 0.4 * y + 0.05 * rng.normal(size=(2, 600)), 0, 1))
    shifted = two(np.clip(clean[..., 1] - 0.3, 0, 1))
    dose = Dose(share=0.1, flipped=6, rows=60, eligible=30, alerts=300, label="dose 0.1")
    judged = RecallLoss(plugin="p").judge(scene(600), Outcome(scores=shifted, clean=clean, y=y, payload=dose))
    by_metric = {m.metric: m for m in judged}
    assert by_metric["recall_loss"].value == pytest.approx(0.0, abs=0.01)
    assert by_metric["auc_loss"].value == pytest.approx(0.0, abs=0.01)
    assert by_metric["recall_loss_at_threshold"].low > 0.9
    assert dict(by_metric["recall_loss_at_threshold"].baseline)["poisoned alerts"] < 0.01


def test_recall_loss_says_inconclusive_when_nothing_is_flagged() -> None:
    y = np.array([0, 1] * 10)
    scores = two(np.full((1, 20), 0.1))
    dose = Dose(share=0.1, flipped=1, rows=10, eligible=5, alerts=0, label="dose 0.1")
    *recall, area_loss = RecallLoss().judge(scene(20), Outcome(scores=scores, clean=scores, y=y, payload=dose))
    assert [m.status for m in recall] == [Status.INCONCLUSIVE] * 2
    assert [m.value for m in recall] == [None, None]
    assert area_loss.value == 0.0


def test_recall_loss_of_many_classes_counts_right_decisions() -> None:
    y = np.array([0, 1, 2] * 20)
    right, wrong = np.eye(3)[y][None], np.eye(3)[(y + 1) % 3][None]
    dose = Dose(share=0.1, flipped=1, rows=10, eligible=5, alerts=60, label="dose 0.1")
    outcome = Outcome(scores=wrong, clean=right, y=y, payload=dose)
    (only,) = RecallLoss(source=None).judge(scene(60, None, 3), outcome)
    assert only.value == 1.0
    assert "one repeat" in only.caveats[-1]


@pytest.mark.parametrize("judge", [RecallLoss(), Agreement(), Advantage()], ids=lambda j: type(j).__name__)
def test_a_judge_refuses_the_wrong_payload(judge: RecallLoss | Agreement | Advantage) -> None:
    with pytest.raises(TemperError, match="needs"):
        judge.judge(scene(2), Outcome(scores=np.zeros(2), y=np.zeros(2), payload="nothing"))


def test_refit_noise_of_one_twin_is_unknown_not_zero() -> None:
    assert np.isnan(noise(np.array([0.4])))


# -- agreement ----------------------------------------------------------------------------------------------------


@given(labelled, arrays(np.int64, 12, elements=st.integers(0, 1)))
def test_table_figures_equal_those_of_the_rows(a: np.ndarray, b: np.ndarray) -> None:
    counts = table(a == 1, b == 1)
    assert f1_of(counts) == pytest.approx(f1(a, b))
    assert kappa_of(counts) == pytest.approx(kappa(a, b))


def test_rank_correlation_equals_scipy_with_ties() -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, 50).astype(float), rng.integers(0, 6, 50).astype(float)
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)


def test_the_auc_ratio_interval_agrees_with_a_bootstrap() -> None:
    from temper.kernels.bootstrap import interval

    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    victim = y + rng.normal(size=400)
    copy = victim + rng.normal(size=400)
    value, low, high = auc_ratio(y, victim, copy)
    assert value == pytest.approx(auc(y, copy) / auc(y, victim))
    again = interval(lambda *v: auc_ratio(*v)[0], y, victim, copy, rng=rng, replicates=400, method="percentile")
    assert (low, high) == pytest.approx(again[1:], abs=0.012)


def copied(victim: np.ndarray, copy: np.ndarray) -> Copied:
    return Copied(victim=victim, copy=copy, own=victim & False, own_scores=np.zeros(len(victim)), queries=9, known=2)


def test_a_copy_that_never_flags_agrees_on_most_rows_and_scores_nothing() -> None:
    score = np.r_[np.full(30, 0.9), np.full(970, 0.1)]
    y = (score > 0.5).astype(int)
    never = np.zeros(1000)
    judged = Agreement().judge(scene(1000), Outcome(scores=never, clean=score, y=y, payload=copied(y == 1, never > 1)))
    by_metric = {m.metric: m for m in judged}
    assert by_metric["raw_agreement"].value == 0.97
    assert dict(by_metric["raw_agreement"].baseline)["never flagging"] == 0.97
    assert by_metric["f1"].value == 0.0
    assert by_metric["kappa"].value == 0.0


def test_a_perfect_copy_is_seen_as_one() -> None:
    score = np.linspace(0.01, 0.99, 400)
    y = (score > 0.6).astype(int)
    judged = Agreement().judge(
        scene(400), Outcome(scores=score, clean=score, y=y, payload=copied(score > 0.5, score > 0.5))
    )
    assert {m.metric: m.value for m in judged if m.metric != "raw_agreement"} == pytest.approx(
        {"f1": 1.0, "kappa": 1.0, "logit_r2": 1.0, "spearman": 1.0, "auc_ratio": 1.0}
    )


def test_agreement_is_inconclusive_when_the_victim_hardly_flags() -> None:
    score = np.r_[np.full(3, 0.9), np.full(97, 0.1)]
    y = (score > 0.5).astype(int)
    judged = Agreement().judge(scene(100), Outcome(scores=score, clean=score, y=y, payload=copied(y == 1, y == 1)))
    assert {m.metric for m in judged if m.status is Status.INCONCLUSIVE} >= {"f1", "kappa"}


def test_r_squared_of_a_constant_guess_is_zero() -> None:
    wanted = np.array([0.0, 1.0, 2.0])
    assert r_squared(wanted, np.full(3, 1.0)) == 0.0


# -- advantage ----------------------------------------------------------------------------------------------------


def evidence(n: int, gap: float, *, telling: bool = False, references: int = 4) -> Membership:
    """Half members; `gap` is how far their scores stand out, `telling` gives the game away in a column."""
    rng = np.random.default_rng(5)
    member = np.arange(n) < n // 2
    inside = np.stack([rng.permutation(member) for _ in range(references)])
    x = rng.normal(size=(n, 3)) + (2.0 * member[:, None] if telling else 0.0)
    return Membership(
        x=x,
        y=rng.integers(0, 2, n),
        member=member,
        score=rng.normal(size=n) + gap * member,
        loss=rng.normal(size=n),
        references=rng.random((references, n)) * 0.5 + 0.4 * inside,
        inside=inside,
        twin=Guesses(member=inside[0], score=rng.normal(size=n) + gap * inside[0], loss=rng.normal(size=n)),
    )


def judged(seen: Membership) -> dict[tuple[str, str], object]:
    judge = Advantage(plugin="p", rng=Draws(0, "test"))
    return {(m.metric, m.slice): m for m in judge.judge(scene(1), Outcome(scores=seen.score, y=seen.y, payload=seen))}


def test_scores_that_stand_out_are_an_advantage_with_its_bounds() -> None:
    found = judged(evidence(4_000, 2.0))
    area_of, rate = found["auc", "all"], found["tpr_at_1pct", "all"]
    assert area_of.status is Status.OK
    assert area_of.low > dict(area_of.baseline)["permuted labels, upper end"]
    assert rate.low <= rate.value == rate.count / rate.n <= rate.high
    assert "realised false positives 20/2,000 (0.61% to 1.54% at 95%)" in rate.caveats[-1]
    assert rate.curve is not None
    assert rate.curve.scale == "log-log"
    assert found["epsilon_lower", "all"].value > 1.0


def test_a_missing_null_control_is_said() -> None:
    told = judged(replace(evidence(4_000, 2.0), twin=None))
    assert "null control" not in dict(told["auc", "all"].baseline)
    assert any("no null control" in caveat for caveat in told["auc", "all"].caveats)
    assert not any("no null control" in caveat for caveat in judged(evidence(4_000, 2.0))["auc", "all"].caveats)


def test_scores_that_do_not_stand_out_are_no_advantage() -> None:
    found = judged(evidence(4_000, 0.0))
    assert found["auc", "all"].low < 0.5 < found["auc", "all"].high
    assert found["epsilon_lower", "all"].value == 0.0
    assert "no evidence of leakage" in found["epsilon_lower", "all"].caveats


def test_a_rate_too_few_rows_could_show_is_not_reported() -> None:
    found = judged(evidence(1_600, 2.0))
    for metric in ("tpr_at_1pct", "tpr_at_01pct"):
        assert found[metric, "all"].status is Status.UNTRIED
        assert found[metric, "all"].value is None
    assert ("epsilon_lower", "all") not in found


def test_rows_that_differ_without_the_model_make_the_audit_void() -> None:
    found = judged(evidence(4_000, 2.0, telling=True))
    assert found["auc", "all"].status is Status.INCONCLUSIVE
    assert "without the model" in found["auc", "all"].reason
    stand_in = found["auc", "same recipe, random halves"]
    assert stand_in.status is Status.OK
    assert stand_in.value > 0.7


@given(coarse, labelled, st.sampled_from([0.0, 0.2, 0.5]))
def test_a_threshold_never_lets_through_more_others_than_allowed(score: np.ndarray, y: np.ndarray, rate: float) -> None:
    _, _, wrong, others = at_rate(y == 1, score, rate)
    assert wrong <= rate * others


def test_the_blind_classifier_finds_nothing_in_a_random_split() -> None:
    seen = evidence(2_000, 3.0)
    _, low, high = blind_area(seen.x, seen.y, seen.member, Draws(0, "test"))
    assert low <= 0.5
    assert high - low < 0.1


def test_exposed_records_are_members_above_nearly_all_others() -> None:
    member = np.arange(400) < 200
    score = np.where(np.arange(400) < 20, 10.0, np.random.default_rng(0).random(400))
    found = exposed(member, score)
    assert set(range(20)) <= set(found.tolist())
    assert len(found) < 40
    assert not len(exposed(member, np.random.default_rng(1).random(400)))
