"""Moves of a search: cut to the budget, inside the domain, ladders that reach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.kernels.search import fit_budget, ladder, random_point, reachable, repair
from unit.test_schema import clean, schema

NORMS = st.sampled_from(["linf", "l2", "l1", "l0", "cost"])


@given(NORMS, st.floats(0.0, 5.0), st.integers(0, 1000))
def test_a_fitted_candidate_lies_in_the_ball(norm: str, radius: float, seed: int) -> None:
    x0 = clean()
    x = schema().settle(x0 + np.random.default_rng(seed).normal(0, 200, x0.shape), x0)
    budget = Budget(norm=norm, radius=radius)
    fitted = fit_budget(x, x0, schema(), budget, np.random.default_rng(seed).random(x.shape))
    assert (schema().distance(fitted, x0, norm) <= radius + 1e-6).all()


@given(st.floats(0.0, 4.0), st.integers(0, 1000))
def test_within_narrows_single_rows(limit: float, seed: int) -> None:
    x0 = clean()
    x = schema().settle(x0 + np.random.default_rng(seed).normal(0, 200, x0.shape), x0)
    within = np.array([0.0, limit, limit / 2, 9.0])
    fitted = fit_budget(x, x0, schema(), Budget(norm="cost", cost=9.0), np.ones_like(x), within)
    assert (schema().cost(fitted, x0) <= within + 1e-6).all()


@given(st.integers(0, 500))
def test_a_random_point_is_admissible_and_affordable(step: int) -> None:
    x0 = clean(20, seed=step)
    scene = Scene(x=x0, y=np.ones(20), ids=np.arange(20), schema=schema(), budget=Budget(norm="cost", cost=2.0))
    low, high = reachable(scene.schema, x0, scene.budget)
    x = random_point(scene, np.arange(20), Draws(0, "t"), step, low, high)
    assert scene.schema.admits(x, x0).all(), scene.schema.reason(x, x0)
    assert (scene.schema.cost(x, x0) <= 2.0 + 1e-6).all()


@given(st.integers(0, 500), st.sampled_from(["linf", "l2", "l1", "cost"]))
def test_counts_and_columns_of_a_relation_stay_in_the_ball_of_their_row(step: int, norm: str) -> None:
    cost, free = Mutability.COSTLY, {"low": 0, "high": 30}
    count = Column(name="count", type="integer", scale=7, attacker=cost, **free)
    wide = Schema(
        columns=(count, *(Column(name=name, attacker=cost, **free) for name in ("one", "two"))),
        relations=("one <= two", "count <= 2 * one"),
    )
    x0 = np.round(Draws(step, "rows").uniform(np.arange(20), 0, (3,), 0, 30), 1)  # most rows break a relation
    x0[:, 0] = np.round(x0[:, 0])
    scene = Scene(x=x0, y=np.ones(20), ids=np.arange(20), schema=wide, budget=Budget(norm=norm, radius=0.5))
    low, high = reachable(wide, x0, scene.budget)
    within = Draws(step, "within").uniform(np.arange(20), 0) / 2
    for narrow in (None, within):
        x = random_point(scene, np.arange(20), Draws(0, "t"), step, low, high, narrow)
        assert wide.reason(x, x0) == ""
        assert (wide.distance(x, x0, norm) <= (0.5 if narrow is None else narrow) + 1e-6).all()


def test_a_zero_budget_leaves_the_row_as_it_is() -> None:
    x0 = clean()
    scene = Scene(x=x0, y=np.ones(4), ids=np.arange(4), schema=schema(), budget=Budget(norm="l0", radius=0.0))
    moved = repair(x0 + 50, x0, scene, np.ones_like(x0))
    assert (schema().distance(moved, x0, "l0") == 0).all()


def test_no_rows_are_repaired_to_no_rows() -> None:
    x0 = clean()
    scene = Scene(x=x0, y=np.ones(4), ids=np.arange(4), schema=schema(), budget=Budget(norm="linf", radius=1.0))
    assert len(schema().tied)  # relations are looked at again
    assert repair(x0[:0], x0[:0], scene, x0[:0]).shape == (0, x0.shape[1])


def test_higher_priority_is_kept_when_not_everything_fits() -> None:
    x0 = clean(1)
    x = x0.copy()
    x[0, 0], x[0, 2] = x0[0, 0] + 100, (x0[0, 2] + 1) % 3  # costs 2 and 3
    first, second = np.ones_like(x), np.ones_like(x)
    first[0, 0], second[0, 2] = 2.0, 2.0
    budget = Budget(norm="cost", cost=3.0)
    assert fit_budget(x, x0, schema(), budget, first)[0, 0] == x[0, 0]
    assert fit_budget(x, x0, schema(), budget, second)[0, 0] == pytest.approx(x0[0, 0], abs=1e-6)


def test_a_ladder_ends_with_nothing_where_a_field_may_be_left_empty() -> None:
    free = Mutability.FREE
    columns = (
        Column(name="note", low=0.0, high=9.0, missing=True, attacker=free),
        Column(name="kind", type="category", categories=("a", "b"), missing=True, attacker=free),
        Column(name="sum", low=0.0, high=9.0, attacker=free),
    )
    x0 = np.array([[1.0, 0.0, 3.0]])
    values = ladder(Schema(columns=columns), x0, np.zeros((1, 3)), np.array([[9.0, 1.0, 9.0]]), None, 12)
    assert [bool(np.isnan(values[at][0, -1])) for at in range(3)] == [True, True, False]
    assert not any(np.isnan(values[at][0, :-1]).any() for at in range(3))


def test_a_ladder_tries_the_whole_reach_first_and_every_category() -> None:
    x0 = clean()
    low, high = reachable(schema(), x0, Budget(norm="cost", cost=2.0))
    values = ladder(schema(), x0, low, high, None, 12)
    assert np.allclose(values[0][:, 0], high[:, 0])
    assert np.allclose(values[0][:, 1], low[:, 0])
    assert values[2].tolist() == [[0.0, 1.0, 2.0]] * 4
    assert set(values) == set(schema().movable.tolist())
