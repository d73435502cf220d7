"""The domain of an attacker: project lands in it, admits refuses with the reason, decode names the change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from temper.core.errors import SchemaError
from temper.core.schema import Column, Mutability, Schema

FREE, COSTLY, DERIVED = Mutability.FREE, Mutability.COSTLY, Mutability.DERIVED


def schema() -> Schema:
    """Every kind of column there is."""
    return Schema(
        columns=(
            Column(name="amount", low=0, high=1000, attacker=COSTLY, cost=2.0, scale=100),
            Column(name="count", type="integer", low=1, high=20, attacker=FREE),
            Column(name="kind", type="category", categories=("a", "b", "c"), attacker=COSTLY, cost=3.0),
            Column(name="limit", low=0, high=1000),
            Column(name="age", low=0, high=120, attacker=FREE, direction="rise"),
            Column(name="each", attacker=DERIVED, formula="amount / count"),
            Column(name="mean", attacker=DERIVED, formula="was(mean) + (amount - was(amount)) / 4"),
            Column(name="red", type="boolean", attacker=FREE, group="colour"),
            Column(name="blue", type="boolean", attacker=FREE, group="colour"),
            Column(name="note", low=0, high=9, attacker=FREE, missing=True),
        ),
        relations=("amount <= limit",),
    )


def clean(n: int = 4, seed: int = 0) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    amount, count = rng.uniform(0, 500, n), rng.integers(1, 20, n).astype(float)
    red = rng.integers(0, 2, n).astype(float)
    parts = [amount, count, rng.integers(0, 3, n), amount + 200, rng.uniform(18, 90, n), amount / count]
    return np.column_stack([*parts, rng.uniform(0, 500, n), red, 1 - red, rng.uniform(0, 9, n)])


def test_a_clean_row_is_admitted_and_costs_nothing() -> None:
    x = clean()
    assert schema().admits(x, x).all()
    assert schema().reason(x, x) == ""
    assert (schema().cost(x, x) == 0).all()
    assert all(schema().distance(x, x, norm).max() == 0 for norm in ("linf", "l2", "l1", "l0", "cost"))


@given(arrays(float, (4, 10), elements=st.floats(-1e4, 1e4)))
def test_whatever_is_projected_is_admitted(wild: np.ndarray[Any, Any]) -> None:
    x0 = clean()
    assert schema().admits(schema().project(wild, x0), x0).all(), schema().reason(schema().project(wild, x0), x0)


@given(arrays(float, (4, 10), elements=st.floats(-1e4, 1e4)))
def test_projecting_twice_is_projecting_once(wild: np.ndarray[Any, Any]) -> None:
    once = schema().project(wild, clean())
    assert np.allclose(schema().project(once, clean()), once)


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("amount", -1.0, "outside"),
        ("count", 2.5, "not a valid code"),
        ("kind", 7.0, "outside"),
        ("limit", 5000.0, "immutable"),
        ("age", 1.0, "may only rise"),
        ("each", 1e6, "formula"),
        ("red", 0.5, "not a valid code"),
        ("amount", 999.0, "does not hold"),
        ("amount", np.nan, "may not be missing"),
    ],
)
def test_every_rule_refuses_with_its_reason(column: str, value: float, why: str) -> None:
    x0 = clean()
    x = x0.copy()
    x[1, schema().index(column)] = value
    assert not schema().admits(x, x0)[1]
    assert schema().admits(x, x0)[[0, 2, 3]].all()
    assert why in schema().reason(x, x0)
    assert schema().reason(x, x0).startswith("row 1")


def test_two_hot_columns_of_a_group_are_refused() -> None:
    x0 = clean()
    x = x0.copy()
    x[0, [7, 8]] = 1.0
    assert "not one of its categories" in schema().reason(x, x0)


def test_a_missing_value_is_allowed_only_where_the_schema_says_so() -> None:
    x0 = clean()
    x = x0.copy()
    x[0, schema().index("note")] = np.nan
    assert schema().admits(x, x0).all()
    assert schema().distance(x, x0, "l0")[0] == 1


def test_derived_columns_follow_what_moves_and_keep_their_residual() -> None:
    x0 = clean()
    x0[:, schema().index("each")] += 5.0  # recorded with another rounding than the formula's
    x = x0.copy()
    x[:, 0] = x0[:, 0] + 40
    moved = schema().derive(x, x0)
    assert np.allclose(moved[:, 5] - x0[:, 5], 40 / x0[:, 1])
    assert np.allclose(moved[:, 6] - x0[:, 6], 10)


def test_a_relation_the_clean_row_breaks_is_not_held_against_it() -> None:
    x0 = clean()
    x0[:, 3] = 0.0
    assert schema().admits(x0, x0).all()
    worse = x0.copy()
    worse[:, 0] += 50
    assert not schema().admits(schema().derive(worse, x0), x0).any()


def test_cost_is_price_per_scale_and_a_one_hot_change_is_one_change() -> None:
    x0 = clean()
    x = x0.copy()
    x[0, 0] += 50
    x[1, 2] = (x0[1, 2] + 1) % 3
    cost = schema().cost(x, x0)
    assert cost[0] == pytest.approx(2.0 * 50 / 100)
    assert cost[1] == pytest.approx(3.0)
    assert (cost[2:] == 0).all()


def test_decode_names_the_changes_as_a_person_reads_them() -> None:
    x0 = clean()
    x0[0, :2] = 231.0, 2.0
    x0[0, 2], x0[0, 5] = 0.0, 115.5
    x = x0.copy()
    x[0, 0], x[0, 2] = 214.5, 2.0
    told = [str(change) for change in schema().decode(schema().derive(x, x0)[0], x0[0])]
    assert told[:2] == ["amount 231.00 -> 214.50", "kind a -> c"]
    assert any(change.derived for change in schema().decode(schema().derive(x, x0)[0], x0[0]))


def test_a_box_admits_what_lies_in_it() -> None:
    box = Schema.box(0, 1)
    x0 = np.full((2, 1, 2, 2), 0.5)
    x = x0.copy()
    x[0, 0, 0, 0] = 1.2
    assert box.admits(x, x0).tolist() == [False, True]
    assert box.admits(box.project(x, x0), x0).all()
    assert box.distance(x, x0, "linf")[0] == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Schema(columns=(Column(name="a"), Column(name="a"))), "duplicated"),
        (lambda: Schema(columns=(Column(name="amount"),), relations=("amonut <= 3",)), "did you mean 'amount'"),
        (lambda: Column(name="a", type="text"), "type 'text'"),
        (lambda: Column(name="a", low=3, high=1), "above high"),
        (lambda: Column(name="a", attacker=DERIVED), "formula"),
        (lambda: Column(name="a", scale=0), "scale must be positive"),
        (
            lambda: Schema(
                columns=(
                    Column(name="a", attacker=DERIVED, formula="b"),
                    Column(name="b", attacker=DERIVED, formula="a"),
                )
            ),
            "depend on each other",
        ),
        (lambda: schema().index("amonut"), "did you mean 'amount'"),
    ],
)
def test_a_schema_that_contradicts_itself_is_refused(make: Any, words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        make()
