"""Statistics against published tables and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from temper.kernels.bootstrap import interval
from temper.kernels.ranking import auc, average_precision
from temper.kernels.rate import clopper_pearson, mcnemar, paired_rates, rows_needed, wilson


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_equals_newcombe_1998_table_1_method_3(count: int, n: int, low: float, high: float) -> None:
    assert np.allclose(wilson(count, n), (low, high), atol=5e-5)


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_clopper_pearson_equals_newcombe_1998_table_1_method_5(count: int, n: int, low: float, high: float) -> None:
    assert np.allclose(clopper_pearson(count, n), (low, high), atol=5e-5)


@pytest.mark.parametrize("n", [1, 10, 59, 300])
def test_zero_events_have_the_closed_form_of_the_rule_of_three(n: int) -> None:
    assert math.isclose(clopper_pearson(0, n, 0.95, "upper")[1], 1 - 0.05 ** (1 / n), rel_tol=1e-12)
    assert math.isclose(clopper_pearson(n, n, 0.95, "lower")[0], 0.05 ** (1 / n), rel_tol=1e-12)


@pytest.mark.parametrize(("limit", "rows"), [(0.10, 29), (0.05, 59), (0.01, 299), (0.001, 2995)])
def test_rows_without_a_failure_equal_the_success_run_theorem(limit: float, rows: int) -> None:
    assert rows_needed(0.0, limit, 0.95) == rows == math.ceil(math.log(0.05) / math.log(1 - limit))
    assert rows_needed(1.0, 1 - limit, 0.95) == rows


def test_mcnemar_equals_hand_computed_binomials() -> None:
    assert mcnemar(0, 5) == 2 * 0.5**5
    assert mcnemar(2, 10) == pytest.approx(2 * (1 + 12 + 66) / 2**12, rel=1e-12)
    assert mcnemar(4, 4) == 1.0
    assert mcnemar(0, 0) == 1.0


def test_tango_without_discordant_pairs_has_its_closed_form() -> None:
    # With b = c = 0 the score statistic at d is sqrt(n d / (1 - d)) for d > 0, so the end is z2 / (n + z2).
    z2 = 1.959963984540054**2
    _, low, high = paired_rates(np.zeros(44, dtype=bool), np.zeros(44, dtype=bool))
    assert math.isclose(high, z2 / (44 + z2), rel_tol=1e-9)
    assert math.isclose(low, -z2 / (44 + z2), rel_tol=1e-9)


@pytest.mark.parametrize(("lost", "gained", "n"), [(12, 2, 50), (1, 0, 44), (9, 0, 30), (5, 14, 212)])
def test_tango_ends_solve_the_likelihood_found_by_search(lost: int, gained: int, n: int) -> None:
    before = np.array([1] * lost + [0] * (n - lost), dtype=bool)
    after = np.array([0] * lost + [1] * gained + [0] * (n - lost - gained), dtype=bool)
    _, *ends = paired_rates(before, after)
    for end in ends:
        # The off-diagonal rate is the restricted maximum of the multinomial likelihood, here by brute force.
        loss = np.linspace(max(0.0, -end), (1 - end) / 2, 2_000_001)[1:-1]
        gain = loss + end
        likelihood = lost * np.log(loss) + (n - lost - gained) * np.log1p(-loss - gain)
        likelihood += gained * np.log(gain) if gained else 0.0
        best = loss[np.argmax(likelihood)]
        z = (gained - lost - n * end) / math.sqrt(n * (2 * best + end - end**2))
        assert math.isclose(abs(z), 1.959964, rel_tol=1e-3)


def test_areas_equal_the_published_four_row_example() -> None:
    y, score = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]
    assert auc(y, score) == 0.75
    assert math.isclose(average_precision(y, score), 5 / 6)


def test_the_percentile_interval_of_a_binary_mean_is_the_binomial_quantile() -> None:
    from scipy.stats import binom

    x = np.array([1.0] * 30 + [0.0] * 70)
    _, low, high = interval(np.mean, x, rng=np.random.default_rng(0), replicates=20_000, method="percentile")
    assert (low, high) == (binom.ppf(0.025, 100, 0.3) / 100, binom.ppf(0.975, 100, 0.3) / 100)
