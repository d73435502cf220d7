"""Kappa: published tables, its laws, and what it cannot say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from temper.kernels.agreement import cohen, fleiss
from temper.kernels.ranking import kappa

# Fleiss, "Measuring nominal scale agreement among many raters", 1971, table 1: 30 patients, 6 psychiatrists each;
# depression, personality disorder, schizophrenia, neurosis, other.
DIAGNOSES = """
00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031
00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
"""
FOURTEEN = """0 0 0 0 14  0 2 6 4 2  0 0 3 5 6  0 3 9 2 0  2 2 8 1 1
7 7 0 0 0  3 2 6 3 0  2 5 3 2 2  6 5 2 1 0  0 2 2 3 7"""


def test_fleiss_gives_the_figure_of_his_paper() -> None:
    table = np.array([[int(digit) for digit in word] for word in DIAGNOSES.split()])
    assert table.sum(axis=0).tolist() == [26, 26, 30, 55, 43], "the column sums of the paper"
    assert fleiss(table) == pytest.approx(0.430, abs=5e-4)


def test_fleiss_gives_the_figure_of_the_fourteen_raters() -> None:
    table = np.array(FOURTEEN.split(), dtype=int).reshape(10, 5)
    assert table.sum(axis=0).tolist() == [20, 28, 39, 21, 32]
    assert fleiss(table) == pytest.approx(0.210, abs=5e-4)


@pytest.mark.parametrize(
    ("table", "value", "error"),
    [
        # Fleiss, Levin & Paik, "Statistical Methods for Rates and Proportions", 2003, table 18.1.
        ([[75, 1, 4], [5, 4, 1], [0, 0, 10]], 0.68, 0.087),
        # Fleiss, Cohen & Everitt, 1969: the unweighted kappa of their example, 200 cases.
        ([[106, 10, 4], [22, 28, 10], [2, 12, 6]], 0.429, 0.054),
    ],
)
def test_cohen_gives_published_figures(table: list[list[int]], value: float, error: float) -> None:
    found = cohen(table)
    assert found[0] == pytest.approx(value, abs=5e-3)
    assert found[1] == pytest.approx(error, abs=1e-3)


@given(arrays(int, (3, 3), elements=st.integers(0, 30)))
def test_cohen_is_the_kappa_of_the_labels(table: np.ndarray) -> None:
    one = [row for row in range(3) for column in range(3) for _ in range(table[row, column])]
    two = [column for row in range(3) for column in range(3) for _ in range(table[row, column])]
    value, error = cohen(table)
    assert value == pytest.approx(kappa(one, two), nan_ok=True)
    assert cohen(table.T) == pytest.approx((value, error), nan_ok=True)
    assert math.isnan(error) or error >= 0


@given(arrays(int, (2, 2), elements=st.integers(0, 30)))
def test_fleiss_of_two_is_the_kappa_of_both_orders(table: np.ndarray) -> None:
    """Who comes first is chance where people differ: Scott's pi."""
    answers = [[2, 0]] * table[0, 0] + [[1, 1]] * (table[0, 1] + table[1, 0]) + [[0, 2]] * table[1, 1]
    both = table + table.T
    assert fleiss(answers if answers else np.zeros((0, 2))) == pytest.approx(cohen(both)[0], nan_ok=True)


def test_what_has_no_kappa() -> None:
    assert all(math.isnan(one) for one in (*cohen([[0, 0], [0, 0]]), *cohen([[9, 0], [0, 0]])))
    assert math.isnan(fleiss([[1, 0], [0, 1]])), "one answer each"
    assert math.isnan(fleiss([[2, 0], [3, 0]])), "always the same answer"
    assert fleiss([[3, 0], [0, 2], [1, 0]]) == 1.0


def test_the_standard_error_is_how_far_samples_lie_apart() -> None:
    shares = np.array([0.4, 0.1, 0.15, 0.35])
    error = cohen((1000 * shares).reshape(2, 2))[1] * math.sqrt(1000 / 200)
    drawn = np.random.default_rng(0).multinomial(200, shares, size=4000)
    spread = np.std([cohen(one.reshape(2, 2))[0] for one in drawn])
    assert error == pytest.approx(spread, rel=0.05)
