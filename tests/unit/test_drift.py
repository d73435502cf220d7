"""Comparisons of windows against SciPy, against what peers get wrong, and against themselves in parts."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from temper.core.errors import ContractError
from temper.core.room import Room
from temper.core.schema import Column, Schema
from temper.kernels import drift
from temper.kernels.cells import cells_of, coarse, tally
from temper.kernels.mean_discrepancy import mean_discrepancy
from temper.kernels.smirnov import smirnov_p
from temper.monitoring.reference import Reference, Sample, Window

NUMBER, CODE = np.array([False]), np.array([True])
ROOM = Room("temper.monitoring.drift")


def two(a, b, category=NUMBER, most=10**9):
    """Both samples counted at every value there is."""
    cells = cells_of(np.concatenate([a, b])[:, None], category, most)
    return cells, tally(cells, a[:, None]), tally(cells, b[:, None])


SAMPLES = {
    "numbers": lambda rng, n: rng.normal(size=n),
    "counts": lambda rng, n: rng.poisson(3.0, n),
    "heavy": lambda rng, n: rng.standard_cauchy(n),
    "few": lambda rng, n: rng.integers(0, 2, n),
}


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize(("n", "m"), [(2, 2), (7, 300), (2_000, 900)])
def test_distances_are_scipys(kind, n, m):
    rng = np.random.default_rng(n)
    a, b = (SAMPLES[kind](rng, size).astype(np.float32) for size in (n, m))
    distance, p = drift.ks(*two(a, b))
    known = stats.ks_2samp(a, b, method="asymp")
    assert distance[0] == pytest.approx(known.statistic, abs=1e-12)
    assert p[0] == pytest.approx(known.pvalue, rel=1e-6)
    area, _ = drift.wasserstein(*two(a, b))
    wide = a.astype(np.float64), b.astype(np.float64)
    assert area[0] == pytest.approx(stats.wasserstein_distance(*wide), rel=1e-12, abs=1e-12)


def test_categories_are_compared_like_scipy_does():
    rng = np.random.default_rng(0)
    a, b = rng.choice(5, 3_000, p=[0.3, 0.3, 0.2, 0.1, 0.1]), rng.choice(5, 1_000, p=[0.2, 0.3, 0.3, 0.1, 0.1])
    table = np.array([np.bincount(part, minlength=5) for part in (a, b)])
    known = stats.chi2_contingency(table, correction=False)
    size, p = drift.g_test(*two(a, b, CODE))
    assert size[0] == pytest.approx(np.sqrt(known.statistic / table.sum()), rel=1e-12)
    plain = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").pvalue
    assert plain < p[0] < 1.1 * plain, "Williams's correction makes it a little larger"
    apart, _ = drift.jensen_shannon(*two(a, b, CODE))
    assert apart[0] == pytest.approx(jensenshannon(*(table / table.sum(axis=1)[:, None]), base=2), rel=1e-12)
    shares = (table + 0.5) / (table.sum(axis=1)[:, None] + 0.5 * 6)  # and one for new ones
    odds = (0.5 / 3_003.0, 0.5 / 1_003.0)
    index = ((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum() + (odds[0] - odds[1]) * np.log(
        odds[0] / odds[1]
    )
    assert drift.psi(*two(a, b, CODE))[0][0] == pytest.approx(index, rel=1e-12)


@pytest.mark.parametrize(("events", "n", "others", "m"), [(3, 50, 9, 40), (0, 10, 0, 10), (5, 1_000, 40, 1_000)])
def test_rates_are_judged_by_the_hypergeometric_tail(events, n, others, m):
    law = stats.hypergeom(n + m, events + others, m)
    tail = min(law.cdf(others), law.sf(others - 1))
    found = drift.rates(*(np.array([one]) for one in (events, n, others, m)))
    assert found[0] == pytest.approx(min(1.0, 2.0 * tail), rel=1e-9)


@pytest.mark.parametrize(
    ("d", "n"),
    [
        *((0.0078, 50_000), (0.02, 5_000), (0.03, 5_000), (0.2, 141), (0.6, 10), (0.9, 3), (0.02, 90_000)),
        *((0.05, 100), (0.15, 120), (0.01, 5_000), (0.0005, 90_000), (0.4, 1), (0.007, 140)),
    ],
)
def test_smirnovs_sum_is_scipys(d, n):
    assert smirnov_p(np.array([d]), np.array([n]))[0] == pytest.approx(stats.kstwo.sf(d, n), rel=1e-8)


def test_smirnovs_limit_is_close_where_the_sum_is_too_long():
    assert smirnov_p(np.array([0.004]), np.array([100_001]))[0] == pytest.approx(
        stats.kstwo.sf(0.004, 100_001), rel=1e-4
    )


def test_few_knots_never_find_more_than_all():
    rng = np.random.default_rng(1)
    for shift in (0.0, 0.05, 0.3):
        a, b = rng.normal(size=4_000), rng.normal(shift, 1.0, 3_000)
        exact, some = (drift.ks(*two(a, b, most=most))[0][0] for most in (10**9, 256))
        assert exact - 1.0 / 256.0 <= some <= exact + 1e-12
        area, less = (drift.wasserstein(*two(a, b, most=most))[0][0] for most in (10**9, 256))
        assert less == pytest.approx(area, abs=0.01)


def test_a_value_is_the_same_from_a_file_as_on_the_wire():
    values = np.array([[0.1], [0.2], [0.3]])
    cells = cells_of(values, NUMBER)
    assert (tally(cells, values).counts == tally(cells, values.astype(np.float32)).counts).all()
    assert tally(cells, values).counts.tolist() == [0, 1, 0, 1, 0, 1, 0]


def test_values_beyond_single_precision_and_gaps_are_counted():
    cells = cells_of(np.array([[1.0], [2.0]]), NUMBER)
    found = tally(cells, np.array([[1e300], [-np.inf], [np.nan], [1.5]]))
    assert found.counts.tolist() == [1, 0, 1, 0, 1]
    assert (found.missing.tolist(), found.rows) == ([1], 4)


def test_bins_have_their_share_of_the_reference():
    counts = np.random.default_rng(0).integers(0, 50, 501)
    place = coarse(counts, 10)
    shares = np.bincount(place, weights=counts) / counts.sum()
    assert (np.diff(place) >= 0).all()
    assert shares.min() >= 0.1
    assert coarse(np.zeros(5, dtype=int), 10).tolist() == [0] * 5


def test_samples_of_parts_are_the_sample_of_the_whole():
    rows, ids = np.arange(3_000.0)[:, None], np.arange(3_000) * 7
    parts = [Sample.of(rows[at::3], ids[at::3]) for at in range(3)]
    assert (sum(parts[1:], parts[0]).rows == Sample.of(rows, ids).rows).all()


def test_exchanging_rows_never_gives_a_p_of_nought():
    rows = np.random.default_rng(0).normal(size=(60, 2))
    value, p = mean_discrepancy(rows[:30], rows[30:] + 9.0, 99)
    assert (value > 0.5, p) == (True, 0.01)


# What users of other monitors reported, as they told it.


def found(name, reference, window, schema=None):
    known = Reference.fit(reference, schema or Schema())
    return ROOM.build(name).compare(Window.of(known, window, np.arange(len(window))))


def test_many_levels_do_not_alarm_without_drift():
    """A reference whose shares count as exact alarms in every run from thirty levels on."""
    schema = Schema(columns=(Column(name="shop", type="category", categories=tuple(map(str, range(100)))),))
    runs = [np.random.default_rng(seed).integers(0, 100, (2, 1_000, 1)).astype(float) for seed in range(40)]
    for name in ("g_test", "psi", "jensen_shannon", "unseen"):
        alarms = sum(found(name, *run, schema).p[0] < 0.05 for run in runs)
        assert alarms <= 8, f"{name} alarms in {alarms} of 40 runs"  # 1 in 10,000 at a rate of .05


@pytest.mark.parametrize(("n", "m"), [(1_001, 200), (20_000, 1_000)])
def test_no_number_of_rows_alarms_by_itself(n, m):
    """A distance held against a fixed limit flags a third of all columns at 1,001 and 200 rows."""
    rng = np.random.default_rng(n)
    rows = np.column_stack([rng.normal(size=(n + m, 10)), rng.lognormal(size=(n + m, 10))])
    for name in ("ks", "wasserstein", "jensen_shannon", "psi"):
        assert (found(name, rows[:n], rows[n:]).p < 0.05).sum() <= 6, name


def test_values_that_go_missing_are_seen():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4_000, 1))
    gone = np.where(rng.random((2_000, 1)) < 0.4, np.nan, rows[2_000:])
    assert found("missing", rows[:2_000], gone).p[0] < 1e-100
    assert found("ks", rows[:2_000], gone).p[0] > 1e-3, "the values that are there are as before"


@pytest.mark.parametrize("name", ["ks", "psi", "jensen_shannon", "wasserstein"])
def test_a_unit_error_is_seen_and_one_wild_row_neither_hides_it_nor_makes_one(name):
    """Bins between the smallest and largest value of both samples let one row of a million decide."""
    rng = np.random.default_rng(0)
    rows, wild = rng.lognormal(size=(20_000, 1)), np.array([[1e6]])
    same, wrong = rows[10_000:], 1.5 * rows[10_000:]
    assert found(name, rows[:10_000], wrong).p[0] < 1e-3
    assert found(name, rows[:10_000], np.concatenate([wrong[1:], wild])).p[0] < 1e-3
    assert found(name, rows[:10_000], np.concatenate([same[1:], wild])).p[0] > 0.05


def test_small_and_large_windows_are_held_against_what_they_can_show():
    """A fixed limit of .1 of the index sees nothing of a tenth of a standard deviation, however many rows there are."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(110_000, 1))
    moved = found("psi", rows[:100_000], rows[100_000:] + 0.1)
    assert (moved.values[0] < 0.1, moved.p[0] < 1e-6) == (True, True)


def test_windows_of_two_references_do_not_add_up():
    one, two = (Reference.fit(np.arange(9.0)[:, None] * k, Schema()) for k in (1, 2))
    with pytest.raises(ContractError, match="two references"):
        Window.of(one, np.zeros((1, 1)), np.zeros(1)) + Window.of(two, np.zeros((1, 1)), np.zeros(1))


def test_a_reference_of_one_row_is_refused():
    with pytest.raises(ContractError, match="1 rows are no reference"):
        Reference.fit(np.zeros((1, 2)), Schema())
