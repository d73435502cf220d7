"""Rates over prompts tried several times: known intervals at the edges, order kept, and coverage by simulation."""

from __future__ import annotations

import itertools
import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.errors import TemperError
from temper.kernels.clustered import (
    anytime_mean,
    bounded_mean,
    clustered_rate,
    clusters_needed,
    hit_at_k,
    p_over,
    p_under,
    paired_means,
    under,
)
from temper.kernels.rate import clopper_pearson
from temper.kernels.sequential import CERTIFY, GIVE_UP, GO_ON

GROUPS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 6)).map(lambda p: (min(p), p[1])), min_size=1, max_size=12
)


@pytest.mark.parametrize(("count", "n"), [(0, 1), (1, 1), (1, 2), (0, 59), (3, 30), (150, 300), (10, 1000)])
@pytest.mark.parametrize("trials", [1, 7])
def test_prompts_that_always_or_never_work_count_once_each(count: int, n: int, trials: int) -> None:
    from scipy.special import betaincinv

    hits = [trials] * count + [0] * (n - count)
    _, low, high = clustered_rate(hits, [trials] * n, 0.9, "gate")
    assert (low, high) == pytest.approx(clopper_pearson(count, n, 0.9), abs=1e-8)
    _, low, high = clustered_rate(hits, [trials] * n, 0.9)
    assert low == pytest.approx(betaincinv(count + 0.5, n - count + 0.5, 0.05) if count else 0.0, abs=1e-8)
    assert high == pytest.approx(betaincinv(count + 0.5, n - count + 0.5, 0.95) if count < n else 1.0, abs=1e-8)


def test_ends_agree_with_weights_drawn_at_random() -> None:
    x = np.array([0.0] * 40 + [0.2] * 8 + [0.6] * 3 + [0.9] * 2)
    rng = np.random.default_rng(0)
    drawn = rng.gamma(np.r_[np.ones(len(x)), 0.5, 0.5], size=(100_000, len(x) + 2))
    drawn /= drawn.sum(axis=1, keepdims=True)
    _, low, high = bounded_mean(x)
    assert low == pytest.approx(np.quantile(drawn @ np.r_[x, 0.0, 0.9], 0.025), abs=2e-3)
    assert high == pytest.approx(np.quantile(drawn @ np.r_[x, 0.0, 1.0], 0.975), abs=2e-3)


@settings(max_examples=30, deadline=None)
@given(GROUPS, st.sampled_from(["show", "gate"]), st.sampled_from([0.8, 0.95]))
def test_the_interval_holds_the_value_never_shrinks_to_it_and_mirrors(
    groups: list[tuple[int, int]], use: str, confidence: float
) -> None:
    hits, trials = [h for h, _ in groups], [n for _, n in groups]
    value, low, high = clustered_rate(hits, trials, confidence, use)  # type: ignore[arg-type]
    assert 0 <= low <= value <= high <= 1
    assert low < high
    other = clustered_rate([n - h for h, n in groups], trials, confidence, use)  # type: ignore[arg-type]
    assert other == pytest.approx((1 - value, 1 - high, 1 - low), abs=1e-7)
    assert clustered_rate(hits[::-1], trials[::-1], confidence, use) == (value, low, high)  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(GROUPS, st.data())
def test_one_more_hit_never_lowers_an_end(groups: list[tuple[int, int]], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(groups) - 1))
    more = [(min(n, h + (i == at)), n) for i, (h, n) in enumerate(groups)]
    for use in ("show", "gate"):
        before, after = (clustered_rate(*zip(*g, strict=True), use=use) for g in (groups, more))  # type: ignore[arg-type]
        assert all(b >= a - 1e-7 for a, b in zip(before, after, strict=True))


def test_prompts_without_a_trial_say_nothing() -> None:
    assert clustered_rate([1, 0, 0], [2, 3, 0]) == clustered_rate([1, 0], [2, 3])
    value, low, high = clustered_rate([], [])
    assert math.isnan(value)
    assert (low, high) == (0.0, 1.0)


def drawn(rate: float, likeness: float, prompts: int, trials: int, rng: np.random.Generator) -> np.ndarray:
    """Hits per prompt, beta-binomial with this correlation between the trials of a prompt."""
    if likeness in (0.0, 1.0):
        own = np.full(prompts, rate) if likeness == 0 else (rng.random(prompts) < rate).astype(float)
    else:
        spread = (1 - likeness) / likeness
        own = rng.beta(rate * spread, (1 - rate) * spread, prompts)
    return rng.binomial(trials, own)


@cache
def interval_of(hits: tuple[int, ...], trials: int, use: str = "show") -> tuple[float, float]:
    """The interval of sorted hits: their order says nothing, and small draws come again and again."""
    return clustered_rate(hits, [trials] * len(hits), use=use)[1:]  # type: ignore[arg-type]


@pytest.mark.campaign
@pytest.mark.parametrize(("rate", "likeness"), [(0.05, 0.0), (0.15, 0.8), (0.3, 0.1), (0.3, 0.4), (0.5, 1.0)])
def test_a_planted_rate_is_covered_as_often_as_promised(rate: float, likeness: float) -> None:
    rng, runs = np.random.default_rng(11), 1000
    seen = [interval_of(tuple(np.sort(drawn(rate, likeness, 40, 5, rng))), 5) for _ in range(runs)]
    covered = sum(low <= rate <= high for low, high in seen) / runs
    assert 0.95 - 3 * math.sqrt(0.05 * 0.95 / runs) <= covered <= 0.985


@pytest.mark.parametrize("likeness", [0.0, 0.3, 1.0])
def test_the_gate_is_safe_with_few_prompts(likeness: float) -> None:
    rng, runs = np.random.default_rng(5), 300
    for rate in (0.04, 0.5):
        seen = [interval_of(tuple(np.sort(drawn(rate, likeness, 8, 4, rng))), 4, "gate") for _ in range(runs)]
        covered = sum(low <= rate <= high for low, high in seen) / runs
        assert covered >= 0.95 - 2 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize(("hits", "trials", "k"), [(0, 4, 2), (1, 4, 2), (2, 5, 3), (5, 5, 2), (3, 7, 7)])
def test_hit_at_k_is_the_share_of_choices_with_a_hit(hits: int, trials: int, k: int) -> None:
    chosen = list(itertools.combinations([True] * hits + [False] * (trials - hits), k))
    assert hit_at_k([hits], [trials], k)[0] == pytest.approx(sum(map(any, chosen)) / len(chosen))
    assert hit_at_k([hits], [trials], 1)[0] == pytest.approx(clustered_rate([hits], [trials])[0])


def test_hit_at_k_is_unbiased() -> None:
    rng = np.random.default_rng(3)
    hits = rng.binomial(6, 0.2, 20_000)
    assert hit_at_k(hits.tolist(), [6] * len(hits), 3)[0] == pytest.approx(1 - 0.8**3, abs=0.01)


def test_looking_after_every_prompt_keeps_the_error() -> None:
    """At the limit itself, with trials of a prompt alike, neither verdict comes more often than promised."""
    rng, runs, wrong = np.random.default_rng(7), 150, 0
    for _ in range(runs):
        hits = drawn(0.2, 0.5, 120, 3, rng)
        wrong += any(under(hits[:n], [3] * n, 0.2, 0.9) == CERTIFY for n in range(5, 121, 5))
    assert wrong / runs <= 0.1 + 2 * math.sqrt(0.09 / runs)


def test_a_low_rate_is_certified_and_a_high_one_given_up() -> None:
    first = next(n for n in range(1, 200) if under([0] * n, [5] * n, 0.05) == CERTIFY)
    assert 58 < first <= 90
    assert under([5] * 3, [5] * 3, 0.05) == GIVE_UP
    assert under([], [], 0.05) == GO_ON
    assert under([0] * 30, [5] * 30, 0.05) == GO_ON


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: clustered_rate([2], [1]),
        lambda: clustered_rate([1, 2], [3]),
        lambda: clustered_rate([0], [1], 1.0),
        lambda: clustered_rate([0], [1], use="guess"),  # type: ignore[arg-type]
        lambda: hit_at_k([1], [2], 3),
        lambda: hit_at_k([1], [2], 0),
        lambda: bounded_mean([1.5]),
        lambda: under([0], [1], 1.5),
    ],
)
def test_bad_counts_are_refused(wrong: object) -> None:
    with pytest.raises(TemperError):
        wrong()  # type: ignore[operator]


@settings(max_examples=40, deadline=None)
@given(GROUPS, st.sampled_from([0.05, 0.3, 0.8]), st.sampled_from([0.9, 0.95]))
def test_a_p_value_says_what_the_end_of_the_interval_says(
    groups: list[tuple[int, int]], limit: float, confidence: float
) -> None:
    x = np.array([h / n for h, n in groups])
    ones = np.ones(len(x))
    for interval, anytime in (
        (lambda: bounded_mean(x, 2 * confidence - 1, "gate"), False),
        (lambda: anytime_mean(x, ones, 2 * confidence - 1), True),
    ):
        _, low, high = interval()
        if abs(high - limit) > 1e-6:
            assert (p_under(x, ones, limit, anytime) <= 1 - confidence) == (high < limit)
        if abs(low - limit) > 1e-6:
            assert (p_over(x, ones, limit, anytime) <= 1 - confidence) == (low > limit)


def test_p_values_of_whole_prompts_are_the_binomial_ones() -> None:
    from scipy.stats import binom

    for k, n in ((0, 59), (2, 40), (30, 40)):
        counts = ([0.0, 1.0], [n - k, k])
        assert p_under(*counts, 0.2) == pytest.approx(binom.cdf(k, n, 0.2), abs=1e-8)
        assert p_over(*counts, 0.2) == pytest.approx(binom.sf(k - 1, n, 0.2), abs=1e-8)


@pytest.mark.parametrize("anytime", [False, True])
def test_the_number_that_is_asked_for_decides_and_no_smaller_one_does(anytime: bool) -> None:
    for values, counts, limit in (([0.0], [12], 0.05), ([0.0, 0.5, 1.0], [30, 4, 1], 0.2), ([0.0, 1.0], [5, 5], 0.3)):
        needed = clusters_needed(values, counts, limit, 0.95, anytime)
        assert needed is not None
        share = np.array(counts) / sum(counts)
        claim = p_under if np.dot(values, share) < limit else p_over
        assert claim(values, share * needed, limit, anytime) <= 0.05 + 1e-6
        assert claim(values, share * (needed - 1), limit, anytime) > 0.05
    assert clusters_needed([0.0, 1.0], [95, 5], 0.05, 0.95, anytime) is None


@pytest.mark.campaign
@pytest.mark.parametrize("likeness", [0.0, 0.6])
def test_an_interval_for_any_time_holds_at_the_worst_moment(likeness: float) -> None:
    rng, runs, missed = np.random.default_rng(9), 120, 0
    for _ in range(runs):
        x = drawn(0.15, likeness, 100, 3, rng) / 3
        ends = [anytime_mean(x[:n], np.ones(n), 0.9)[1:] for n in range(10, 101, 10)]
        missed += any(not low <= 0.15 <= high for low, high in ends)
    assert missed / runs <= 0.1 + 2 * math.sqrt(0.09 / runs)


@pytest.mark.campaign
@pytest.mark.parametrize("likeness", [0.0, 0.5])
def test_the_difference_of_pairs_is_covered_as_often_as_promised(likeness: float) -> None:
    """Two runs of the same prompts, each with its own rate of working, the second half as weak."""
    rng, runs, covered = np.random.default_rng(13), 400, 0
    for _ in range(runs):
        own = rng.beta(0.3 * 2, 0.7 * 2, 60) if likeness else np.full(60, 0.3)
        before, after = rng.binomial(3, own) / 3, rng.binomial(3, own / 2) / 3
        _, low, high = paired_means(before, after)
        covered += low <= -0.15 <= high
    assert covered / runs >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / runs)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_pairs_the_other_way_round_are_the_other_way_round(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array([pair[at] for pair in pairs]) / 4 for at in (0, 1))
    value, low, high = paired_means(first, second)
    assert paired_means(second, first) == pytest.approx((-value, -high, -low), abs=1e-7)
    assert -1 <= low < high <= 1
    assert low <= value <= high
