"""What single stressors of tables do: to values, to texts behind codes, to times, and to what derives from them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.errors import TemperError, Unsupported
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.stress._choice import features
from temper.stress._digits import decades, tens
from temper.stress._lost import least, limits, places
from temper.stress._strike import STEPS
from temper.stress.category_spelling import CategorySpelling
from temper.stress.clock_skew import ClockSkew
from temper.stress.currency import Currency
from temper.stress.duplicated import Duplicated
from temper.stress.frozen import Frozen
from temper.stress.missing import Missing
from temper.stress.missing_at_random import MissingAtRandom
from temper.stress.missing_not_at_random import MissingNotAtRandom
from temper.stress.overflow import Overflow
from temper.stress.rounded import Rounded
from temper.stress.sentinel import Sentinel
from temper.stress.swapped import Swapped
from temper.stress.truncated import Truncated
from temper.stress.unit_error import UnitError

ALWAYS = (1.0,) * 5
SHOP = Schema(
    columns=(
        Column(name="price", low=0, high=100),
        Column(name="count", type="integer", low=0, high=20),
        Column(name="total", attacker=Mutability.DERIVED, formula="price * count"),
        Column(name="tax", attacker=Mutability.DERIVED, formula="0.2 * total"),
    )
)


def draws(seed: int = 0) -> Draws:
    return Draws(seed, "stress")


def shop(n: int = 500) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(5)
    price, count = rng.uniform(1, 100, n), rng.integers(1, 20, n)
    return np.column_stack([price, count, price * count, 0.2 * price * count])


def coded(*texts: str) -> Schema:
    return Schema(columns=(Column(name="text", type="category", categories=texts),))


def spelt(schema: Schema, spelling: str) -> list[float]:
    stressor = CategorySpelling(schema=schema, spellings=(spelling,), shares=ALWAYS)
    codes = np.arange(len(schema.columns[0].categories) or 1, dtype=float)
    return [float(value) for value in stressor.apply(codes[:, None], 1, draws()).ravel()]


def test_a_wrong_unit_reaches_what_is_computed_from_it() -> None:
    wrong = UnitError(schema=SHOP, columns=("price",), shares=ALWAYS).apply(shop(), 1, draws())
    np.testing.assert_allclose(wrong, shop() * [10, 1, 10, 10])


def test_a_derived_column_that_is_hit_itself_stays_hit_and_is_followed() -> None:
    wrong = UnitError(schema=SHOP, columns=("total",), shares=ALWAYS).apply(shop(), 1, draws())
    np.testing.assert_allclose(wrong, shop() * [1, 1, 10, 10])


def test_what_derives_from_an_empty_value_is_empty() -> None:
    empty = np.isnan(Missing(schema=SHOP, columns=("count",), rates=(0.5,) * 5).apply(shop(), 1, draws()))
    assert 0.4 < empty[:, 1].mean() < 0.6
    assert not empty[:, 0].any()
    assert (empty[:, 1] == empty[:, 2]).all()
    assert (empty[:, 1] == empty[:, 3]).all()


@pytest.mark.parametrize("severity", [1, 3, 5])
@pytest.mark.parametrize("stressor", [MissingAtRandom(driver="0"), MissingNotAtRandom(columns=("1",))])
def test_values_lost_for_a_reason_keep_the_stated_rate_and_follow_the_reason(stressor: Any, severity: int) -> None:
    x = np.column_stack([np.arange(30_000.0), np.arange(30_000.0)])
    lost = np.isnan(stressor.apply(x, severity, draws())[:, 1])
    assert lost.mean() == pytest.approx(stressor.rates[severity - 1], rel=0.1)
    fifths = lost.reshape(5, -1).mean(axis=1)
    assert fifths[4] > 2 * fifths[2] > 2 * fifths[0]


def test_the_driver_of_missing_values_is_never_empty_and_a_lonely_column_has_none() -> None:
    stressed = MissingAtRandom().apply(np.random.default_rng(0).normal(size=(2000, 4)), 5, draws())
    assert sorted(np.isnan(stressed).any(axis=0)) == [False, True, True, True]
    with pytest.raises(Unsupported, match="no column besides 0"):
        MissingAtRandom().apply(np.ones((9, 1)), 1, draws())


def test_each_column_has_one_code_for_no_value() -> None:
    x = np.random.default_rng(0).uniform(1, 2, (500, 6))
    stressed = Sentinel().apply(x, 5, draws())
    codes = [set(column[column != clean]) for column, clean in zip(stressed.T, x.T, strict=True)]
    assert all(len(code) == 1 for code in codes)
    assert set.union(*codes) <= set(Sentinel().codes)


def test_all_amounts_of_a_row_change_currency_together_and_counts_have_none() -> None:
    ratio = Currency(schema=SHOP, columns=("price", "total")).apply(shop(), 5, draws()) / shop()
    assert set(np.unique(ratio.round(9))) == {1.0, 150.0}
    assert ratio[:, 0] == pytest.approx(ratio[:, 2])
    undeclared = Currency(schema=Schema(columns=SHOP.columns[:2])).apply(shop()[:, :2], 5, draws())
    assert (undeclared[:, 1] == shop()[:, 1]).all()


@pytest.mark.parametrize(
    ("texts", "spelling", "codes"),
    [
        (("cash", "card"), "upper", [np.nan, np.nan]),
        (("cash", "Cash", "CASH"), "lower", [0, 0, 0]),
        (("café", "cash"), "mojibake", [np.nan, 1]),
        (("a", "a "), "padded", [1, np.nan]),
        (("A", "A11"), "lower", [np.nan, np.nan]),
    ],
)
def test_a_misspelt_text_is_looked_up_as_it_is_written(texts: Any, spelling: str, codes: Any) -> None:
    np.testing.assert_array_equal(spelt(coded(*texts), spelling), codes)


def test_texts_that_no_spelling_changes_are_no_reason_to_stress() -> None:
    with pytest.raises(Unsupported, match="written in letters"):
        spelt(coded("18-29", "60+"), "upper")
    with pytest.raises(TemperError, match="spelling 'uper' is unknown"):
        CategorySpelling(spellings=("uper",))


def test_a_misspelt_one_hot_group_is_all_zeros_or_another_member() -> None:
    hot = [Column(name=name, type="integer", low=0, high=1, group="colour") for name in ("red", "RED", "blue")]
    stressor = CategorySpelling(schema=Schema(columns=tuple(hot)), spellings=("upper",), shares=ALWAYS)
    np.testing.assert_array_equal(stressor.apply(np.eye(3), 1, draws()), [[0, 1, 0], [0, 1, 0], [0, 0, 0]])


def test_a_frozen_feed_holds_its_last_value_to_the_end() -> None:
    x = np.arange(200.0).reshape(100, 2)
    held = Frozen(columns=("1",)).apply(x, 3, draws())
    np.testing.assert_array_equal(held[:, 0], x[:, 0])
    np.testing.assert_array_equal(held[:80, 1], x[:80, 1])
    assert set(held[80:, 1]) == {x[79, 1]}


def test_a_late_clock_passes_midnight_and_takes_the_day_along() -> None:
    late = ClockSkew(hours=("0",), weekdays=("1",), timestamps=("2",), shares=ALWAYS)
    x = np.array([[22.0, 6.0, 1000.0], [3.0, 2.0, 1000.0], [np.nan, 2.0, np.nan]])
    np.testing.assert_array_equal(
        late.apply(x, 4, draws()), [[4.0, 0.0, 22600.0], [9.0, 2.0, 22600.0], [np.nan, 2.0, np.nan]]
    )


def test_an_hour_is_known_by_its_range_and_a_table_without_times_is_a_reason_to_skip() -> None:
    schema = Schema(columns=(Column(name="at", type="integer", low=0, high=23), Column(name="of", type="integer")))
    late = ClockSkew(schema=schema, shares=ALWAYS).apply(np.array([[23.0, 5.0]]), 1, draws())
    np.testing.assert_array_equal(late, [[0.0, 5.0]])
    with pytest.raises(Unsupported, match="declared as a time"):
        ClockSkew(schema=SHOP).apply(shop(), 1, draws())


def test_a_duplicate_is_the_row_before_it_with_all_that_derives() -> None:
    twice = Duplicated(schema=SHOP).apply(shop(), 5, draws())
    moved = (twice != shop()).any(axis=1)
    assert 0.4 < moved.mean() < 0.6
    np.testing.assert_array_equal(twice[moved], shop()[np.flatnonzero(moved) - 1])


@given(st.floats(-1e9, 1e9), st.integers(2, 8))
@settings(max_examples=200, deadline=None)
def test_a_number_is_cut_as_its_text_is(value: float, width: int) -> None:
    from decimal import Decimal

    value = float(f"{value:.4f}")
    cut = float(Truncated(shares=ALWAYS, widths=(width,) * 5).apply(np.array([[value]]), 1, draws())[0, 0])
    text = f"{Decimal(repr(value)):f}"[:width]
    wanted = float(text) if text.strip("-.") else 0.0
    assert cut == pytest.approx(wanted, abs=1e-9 + 1e-12 * abs(value))


@given(st.floats(-1e9, 1e9).filter(lambda v: v == 0 or abs(v) > 1e-6), st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_a_number_is_rounded_as_its_text_is(value: float, digits: int) -> None:
    near = Rounded(shares=ALWAYS, digits=(digits,) * 5).apply(np.array([[value]]), 1, draws())[0, 0]
    assert near == pytest.approx(float(f"{value:.{digits - 1}e}"), rel=2e-9) or abs(near - value) <= abs(
        value
    ) * 10.0 ** (1 - digits)


@given(st.floats(-1e6, 1e6))
@settings(max_examples=100, deadline=None)
def test_integers_wrap_as_in_numpy(value: float) -> None:
    for name, kind in (("int8", np.int8), ("int16", np.int16), ("int32", np.int32)):
        wrapped = Overflow(shares=ALWAYS, types=(name,) * 5).apply(np.array([[value]]), 1, draws())[0, 0]
        assert wrapped == np.array(np.trunc(value)).astype(np.int64).astype(kind)


def test_what_is_too_large_for_float16_is_missing_and_what_was_missing_stays() -> None:
    short = Overflow(shares=ALWAYS).apply(np.array([[1e5, 2049.0, np.nan, -7.0]]), 1, draws())
    np.testing.assert_array_equal(short, [[np.nan, 2048.0, np.nan, -7.0]])
    with pytest.raises(TemperError, match="type 'int4' is unknown"):
        Overflow(types=("int4",) * 5)


def test_swapped_columns_trade_places_and_totals_follow() -> None:
    swapped = Swapped(schema=SHOP, columns=("price", "count"), shares=ALWAYS).apply(shop(), 1, draws())
    np.testing.assert_allclose(swapped, shop()[:, [1, 0, 2, 3]])
    with pytest.raises(Unsupported, match="no other quantity"):
        Swapped(schema=SHOP, columns=("price",)).apply(shop(), 1, draws())


@given(
    values=st.lists(
        st.sampled_from([0.0, 1.0, 2.5, -3.0, 7.0, np.nan]) | st.floats(-100, 100), min_size=1, max_size=60
    ),
    rate=st.sampled_from([0.01, 0.1, 0.33]),
)
@settings(max_examples=60, deadline=None)
def test_the_least_value_that_is_lost_follows_from_places(values: list[float], rate: float) -> None:
    out = np.array(values)[:, None]
    (only,) = features(None, out)
    limit = least(out[:, 0], rate)
    share = [np.mean(value >= limit) for value in out[:, 0]]
    wanted = limits(places(out, only, np.arange(len(out))), rate) / 2.0**64
    known = ~np.isnan(out[:, 0])
    assert np.abs(share - wanted)[known].max(initial=0.0) <= 0.5 / STEPS + 1e-12


def test_values_below_the_sample_are_lost_as_rarely_as_its_smallest() -> None:
    limit = least(np.array([5.0, 6.0]), 0.33)
    assert np.mean(limit <= -1e9) == np.mean(limit <= 5.0) > 0


@given(st.floats(5e-324, 1.7e308))
@settings(max_examples=300, deadline=None)
def test_decades_are_those_of_the_text(value: float) -> None:
    assert decades(np.array([value]))[0] == Decimal(repr(value)).adjusted()
    assert decades(-np.array([0.0, np.inf, np.nan])).shape == (3,)


def test_tens_are_exact_and_end_where_numbers_do() -> None:
    assert tens(np.array([-400, -3, 0, 22, 308, 400])).tolist() == [0.0, 1e-3, 1.0, 1e22, 1e308, np.inf]
