"""Random numbers by counter: the same for a sample whatever else is in the batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from temper.core.seed import Draws


@given(st.lists(st.integers(0, 500), min_size=1, max_size=20, unique=True), st.integers(0, 10_000))
def test_a_row_gets_the_same_numbers_in_any_company(rows: list[int], step: int) -> None:
    rng = Draws(3, "x")
    every = rng.uniform(np.arange(501), step, (4,))
    assert (rng.uniform(rows, step, (4,)) == every[rows]).all()


def test_ids_not_positions_key_the_numbers() -> None:
    a = Draws(0, "x", ids=np.array([10, 20, 30]))
    b = Draws(0, "x", ids=np.array([30, 10]))
    assert a.uniform([0], 1) == b.uniform([1], 1)


def test_seed_name_step_and_position_all_change_the_numbers() -> None:
    base = Draws(0, "x").uniform([1, 2], 0, (3,))
    others = [Draws(1, "x").uniform([1, 2], 0, (3,)), Draws(0, "y").uniform([1, 2], 0, (3,))]
    others += [Draws(0, "x").uniform([1, 2], 1, (3,)), Draws(0, "x").child("c").uniform([1, 2], 0, (3,))]
    assert all((other != base).all() for other in others)
    assert len(np.unique(base)) == 6


def test_a_step_per_row_equals_one_step_at_a_time() -> None:
    rng = Draws(0, "x")
    many = rng.uniform([5, 5, 5], np.array([0, 1, 2]), (2,))
    assert all((many[k] == rng.uniform([5], k, (2,))[0]).all() for k in range(3))


def test_uniform_and_normal_have_their_laws() -> None:
    rng = Draws(7, "law")
    assert stats.kstest(rng.uniform(np.arange(20_000), 0), "uniform").pvalue > 1e-3
    assert stats.kstest(rng.normal(np.arange(20_000), 1), "norm").pvalue > 1e-3
    pairs = rng.uniform(np.arange(20_000), 2, (2,))
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 0.03
    steps = np.stack([rng.uniform(np.arange(20_000), k) for k in range(2)])
    assert abs(np.corrcoef(steps)[0, 1]) < 0.03


def test_integers_cover_their_range_evenly() -> None:
    counts = np.bincount(Draws(0, "i").integers(np.arange(60_000), 0, 6), minlength=6)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_torch_draws_the_same_numbers() -> None:
    torch = pytest.importorskip("torch", reason="torch is an extra")
    like = torch.zeros(1)
    there = Draws(4, "t", like=like).uniform(np.array([3, 9]), 5, (2, 2))
    assert torch.is_tensor(there)
    assert (there.numpy() == Draws(4, "t").uniform([3, 9], 5, (2, 2))).all()
