"""Detectors of strange rows: their kernels against plain NumPy, thresholds that keep their promise, gaps and ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from temper.core.errors import TemperError
from temper.core.schema import Column, Schema
from temper.detectors.input.ecod import Ecod
from temper.detectors.input.mahalanobis import Mahalanobis
from temper.detectors.input.missing import Missing
from temper.detectors.stream.extraction import Extraction
from temper.kernels.conformal import threshold
from temper.kernels.ecod import tail_scores, tails
from temper.kernels.whitened import distances, whitened

PLAIN = np.zeros(3, dtype=bool)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def published(x: np.ndarray) -> np.ndarray:
    """ECOD as its paper has it: three sums over columns of -log tails of the rows themselves, the largest counts."""
    left = -np.log((x[:, None] >= x[None]).mean(axis=1))
    right = -np.log((x[:, None] <= x[None]).mean(axis=1))
    skew = ((x - x.mean(axis=0)) ** 3).sum(axis=0)
    lean = np.where(skew < 0, left, right)
    return np.max([left.sum(axis=1), right.sum(axis=1), lean.sum(axis=1)], axis=0)


@given(arrays.arrays(np.float32, (60, 3), elements=st.integers(-5, 20).map(np.float32)))
@settings(max_examples=60, deadline=None)
def test_ecod_gives_the_rows_it_is_fitted_on_the_published_score(x: np.ndarray) -> None:
    x[0], x[1] = [1, 2, 3], [4, 6, 9]  # no column without a skewness
    skew = ((x.astype(float) - x.astype(float).mean(axis=0)) ** 3).sum(axis=0)
    found = tail_scores(tails(x, PLAIN), x)[0]
    if (np.abs(skew) > 1e-6).all():
        np.testing.assert_allclose(found, published(x.astype(float)), rtol=1e-9)


def test_ecod_from_a_table_ranks_many_values_as_the_published_score_does() -> None:
    from scipy.stats import spearmanr

    x = np.column_stack([rng().normal(size=3_000), rng(1).lognormal(size=3_000), rng(2).gamma(2.0, size=3_000)])
    found = tail_scores(tails(x.astype(np.float32), PLAIN), x.astype(np.float32))[0]
    assert spearmanr(found, published(x)).statistic > 0.9995


def test_ecod_goes_on_beyond_the_values_it_knows() -> None:
    table = tails(rng().normal(size=(2_000, 3)).astype(np.float32), PLAIN)
    far = tail_scores(table, np.float32([[4, 0, 0], [8, 0, 0], [1e30, 0, 0], [np.inf, 0, 0]]))[0]
    assert (np.diff(far[:3]) > 0).all()
    assert far[2] > 1e20
    assert far[3] == np.inf


def test_mahalanobis_is_what_numpy_makes_of_it() -> None:
    x = rng().normal(size=(400, 3)) @ rng(1).normal(size=(3, 3))
    shape = whitened(x, PLAIN)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    from sklearn.covariance import ledoit_wolf

    inverse = np.linalg.inv(ledoit_wolf(z, assume_centered=True)[0] + 1e-4 * np.eye(3))
    wanted = np.einsum("ni,ij,nj->n", z, inverse, z) / 3
    np.testing.assert_allclose(distances(shape, x.astype(np.float32))[0], wanted, rtol=2e-4)


@pytest.mark.parametrize("n", [2, 4, 5_000])
def test_columns_that_follow_from_others_are_whitened_and_have_to_follow(n: int) -> None:
    a, kind = rng().normal(size=n), rng(1).integers(0, 2, n)
    x = np.column_stack([a, 3 * a + 1, kind, 1 - kind]).astype(np.float32)
    shape = whitened(x, np.zeros(4, dtype=bool))
    assert np.isfinite(shape.whiten).all()
    assert distances(shape, x)[0].max() < 50
    if n == 5_000:  # of four rows nobody knows what follows from what
        assert distances(shape, np.float32([[a[0], 3 * a[0] + 4, 1, 0]]))[0][0] > 100


def test_a_column_that_never_varies_may_not_begin_to() -> None:
    x = np.column_stack([rng().normal(size=500), np.full(500, 7.0)]).astype(np.float32)
    far = distances(whitened(x, PLAIN[:2]), np.float32([[0, 7], [0, 7.001], [0, np.nan]]))[0]
    assert far[0] < 1
    assert (far[1:] > 1e20).all()


def test_a_gap_counts_as_the_mean_where_gaps_are_and_is_out_of_reach_elsewhere() -> None:
    x = rng().normal(size=(4_000, 2)).astype(np.float32)
    x[::5, 1] = np.nan
    for watch in (Mahalanobis(rate=0.01), Ecod(rate=0.01)):
        state = watch.fit(x, Schema())
        assert not watch.step(state, np.float32([[0, np.nan]]))[1].alarms[0]
        assert watch.step(state, np.float32([[np.nan, 0]]))[1].values[0] > watch.step(state, x[:1])[1].values[0]
    assert Mahalanobis(rate=0.01).step(Mahalanobis(rate=0.01).fit(x, Schema()), np.float32([[np.nan, 0]]))[1].alarms[0]


def test_an_unseen_category_is_stranger_than_a_rare_one() -> None:
    schema = Schema(columns=(Column(name="a"), Column(name="kind", type="category", categories=tuple("abcdef"))))
    x = np.column_stack([rng().normal(size=6_000), rng(1).choice(4, p=[0.6, 0.3, 0.09, 0.01], size=6_000)])
    for watch in (Mahalanobis(), Ecod()):
        state = watch.fit(x, schema)
        common, rare, unseen, wrong = watch.step(state, np.array([[0, 0], [0, 3], [0, 5], [0, 1.5]]))[1].values
        assert common < rare < unseen == wrong


def test_missing_sees_pairs_that_never_were_and_nothing_where_gaps_are_anywhere() -> None:
    x = np.zeros((6_000, 4))
    x[::3, 0], x[1::3, 1] = np.nan, np.nan
    both = np.array([[np.nan, np.nan, 0, 0]])
    watch = Missing()
    found = watch.step(watch.fit(x, Schema()), np.concatenate([x[:3], both]))[1]
    assert list(found.alarms) == [False, False, False, True]
    assert "2 values are missing" in found.reason
    anywhere = np.where(rng().random((6_000, 40)) < 0.5, np.nan, 0.0)
    assert not watch.step(watch.fit(anywhere, Schema()), anywhere[:100] * 0)[1].alarms.any()


@pytest.mark.parametrize("rate", [0.05, 0.01])
def test_the_threshold_keeps_its_rate_on_average_and_its_interval_in_19_of_20(rate: float) -> None:
    n, inside, rates = 400, 0, []
    for seed in range(300):
        limit = threshold(rng(seed).exponential(size=n), rate)
        true = np.exp(-limit.value)
        rates.append(true)
        inside += limit.low <= true <= limit.high
    assert np.mean(rates) <= rate + 3 * np.std(rates) / np.sqrt(300)
    assert inside / 300 > 0.91


def test_too_few_rows_for_a_rate_are_refused_with_the_number_it_takes() -> None:
    with pytest.raises(TemperError, match="999 rows"):
        threshold(np.zeros(100), 0.001)
    with pytest.raises(TemperError, match="cannot show"):
        Mahalanobis().fit(rng().normal(size=(50, 2)), Schema())


@pytest.mark.parametrize("watch", [Mahalanobis(), Ecod(), Missing(), Extraction()], ids=lambda one: type(one).__name__)
def test_rows_of_another_width_are_refused_before_compiled_code_sees_them(watch: Any) -> None:
    state = watch.fit(rng().normal(size=(4_000, 3)), Schema())
    for shape in ((2, 2), (2, 4), (3,), (2, 3, 1)):
        with pytest.raises(TemperError, match="3 columns were fitted"):
            watch.step(state, np.zeros(shape, dtype=np.float32))


def test_rows_of_another_shape_are_refused() -> None:
    with pytest.raises(TemperError, match="columns of the schema"):
        Ecod().fit(np.zeros((10, 3)), Schema(columns=(Column(name="a"),)))
