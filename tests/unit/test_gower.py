"""Gower's distance: its laws, and a table worked out by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from temper.kernels.gower import gower

CELLS = st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf, -np.inf, -1e300, 0.0])
TABLES = arrays(float, (4, 3), elements=CELLS)
SPANS = arrays(float, 3, elements=st.floats(0, 1e6) | st.just(np.nan))


def test_numbers_words_and_what_is_missing() -> None:
    row = np.array([100.0, 1.0, np.nan, 5.0])
    others = np.array([[150.0, 1.0, np.nan, 5.0], [900.0, 2.0, 3.0, 6.0], [100.0, np.nan, 0.0, 5.0]])
    span = np.array([200.0, np.nan, 10.0, 0.0])
    assert gower(row, others, span).tolist() == [[0.25, 0, 0, 0], [1, 1, 1, 1], [0, 1, 1, 0]]


@given(TABLES, SPANS)
def test_it_lies_between_nothing_and_one_and_a_row_is_like_itself(table: np.ndarray, span: np.ndarray) -> None:
    apart = gower(table[0], table, span)
    assert ((apart >= 0) & (apart <= 1)).all()
    assert (apart[0] == 0).all()


@given(TABLES, SPANS)
def test_it_is_the_same_from_both_sides(table: np.ndarray, span: np.ndarray) -> None:
    assert (gower(table[0], table[1:2], span) == gower(table[1], table[0:1], span)).all()
