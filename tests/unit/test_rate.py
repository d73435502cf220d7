"""Rates: what a gate may rely on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.errors import TemperError
from temper.core.measure import Better, Measurement, Status
from temper.kernels.rate import clopper_pearson, mcnemar, measure_rate, paired_rates, rows_needed, wilson

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(deadline=None)
@given(counts, st.floats(0.5, 0.999))
def test_an_interval_holds_its_rate_and_stays_in_range(counts: tuple[int, int], confidence: float) -> None:
    count, n = counts
    for low, high in (wilson(count, n, confidence), clopper_pearson(count, n, confidence)):
        assert 0 <= low <= count / n <= high <= 1


@settings(deadline=None)
@given(counts)
def test_swapping_events_and_non_events_mirrors_the_interval(counts: tuple[int, int]) -> None:
    count, n = counts
    for interval in (wilson, clopper_pearson):
        low, high = interval(count, n)
        other_low, other_high = interval(n - count, n)
        assert math.isclose(low, 1 - other_high, abs_tol=1e-9)
        assert math.isclose(high, 1 - other_low, abs_tol=1e-9)


@settings(deadline=None)
@given(counts)
def test_one_sided_ends_are_the_ends_of_the_wider_two_sided_interval(counts: tuple[int, int]) -> None:
    count, n = counts
    low, high = clopper_pearson(count, n, 0.90)
    assert math.isclose(clopper_pearson(count, n, 0.95, "lower")[0], low, abs_tol=1e-12)
    assert math.isclose(clopper_pearson(count, n, 0.95, "upper")[1], high, abs_tol=1e-12)
    assert clopper_pearson(count, n, 0.95, "lower")[1] == 1.0
    assert clopper_pearson(count, n, 0.95, "upper")[0] == 0.0


@settings(deadline=None)
@given(counts)
def test_the_exact_interval_equals_scipy(counts: tuple[int, int]) -> None:
    from scipy.stats import binomtest

    count, n = counts
    theirs = binomtest(count, n).proportion_ci(0.95, method="exact")
    assert np.allclose(clopper_pearson(count, n), (theirs.low, theirs.high), atol=1e-9)
    theirs = binomtest(count, n).proportion_ci(0.95, method="wilson")
    assert np.allclose(wilson(count, n), (theirs.low, theirs.high), atol=1e-9)


def test_the_exact_upper_end_covers_every_rate_at_its_confidence() -> None:
    from scipy.stats import binom

    n = 40
    tops = np.array([clopper_pearson(k, n, 0.95, "upper")[1] for k in range(n + 1)])
    for rate in np.linspace(0.005, 0.995, 60):
        assert binom.pmf(np.arange(n + 1), n, rate)[tops >= rate].sum() >= 0.95


@settings(deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.01, 0.05, 0.2, 0.5, 0.9, 0.99]), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_rows_needed_decide_and_one_row_less_does_not(per_mille: int, limit: float, confidence: float) -> None:
    rate = per_mille / 1000

    def decided(n: int) -> bool:
        if rate < limit:
            return clopper_pearson(-((-per_mille * n) // 1000), n, confidence, "upper")[1] <= limit + 1e-12
        return clopper_pearson(per_mille * n // 1000, n, confidence, "lower")[0] >= limit - 1e-12

    n = rows_needed(rate, limit, confidence)
    assert (n is None) == (rate == limit)
    if n is not None:
        assert decided(n)
        assert not decided(n - 1)


def test_no_number_of_rows_decides_a_rate_that_sits_on_the_limit() -> None:
    assert rows_needed(0.05, 0.05) is None
    assert rows_needed(0.0, 0.0) is None
    assert rows_needed(1.0, 1.0) is None


def test_more_rows_are_needed_the_nearer_the_rate_is_to_the_limit() -> None:
    needed = [rows_needed(rate, 0.05) for rate in (0.0, 0.01, 0.02, 0.03, 0.04, 0.049)]
    assert all(n is not None for n in needed)
    assert needed == sorted(needed, key=lambda n: n or 0)


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(0, 200))
def test_mcnemar_is_the_exact_two_sided_sign_test(only_before: int, only_after: int) -> None:
    from scipy.stats import binomtest

    total = only_before + only_after
    expected = binomtest(only_before, total).pvalue if total else 1.0
    assert math.isclose(mcnemar(only_before, only_after), expected, rel_tol=1e-9)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=120))
def test_swapping_before_and_after_mirrors_the_paired_interval(pairs: list[tuple[bool, bool]]) -> None:
    before, after = np.array(pairs).T
    difference, low, high = paired_rates(before, after)
    assert math.isclose(difference, after.mean() - before.mean(), abs_tol=1e-12)
    assert -1 <= low <= difference + 1e-12
    assert difference - 1e-12 <= high <= 1
    mirrored = paired_rates(after, before)
    assert np.allclose(mirrored, (-difference, -high, -low), atol=1e-9)


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 60))
def test_the_paired_interval_excludes_zero_exactly_when_the_score_test_rejects(
    lost: int, gained: int, same: int
) -> None:
    n = lost + gained + same
    if not lost + gained:
        return
    before = np.array([1] * lost + [0] * gained + [0] * same, dtype=bool)
    after = np.array([0] * lost + [1] * gained + [0] * same, dtype=bool)
    _, low, high = paired_rates(before, after)
    statistic = abs(gained - lost) / math.sqrt(lost + gained)
    if abs(statistic - 1.959964) > 1e-3 and n:
        assert (low > 0 or high < 0) == (statistic > 1.959964)


def test_the_paired_interval_covers_the_true_difference() -> None:
    rng = np.random.default_rng(5)
    cells = np.array([0.02, 0.10, 0.28, 0.60])  # only after, only before, both, neither
    truth, n, trials, covered = cells[0] - cells[1], 150, 800, 0
    for draw in rng.multinomial(n, cells, size=trials):
        kinds = np.repeat(np.arange(4), draw)
        _, low, high = paired_rates((kinds == 1) | (kinds == 2), (kinds == 0) | (kinds == 2))
        covered += low <= truth <= high
    assert abs(covered / trials - 0.95) <= 3 * math.sqrt(0.95 * 0.05 / trials)


def test_a_rate_without_events_says_what_it_does_not_exclude() -> None:
    measured = measure_rate("evasion.noise", "success_rate", 0, 59)
    assert (measured.value, measured.count, measured.n, measured.method) == (0.0, 0, 59, "Wilson")
    assert measured.caveats == ("0/59: under 5 %",)
    assert measured.better is Better.LOWER


def test_a_rate_where_all_rows_are_events_says_how_low_it_may_be() -> None:
    assert measure_rate("a", "b", 59, 59).caveats == ("59/59: over 95 %",)


@settings(deadline=None)
@given(counts, st.integers(0, 100))
def test_undecided_rows_widen_the_interval_to_both_readings(counts: tuple[int, int], undecided: int) -> None:
    count, n = counts
    n += undecided
    measured = measure_rate("a", "b", count, n, undecided=undecided)
    assert measured.low is not None
    assert measured.high is not None
    assert measured.low <= count / n <= (count + undecided) / n <= measured.high
    assert measured.undecided == undecided
    assert bool(undecided) == any("undecided" in caveat for caveat in measured.caveats)


def test_a_rate_without_a_decided_row_has_no_value_and_is_untried() -> None:
    for measured in (measure_rate("a", "b", 0, 0), measure_rate("a", "b", 0, 9, undecided=9)):
        assert measured.value is None
        assert measured.status is Status.UNTRIED
        assert measured.reason


def test_further_fields_win_over_what_is_filled() -> None:
    measured = measure_rate(
        "a",
        "b",
        1,
        10,
        better=Better.HIGHER,
        slice="region=n",
        caveats=("first",),
        status=Status.INCONCLUSIVE,
        reason="x",
    )
    assert isinstance(measured, Measurement)
    assert (measured.slice, measured.caveats, measured.status) == ("region=n", ("first",), Status.INCONCLUSIVE)


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson(3, 2),
        lambda: wilson(-1, 2),
        lambda: clopper_pearson(1, 2, 1.0),
        lambda: clopper_pearson(1, 2, side="both"),  # type: ignore[arg-type]
        lambda: rows_needed(1.2, 0.5),
        lambda: mcnemar(-1, 2),
        lambda: paired_rates([True], [True, False]),
        lambda: paired_rates([], []),
        lambda: measure_rate("a", "b", 8, 10, undecided=3),
    ],
)
def test_impossible_counts_are_refused(call: object) -> None:
    with pytest.raises(TemperError):
        call()  # type: ignore[operator]
