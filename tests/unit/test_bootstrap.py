"""The bootstrap: reproducible, equal on its fast path, honest at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng

from temper.core.errors import TemperError
from temper.kernels import bootstrap
from temper.kernels.bootstrap import interval, paired
from temper.kernels.ranking import auc


def test_the_same_generator_gives_the_same_interval() -> None:
    x = default_rng(1).normal(size=80)
    assert interval(np.mean, x, rng=default_rng(7)) == interval(np.mean, x, rng=default_rng(7))
    assert interval(np.mean, x, rng=default_rng(7)) != interval(np.mean, x, rng=default_rng(8))


def test_the_vectorised_path_gives_the_numbers_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    x = default_rng(1).exponential(size=70)
    fast = interval(np.mean, x, rng=default_rng(2), replicates=300)
    slow = interval(lambda v: np.mean(v), x, rng=default_rng(2), replicates=300)
    assert np.allclose(fast, slow, rtol=1e-12)
    monkeypatch.setattr(bootstrap, "CHUNK", 170)
    assert np.allclose(interval(np.mean, x, rng=default_rng(2), replicates=300), fast, rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=40), st.sampled_from(["bca", "percentile"]))
def test_the_interval_is_ordered_and_moves_with_the_data(values: list[float], method: str) -> None:
    x = np.array(values)
    _, low, high = interval(np.mean, x, rng=default_rng(0), replicates=100, method=method)  # type: ignore[arg-type]
    assert low <= high
    moved = interval(np.mean, x + 5.0, rng=default_rng(0), replicates=100, method="percentile")
    still = interval(np.mean, x, rng=default_rng(0), replicates=100, method="percentile")
    assert np.allclose(np.array(moved) - 5.0, still, atol=1e-6)


def test_scipy_gives_the_same_interval_within_resampling_noise() -> None:
    from scipy.stats import bootstrap as theirs

    x = default_rng(3).exponential(size=60)
    for method, name in (("bca", "BCa"), ("percentile", "percentile")):
        expected = theirs((x,), np.mean, n_resamples=20_000, method=name, rng=default_rng(0)).confidence_interval
        _, low, high = interval(np.mean, x, rng=default_rng(0), replicates=20_000, method=method)  # type: ignore[arg-type]
        assert abs(low - expected.low) < 0.01
        assert abs(high - expected.high) < 0.01


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_the_interval_covers_the_mean_as_often_as_it_says(method: str) -> None:
    rng = default_rng(11)
    trials, n = 500, 60
    covered = 0
    for _ in range(trials):
        _, low, high = interval(np.mean, rng.normal(size=n), rng=rng, replicates=400, method=method)  # type: ignore[arg-type]
        covered += low <= 0.0 <= high
    # The bootstrap of a mean at n = 60 is a z interval with the n divisor: t says it covers 0.943, so 0.943 is asked.
    assert abs(covered / trials - 0.943) <= 3 * math.sqrt(0.943 * 0.057 / trials)


def test_the_correction_helps_where_the_statistic_is_skewed() -> None:
    rng = default_rng(4)
    misses = {"bca": 0, "percentile": 0}
    for _ in range(300):
        x = rng.exponential(size=40)
        for method in misses:
            _, low, high = interval(np.var, x, rng=rng, replicates=200, method=method)  # type: ignore[arg-type]
            misses[method] += not low <= 1.0 <= high
    assert misses["bca"] < misses["percentile"]


def test_the_grouped_jackknife_agrees_with_the_full_one(monkeypatch: pytest.MonkeyPatch) -> None:
    x = default_rng(6).exponential(size=400)
    full = interval(np.mean, x, rng=default_rng(0), replicates=4_000)
    monkeypatch.setattr(bootstrap, "GROUPS", 50)
    grouped = interval(np.mean, x, rng=default_rng(0), replicates=4_000)
    assert full != grouped
    assert np.allclose(full, grouped, atol=0.01)


def test_resamples_with_one_class_are_dropped() -> None:
    y = np.array([0] * 18 + [1] * 2)
    score = np.linspace(0, 1, 20)
    value, low, high = interval(auc, y, score, rng=default_rng(0), replicates=400)
    assert value == 1.0
    assert (low, high) == (1.0, 1.0)


def test_an_interval_that_would_speak_of_other_data_is_refused_as_nan() -> None:
    y = np.array([0] * 200 + [1])
    value, low, high = interval(lambda y: y.mean() if y.sum() > 1 else np.nan, y, rng=default_rng(0), replicates=100)
    assert np.isnan([value, low, high]).all()


def test_a_constant_has_an_interval_without_width() -> None:
    assert interval(np.mean, np.full(9, 2.0), rng=default_rng(0)) == (2.0, 2.0, 2.0)
    assert interval(np.mean, np.array([3.0]), rng=default_rng(0)) == (3.0, 3.0, 3.0)


def test_a_pair_is_resampled_by_the_same_rows() -> None:
    rng = default_rng(2)
    x = rng.normal(size=100)
    y = x + 0.1 + rng.normal(scale=0.01, size=100)
    difference, low, high = paired(np.mean, (x,), (y,), rng=default_rng(0))
    assert abs(difference - 0.1) < 0.005
    assert low > 0.09
    assert high < 0.11
    assert high - low < (interval(np.mean, x, rng=default_rng(0))[2] - interval(np.mean, x, rng=default_rng(0))[1]) / 10


def test_matrices_are_resampled_by_rows() -> None:
    x = np.arange(40.0).reshape(20, 2)
    value, low, high = interval(lambda m: (m[:, 1] - m[:, 0]).mean(), x, rng=default_rng(0), replicates=50)
    assert (value, low, high) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("arrays", "settings_"),
    [
        (([],), {}),
        (([1.0], [1.0, 2.0]), {}),
        (([1.0, 2.0],), {"replicates": 2}),
        (([1.0, 2.0],), {"confidence": 1.0}),
        (([1.0, 2.0],), {"method": "basic"}),
    ],
)
def test_impossible_settings_are_refused(arrays: tuple[list[float], ...], settings_: dict[str, object]) -> None:
    with pytest.raises(TemperError):
        interval(np.mean, *arrays, rng=default_rng(0), **settings_)  # type: ignore[arg-type]
