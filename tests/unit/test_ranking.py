"""Ranking figures equal scikit-learn; balls keep what they promise."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.errors import TemperError
from temper.kernels import lp
from temper.kernels.ranking import (
    auc,
    average_precision,
    brier,
    expected_calibration_error,
    f1,
    kappa,
    precision_at,
    recall_at,
)

# Scores from a coarse grid: ties are the hard part.
rows = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8)), min_size=2, max_size=80)


@settings(deadline=None)
@given(rows)
def test_figures_equal_scikit_learn_with_ties(rows: list[tuple[int, int]]) -> None:
    from sklearn import metrics

    y, score = np.array(rows).T[0], np.array(rows).T[1] / 8
    if 0 < y.sum() < len(y):
        assert math.isclose(auc(y, score), metrics.roc_auc_score(y, score), abs_tol=1e-12)
    if y.sum():
        assert math.isclose(average_precision(y, score), metrics.average_precision_score(y, score), abs_tol=1e-12)
        assert math.isclose(recall_at(y, score, 0.5), metrics.recall_score(y, score >= 0.5), abs_tol=1e-12)
    if (score >= 0.5).any():
        assert math.isclose(precision_at(y, score, 0.5), metrics.precision_score(y, score >= 0.5), abs_tol=1e-12)
    if y.sum() + (score >= 0.5).sum():
        assert math.isclose(f1(y, score >= 0.5), metrics.f1_score(y, score >= 0.5), abs_tol=1e-12)
    assert math.isclose(brier(y, score), metrics.brier_score_loss(y, score, labels=[0, 1]), abs_tol=1e-12)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_agreement_equals_scikit_learn_for_several_classes(pairs: list[tuple[int, int]]) -> None:
    from sklearn.metrics import cohen_kappa_score

    a, b = np.array(pairs).T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = cohen_kappa_score(a, b)
    assert math.isclose(kappa(a, b), expected, abs_tol=1e-12) or (math.isnan(kappa(a, b)) and math.isnan(expected))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_brier_over_classes_equals_scikit_learn(seed: int) -> None:
    from sklearn.metrics import brier_score_loss

    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(3), size=20)
    y = np.concatenate(([0, 1, 2], rng.integers(0, 3, size=17)))
    assert math.isclose(brier(y, p), brier_score_loss(y, p, labels=[0, 1, 2]), abs_tol=1e-12)
    two = rng.dirichlet(np.ones(2), size=20)
    assert math.isclose(brier(y > 0, two), brier_score_loss(y > 0, two[:, 1]), abs_tol=1e-12)


@settings(deadline=None)
@given(rows)
def test_ranking_ignores_any_rising_transformation(rows: list[tuple[int, int]]) -> None:
    y, score = np.array(rows).T
    for figure in (auc, average_precision):
        assert np.isclose(figure(y, score), figure(y, np.exp(score / 3.0)), equal_nan=True, atol=1e-15)


@settings(deadline=None)
@given(rows)
def test_reversing_the_scores_mirrors_the_area(rows: list[tuple[int, int]]) -> None:
    y, score = np.array(rows).T
    assert np.isclose(auc(y, score) + auc(y, -score), 1.0, equal_nan=True) or not 0 < y.sum() < len(y)


def test_what_is_undefined_is_nan_and_never_zero() -> None:
    assert math.isnan(auc([1, 1], [0.1, 0.2]))
    assert math.isnan(average_precision([0, 0], [0.1, 0.2]))
    assert math.isnan(recall_at([0, 0], [0.1, 0.2], 0.5))
    assert math.isnan(precision_at([0, 1], [0.1, 0.2], 0.5))
    assert math.isnan(f1([0, 0], [0, 0]))
    assert math.isnan(kappa([1, 1], [1, 1]))
    assert math.isnan(kappa([], []))
    assert math.isnan(auc([], []))
    assert math.isnan(expected_calibration_error([], []))
    assert f1([1, 0], [0, 0]) == 0.0


def test_calibration_is_zero_for_perfect_and_large_for_inverted_probabilities() -> None:
    y = np.array([0, 1, 0, 1])
    assert expected_calibration_error(y, y.astype(float)) == 0.0
    assert expected_calibration_error(y, 1.0 - y) == 1.0
    assert expected_calibration_error(y, np.full(4, 0.5)) == 0.0


def test_calibration_of_many_classes_reads_the_top_class() -> None:
    p = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
    assert math.isclose(expected_calibration_error([0, 1, 0, 2], p), 0.2)
    assert math.isclose(expected_calibration_error([1, 0, 1, 0], p), 0.8)


def test_bins_are_closed_on_the_right() -> None:
    y, p = np.array([1, 0]), np.array([0.5, 0.500001])
    assert math.isclose(expected_calibration_error(y, p, bins=2), 0.5, abs_tol=1e-5)


def test_scores_without_a_number_are_refused() -> None:
    with pytest.raises(TemperError, match="NaN"):
        auc([0, 1], [0.1, float("nan")])
    with pytest.raises(TemperError, match="one length"):
        auc([0, 1], [0.1])
    with pytest.raises(TemperError, match="one length"):
        kappa([0, 1], [0])


points = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@settings(deadline=None)
@given(rng=points, radius=st.floats(0.0, 3.0))
def test_a_projection_lies_in_the_ball_keeps_inside_rows_and_is_nearest(
    norm: str, rng: np.random.Generator, radius: float
) -> None:
    x, center = rng.normal(size=(6, 2, 3)) * 2, rng.normal(size=(6, 2, 3))
    kept = x.copy()
    inside = lp.distance(x, center, norm) <= radius
    got = lp.project(x, center, radius, norm)
    assert (lp.distance(got, center, norm) <= radius + 1e-9).all()
    assert np.array_equal(got[inside], x[inside])
    assert np.allclose(lp.project(got, center, radius, norm), got, atol=1e-9)
    assert np.array_equal(x, kept)
    # A projection on a convex set is nearest exactly when no other point of the set lies on x's side of it.
    other = lp.project(center + rng.normal(size=x.shape), center, radius, norm)
    assert (((x - got) * (other - got)).reshape(6, -1).sum(axis=1) <= 1e-9).all()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_torch_gives_the_numbers_of_numpy(norm: str) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, center = rng.normal(size=(5, 3, 2)) * 3, rng.normal(size=(5, 3, 2))
    radius = np.array([0.0, 0.5, 1.0, 2.0, 50.0])
    got = lp.project(torch.tensor(x), torch.tensor(center), torch.tensor(radius), norm)
    assert isinstance(got, torch.Tensor)
    assert np.allclose(got.numpy(), lp.project(x, center, radius, norm), atol=1e-12)
    assert np.allclose(lp.distance(torch.tensor(x), torch.tensor(center), norm), lp.distance(x, center, norm))


def test_single_precision_stays_single_precision() -> None:
    x = np.ones((2, 3), dtype=np.float32)
    for norm in ("linf", "l2", "l1"):
        assert lp.project(x, np.zeros_like(x), 0.5, norm).dtype == np.float32


def test_counting_changed_coordinates() -> None:
    assert lp.distance(np.array([[1.0, 0.0, 2.0]]), np.zeros((1, 3)), "l0").tolist() == [2.0]


def test_an_unknown_norm_is_refused() -> None:
    with pytest.raises(TemperError):
        lp.project(np.ones((1, 1)), np.ones((1, 1)), 1.0, "l0")
    with pytest.raises(TemperError):
        lp.distance(np.ones((1, 1)), np.ones((1, 1)), "l9")
