"""Stressors: what each does to a table, and the laws they share."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.errors import TemperError, Unsupported
from temper.core.room import Room
from temper.core.schema import Column, Schema
from temper.core.seed import Draws
from temper.stress.category_swap import CategorySwap
from temper.stress.category_unseen import CategoryUnseen
from temper.stress.join_lost import JoinLost
from temper.stress.missing import Missing
from temper.stress.noise import Noise
from temper.stress.stale import Stale
from temper.stress.unit_error import UnitError

ROOM = Room("temper.stress")
SCHEMA = Schema(
    columns=(
        Column(name="amount", low=0, high=10, scale=2.0),
        Column(name="count", type="integer", low=0, high=20, scale=3.0),
        Column(name="kind", type="category", categories=("a", "b", "c", "d")),
        Column(name="flag", type="boolean"),
        Column(name="red", type="integer", low=0, high=1, group="colour"),
        Column(name="green", type="integer", low=0, high=1, group="colour"),
        Column(name="blue", type="integer", low=0, high=1, group="colour"),
    )
)


def table(n: int = 400, seed: int = 0) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    own = [rng.uniform(0, 10, n), rng.integers(0, 21, n), rng.integers(0, 4, n), rng.integers(0, 2, n)]
    return np.column_stack([*own, np.eye(3)[rng.integers(0, 3, n)]])


def draws(seed: int = 0, ids: Any = None) -> Draws:
    return Draws(seed, "stress", ids)


TABLES = tuple(name for name in ROOM.names() if "." not in name)  # those of pictures and texts have folders
OPTIONS: dict[str, dict[str, Any]] = {"clock_skew": {"hours": ("count",)}}
WHOLE_ROWS = ("clock_skew", "combined", "duplicated")  # have no `columns`
ACROSS = ("stale", "frozen", "duplicated", "missing_at_random", "missing_not_at_random")  # a row depends on the others


def build(name: str, **options: Any) -> Any:
    return replace(ROOM.build(name, OPTIONS.get(name, {}) | options), schema=SCHEMA)


@pytest.mark.parametrize("name", TABLES)
class TestEveryStressor:
    def test_same_seed_gives_the_same_bytes_and_another_seed_gives_others(self, name: str) -> None:
        stressor, x = build(name), table()
        once, again, other = (stressor.apply(x, 5, draws(seed)) for seed in (1, 1, 2))
        assert once.tobytes() == again.tobytes()
        assert once.tobytes() != other.tobytes()

    def test_input_is_never_written_to(self, name: str) -> None:
        x = table()
        x.flags.writeable = False
        before = x.tobytes()
        stressed = build(name).apply(x, 5, draws())
        assert x.tobytes() == before
        assert stressed.shape == x.shape
        assert stressed.tobytes() != before

    def test_only_the_chosen_columns_change(self, name: str) -> None:
        x = table()
        changed = 0
        for chosen in ((0,), (1,), (2,), (3,), (0, 1)) if name not in WHOLE_ROWS else ():
            try:
                stressed = build(name, columns=[SCHEMA.columns[at].name for at in chosen]).apply(x, 5, draws())
            except Unsupported:
                continue
            touched = ~np.isclose(stressed, x, equal_nan=True)
            assert not np.delete(touched, chosen, axis=1).any()
            changed += bool(touched[:, chosen].any())  # a count of ten overflows nothing
        assert changed or name in WHOLE_ROWS

    def test_higher_severity_touches_more(self, name: str) -> None:
        x = table(2000)
        far = [np.nansum(np.abs(self._moved(name, x, severity))) for severity in (1, 2, 3, 4, 5)]
        assert far == sorted(far)
        assert far[0] < far[-1]

    @staticmethod
    def _moved(name: str, x: Any, severity: int) -> Any:
        return np.nan_to_num(build(name).apply(x, severity, draws()), nan=-50.0) - x

    def test_a_severity_outside_one_to_five_is_refused(self, name: str) -> None:
        with pytest.raises(TemperError, match="severities are 1 to 5"):
            build(name).apply(table(), 6, draws())

    def test_an_unknown_column_is_refused(self, name: str) -> None:
        if name == "duplicated":  # whole rows
            return
        named = {"clock_skew": {"hours": ("amonut",)}, "combined": {"faults": (("missing", ("amonut",)),)}}
        with pytest.raises(TemperError, match="no column 'amonut'"):
            build(name, **named.get(name, {"columns": ("amonut",)})).apply(table(), 1, draws())

    def test_a_one_hot_group_stays_one_hot_or_empty(self, name: str) -> None:
        stressed = build(name).apply(table(), 5, draws())[:, 4:]
        assert set(stressed.sum(axis=1)) <= {0.0, 1.0} or name == "noise"
        if name in ("stale", "frozen", "duplicated", "category_swap"):
            assert (stressed.sum(axis=1) == 1).all()

    def test_it_survives_pickling_as_the_same_stressor(self, name: str) -> None:
        stressor = ROOM.get(name)()
        assert pickle.loads(pickle.dumps(stressor)) == stressor
        assert "Misleads" in (stressor.__doc__ or "")
        assert "Source:" in (stressor.__doc__ or "")


@pytest.mark.parametrize("name", [name for name in TABLES if name not in ACROSS])
def test_a_row_is_stressed_the_same_whatever_rows_are_beside_it(name: str) -> None:
    x, ids = table(), np.arange(400)
    whole = build(name).apply(x, 5, draws(ids=ids))
    part = build(name).apply(x[::7], 5, draws(ids=ids[::7]))
    np.testing.assert_array_equal(whole[::7], part)


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_missing_empties_its_stated_share_of_cells(severity: int) -> None:
    stressor = Missing(schema=SCHEMA)
    empty = np.isnan(stressor.apply(table(20_000), severity, draws())[:, :4]).mean()
    assert empty == pytest.approx(stressor.rates[severity - 1], rel=0.1)


def test_cells_are_hit_as_if_each_were_drawn_alone() -> None:
    hit = np.isnan(Missing(rates=(0.1,) * 5).apply(np.ones((50_000, 12)), 1, draws(ids=np.arange(50_000))))
    assert hit.mean(axis=0) == pytest.approx(0.1, abs=0.006)
    together = np.corrcoef(hit.T) - np.eye(12)
    assert np.abs(together).max() < 0.02
    assert np.bincount(hit.sum(axis=1), minlength=13)[:3] / 50_000 == pytest.approx([0.282, 0.377, 0.230], abs=0.01)


def test_a_lost_join_takes_one_half_of_the_columns_together() -> None:
    empty = np.isnan(JoinLost(shares=(0.2,) * 5).apply(np.ones((5000, 6)), 1, draws()))
    assert set(empty.sum(axis=1)) == {0, 3}
    assert empty.any(axis=1).mean() == pytest.approx(0.2, rel=0.1)
    assert len(np.unique(empty[empty.any(axis=1)], axis=0)) == 1


def test_unit_error_multiplies_one_quantity_per_row_and_no_code() -> None:
    x = table(20_000) + 1.0
    ratio = UnitError(schema=SCHEMA).apply(x, 3, draws()) / x
    assert set(np.unique(ratio.round(6))) == {1.0, 100.0}
    assert (ratio[:, 2:] == 1.0).all()
    wrong = (ratio > 1.5).sum(axis=1)
    assert wrong.max() == 1
    assert wrong.mean() == pytest.approx(0.05, rel=0.15)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_a_swapped_code_is_always_valid_and_never_the_old_one(seed: int) -> None:
    x = table(60, seed)
    stressed = CategorySwap(schema=SCHEMA, shares=(1.0,) * 5).apply(x, 1, draws(seed))
    assert set(stressed[:, 2]) <= {0.0, 1.0, 2.0, 3.0}
    assert (stressed[:, 2:4] != x[:, 2:4]).all()
    assert (stressed[:, 4:].argmax(axis=1) != x[:, 4:].argmax(axis=1)).all()
    np.testing.assert_array_equal(stressed[:, :2], x[:, :2])


def test_swapping_leaves_missing_and_unlisted_codes_alone() -> None:
    schema = Schema(columns=(SCHEMA.columns[2],))
    x = np.array([[np.nan], [-1.0], [9.0], [1.0]])
    stressed = CategorySwap(schema=schema, shares=(1.0,) * 5).apply(x, 1, draws())
    np.testing.assert_array_equal(stressed[:3], x[:3])
    assert stressed[3, 0] != 1.0


def test_unseen_codes_are_missing_or_beyond_the_list() -> None:
    x = table(50)
    gone = CategoryUnseen(schema=SCHEMA, shares=(1.0,) * 5).apply(x, 1, draws())
    assert np.isnan(gone[:, 2]).all()
    assert (gone[:, 4:] == 0).all()
    assert (gone[:, 3] == x[:, 3]).all()
    beyond = CategoryUnseen(schema=SCHEMA, code="beyond", shares=(1.0,) * 5).apply(x, 1, draws())
    assert (beyond[:, 2] == 4.0).all()
    with pytest.raises(TemperError, match="code 'new' is unknown"):
        CategoryUnseen(code="new")


@pytest.mark.parametrize("stressor", [CategorySwap(), CategoryUnseen()])
def test_a_table_without_categories_is_a_reason_to_skip(stressor: Any) -> None:
    with pytest.raises(Unsupported, match="no category column"):
        replace(stressor, schema=Schema(columns=(Column(name="a"), Column(name="b")))).apply(
            np.ones((3, 2)), 1, draws()
        )


@given(lag=st.integers(0, 12), n=st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_a_stale_value_is_the_one_of_k_rows_earlier(lag: int, n: int) -> None:
    x = np.arange(float(n))[:, None]
    late = Stale(shares=(1.0,) * 5, lags=(lag,) * 5).apply(x, 2, draws())
    np.testing.assert_array_equal(late[:, 0], np.maximum(np.arange(n) - lag, 0))


def test_noise_has_the_stated_size_and_respects_range_and_whole_numbers() -> None:
    wide = Schema(columns=(Column(name="a", scale=2.0),))
    noise = Noise(schema=wide).apply(np.zeros((20_000, 1)), 5, draws())
    assert noise.std() == pytest.approx(0.8, rel=0.05)
    stressed = Noise(schema=SCHEMA).apply(table(), 5, draws())
    assert stressed[:, 0].min() >= 0
    assert stressed[:, 0].max() <= 10
    assert (stressed[:, 1] == np.round(stressed[:, 1])).all()
    np.testing.assert_array_equal(stressed[:, 2:], table()[:, 2:])


def test_noise_does_not_pull_an_outlier_into_the_range() -> None:
    x = np.full((500, 1), 25.0)
    stressed = Noise(schema=Schema(columns=(SCHEMA.columns[0],))).apply(x, 5, draws())
    assert stressed.max() == 25.0
    assert stressed.min() < 25.0


def test_noise_keeps_empty_values_empty() -> None:
    assert np.isnan(Noise(schema=Schema(columns=(Column(name="a"),))).apply(np.full((3, 1), np.nan), 1, draws())).all()


def test_noise_works_on_images_and_others_say_they_do_not() -> None:
    images = np.full((4, 3, 8, 8), 0.5, dtype=np.float32)
    noisy = Noise(schema=Schema.box(0, 1)).apply(images, 5, draws())
    assert noisy.dtype == np.float32
    assert 0.2 < noisy.std() < 0.5
    assert 0 <= noisy.min() < noisy.max() <= 1
    with pytest.raises(Unsupported, match="columns of a table"):
        Missing(schema=Schema.box(0, 1)).apply(images, 1, draws())
