"""Sequential tests of a rate: their error at any stopping time, what they save, and the exact ends beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from temper.core.errors import TemperError
from temper.kernels.sequential import (
    CERTIFY,
    GIVE_UP,
    GO_ON,
    Trials,
    anytime_lower,
    checkpoints,
    decide_rate,
    exact_lower,
    gaussian_radius,
    gaussian_rate,
    log_evidence,
    settled,
    trials,
)

ALPHA = 0.001


def simulated(rates: Any, p0: float, most: int, alpha: float, seed: int) -> Trials:
    """The test as the checks run it, on simulated votes."""
    rng = np.random.default_rng(seed)

    def vote(rows: Any, start: int, stop: int) -> Any:
        return rng.binomial(stop - start, rates[rows])

    return trials(vote, np.arange(len(rates)), len(rates), p0, alpha, most)


def test_a_rate_at_the_limit_is_certified_no_more_often_than_alpha_whenever_one_stops() -> None:
    alpha = 0.05
    seen = simulated(np.full(10_000, 0.84), 0.84, 50_000, alpha, 0)
    wrong = int(seen.held.sum())
    # Ten thousand nulls: a true error above alpha would exceed this bound in all but one of a thousand runs.
    assert wrong <= stats.binom.ppf(0.999, 10_000, alpha)
    assert wrong > 0
    # Nor does the lower end lie above the rate more often.
    assert (seen.lower > 0.84).sum() <= stats.binom.ppf(0.999, 10_000, alpha)


def test_at_the_checks_own_alpha_ten_thousand_nulls_are_certified_ten_times_at_most() -> None:
    for rate in (0.84, 0.80):
        assert simulated(np.full(10_000, rate), 0.84, 50_000, ALPHA, 1).held.sum() <= 10


def test_the_evidence_is_a_bet_whose_expectation_is_one() -> None:
    n, p0 = 200, 0.7
    k = np.arange(n + 1)
    assert (np.exp(log_evidence(k, n, p0)) * stats.binom.pmf(k, n, p0)).sum() == pytest.approx(1.0, abs=1e-9)
    assert log_evidence(0, 0, p0) == 0.0


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 100_000), st.floats(0, 1), st.sampled_from([0.001, 0.05]))
def test_the_exact_lower_end_is_scipys(n: int, share: float, alpha: float) -> None:
    k = int(share * n)
    wanted = stats.beta.ppf(alpha, k, n - k + 1) if k else 0.0
    assert exact_lower(k, n, alpha) == pytest.approx(wanted, abs=1e-12)
    tested = stats.binomtest(k, n, alternative="greater").proportion_ci(1 - alpha, "exact").low
    assert exact_lower(k, n, alpha) == pytest.approx(tested, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 100_000), st.floats(0, 1))
def test_the_anytime_end_is_where_the_evidence_runs_out_and_below_the_exact_one(n: int, share: float) -> None:
    k = int(share * n)
    low = float(anytime_lower(k, n, ALPHA))
    assert 0.0 <= low <= k / n
    assert low <= exact_lower(k, n, ALPHA) + 1e-9
    if low > 1e-9:
        assert decide_rate(k, n, low * (1 - 1e-9), ALPHA) == CERTIFY
    assert decide_rate(k, n, min(low + 1e-6, 1.0), ALPHA) != CERTIFY


def test_the_anytime_end_holds_at_all_looks_at_once() -> None:
    rng, rate, alpha = np.random.default_rng(2), 0.9, 0.05
    hits, done, missed = np.zeros(4_000, int), 0, np.zeros(4_000, bool)
    for stop in checkpoints(20_000, count=30):
        hits += rng.binomial(stop - done, rate, size=4_000)
        done = stop
        missed |= anytime_lower(hits, stop, alpha) > rate
    assert missed.sum() <= stats.binom.ppf(0.999, 4_000, alpha)


def test_stopping_early_saves_25_times_the_draws_and_hardly_a_certificate() -> None:
    # Votes of a model trained for the noise: most rows are sure, a few are near every limit.
    rates = 1 - np.random.default_rng(3).beta(0.4, 3.0, size=4_000)
    for radius, sigma in ((0.25, 0.25), (0.5, 0.5), (0.5, 0.25)):
        p0 = gaussian_rate(radius, sigma)
        seen = simulated(rates, p0, 50_000, ALPHA, 4)
        fixed = exact_lower(np.random.default_rng(5).binomial(100_000, rates), 100_000, ALPHA) > p0
        assert seen.draws.mean() <= 100_000 / 25
        assert fixed.mean() - seen.held.mean() <= 0.005


def test_giving_up_may_ask_for_less_than_certifying() -> None:
    assert decide_rate(70, 100, 0.84, ALPHA) == GO_ON
    assert decide_rate(70, 100, 0.84, ALPHA, futile=0.1) == GIVE_UP
    assert decide_rate(93, 100, 0.84, ALPHA, futile=0.1) == GO_ON
    assert decide_rate(100, 100, 0.84, ALPHA, futile=0.1) == CERTIFY


def test_without_rows_nothing_is_asked() -> None:
    def refuse(rows: Any, start: int, stop: int) -> Any:
        raise AssertionError("nobody is left to draw for")

    seen = trials(refuse, np.arange(0), 3, 0.8, ALPHA, 1_000)
    assert not seen.held.any()
    assert seen.lower.tolist() == [0.0, 0.0, 0.0]


def test_a_vote_is_settled_when_a_binomial_test_says_so() -> None:
    k = np.arange(101)
    wanted = [stats.binomtest(int(hits), 100).pvalue <= ALPHA for hits in k]
    np.testing.assert_array_equal(settled(k, 100, ALPHA), wanted)
    assert not settled(0, 0, ALPHA)


def test_radius_and_rate_are_each_others_inverse() -> None:
    radius = np.array([0.0, 0.1, 0.7])
    rates = [gaussian_rate(float(r), 0.5) for r in radius]
    np.testing.assert_allclose(gaussian_radius(rates, 0.5), radius, atol=1e-12)
    assert gaussian_radius(0.2, 0.5) == 0.0


def test_looks_rise_from_the_first_to_the_last() -> None:
    looks = checkpoints(100_000)
    assert (looks[0], looks[-1], len(looks)) == (100, 100_000, 60)
    assert list(looks) == sorted(set(looks))
    assert checkpoints(50) == (50,)
    with pytest.raises(TemperError, match="no plan"):
        checkpoints(0)
