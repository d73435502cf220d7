"""Decisions and margins: positive while the row is still judged as its truth, for every kind of score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from temper.core.errors import TemperError
from temper.core.target import ScoreKind
from temper.kernels.loss import decide, flagged_score, margin

P, L, M = ScoreKind.PROBABILITIES, ScoreKind.LOGITS, ScoreKind.MARGIN
SCORES = arrays(float, (6, 3), elements=st.floats(-5, 5), unique=True)


@given(SCORES, st.integers(0, 2))
def test_a_margin_is_positive_exactly_while_the_decision_is_right(scores: np.ndarray[Any, Any], label: int) -> None:
    y = np.full(6, label)
    assert ((margin(scores, y, L) > 0) == (decide(scores, L) == y)).all()
    assert ((margin(scores, y, L, goal=label) <= 0) == (decide(scores, L) == label)).all()


@given(arrays(float, (8,), elements=st.floats(0.01, 0.99)), st.floats(0.05, 0.95))
def test_the_operating_threshold_decides_for_two_classes(p: np.ndarray[Any, Any], threshold: float) -> None:
    scores = np.stack([1 - p, p], axis=1)
    assert (decide(scores, P, threshold) == (p >= threshold)).all()
    logits = np.stack([np.zeros(8), np.log(p / (1 - p))], axis=1)
    clear = np.abs(p - threshold) > 1e-9
    assert (decide(logits, L, threshold) == (p >= threshold))[clear].all()
    assert (decide(logits[:, 1:], M, None) == (p >= 0.5))[np.abs(p - 0.5) > 1e-9].all()


def test_the_flagged_score_is_a_probability_for_logits_too() -> None:
    logits = np.array([[0.0, 2.0], [0.0, -800.0]])
    assert flagged_score(logits, L) == pytest.approx([1 / (1 + np.exp(-2.0)), 0.0])


def test_a_regression_target_has_no_decision() -> None:
    with pytest.raises(TemperError, match="values, not decisions"):
        decide(np.zeros((2, 1)), ScoreKind.VALUE)


def test_torch_scores_are_judged_as_numpy_scores_are() -> None:
    torch = pytest.importorskip("torch", reason="torch is an extra")
    scores = np.random.default_rng(0).normal(size=(20, 4))
    y = np.arange(20) % 4
    there, truth = torch.as_tensor(scores), torch.as_tensor(y)
    assert (decide(there, L).numpy() == decide(scores, L)).all()
    assert np.allclose(margin(there, truth, L).numpy(), margin(scores, y, L))
