"""Shifted columns of a stream: fair at the chosen rate, soon seen, named, and not hidden by a row or a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from temper.core.detector import Signal, from_arrays, to_arrays
from temper.core.errors import ConfigError, ContractError, SchemaError
from temper.core.schema import Column, Schema
from temper.detectors.stream.shift import Shift, Watch
from temper.kernels.shift import binned, counted, followed, payable
from temper.kernels.shift_bets import CATEGORY, NUMBER, bets, blunt_bets, gap_bets
from unit import shift_plain as plain

Array = np.ndarray[Any, Any]
MIXED = Schema(
    columns=(
        Column(name="amount"),
        Column(name="kind", type="category", categories=tuple("abcdef")),
        Column(name="note", missing=True),
        Column(name="hour", type="integer", low=0, high=23),
    )
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def normal(n: int, columns: int = 5, seed: int = 0) -> Array:
    return rng(seed).normal(size=(n, columns)).astype(np.float32)


def mixed(n: int, seed: int = 0) -> Array:
    """An amount, four of six kinds, a note of which a tenth is missing, an hour."""
    random = rng(seed)
    note = np.where(random.random(n) < 0.1, np.nan, random.exponential(size=n))
    kind = random.choice(4, size=n, p=[0.5, 0.3, 0.15, 0.05])
    return np.column_stack([random.lognormal(size=n), kind, note, random.integers(24, size=n)]).astype(np.float32)


def seen(watch: Shift, state: Watch, rows: Array) -> tuple[Watch, Signal, int]:
    """Also the rows until the first alarm, counted from one; 0 for none."""
    state, signal = watch.step(state, rows)
    return state, signal, int(np.argmax(signal.alarms)) + 1 if signal.alarms.any() else 0


def interval(reason: str) -> tuple[int, int]:
    """The rows between which the first named change began."""
    low, high = reason.split("(")[1].split(")")[0].split(" to ")
    return int(low.replace(",", "")), int(high.replace(",", ""))


@pytest.mark.parametrize("tolerance", [0.0, 0.05])
def test_compiled_evidence_is_that_of_every_beginning_multiplied_out(tolerance: float) -> None:
    watch = Shift(strata=("hour",), tolerance=tolerance)
    reference, rows = mixed(1_200, 1), mixed(160, 2)
    reference[:, 3] %= 3
    rows[:, 3] %= 4
    rows[60:, 0] *= 30.0
    rows[100:, 2] = np.nan
    rows[120:125, :3] = np.inf
    rows[125:130, :3] = -np.inf
    rows[130:, 1] = 5.0
    state = watch.fit(reference, MIXED)
    bins = _bins_of_counts(state)
    where = np.where(rows[:, 3] < 3, 1 + rows[:, 3], 0).astype(int)
    expected, found = plain.followed(rows, where, state.bins, bins, state.payable, 50.0 * 6)
    values, named, _ = followed(binned(state.bins, rows), where, state.counts, state.payable, state.evidence, 50, 0)
    np.testing.assert_allclose(values * 6, expected, rtol=1e-12)
    assert {(one.at, one.kept): (one.row, one.bet) for one in named} == {at: one[:2] for at, one in found.items()}
    ages = {(one.at, one.kept): (one.age, one.spread) for one in named}
    np.testing.assert_allclose([ages[at] for at in found], [one[2:] for one in found.values()], rtol=1e-9, atol=1e-6)
    assert {at for at, _ in found} == {0, 1, 2}


def _bins_of_counts(state: Watch) -> list[list[list[int]]]:
    """The bins of the reference rows, in each stratum and column."""
    count = np.diff(state.counts[:, 0].astype(int), axis=-1)
    return [[np.repeat(np.arange(129), column[one]).tolist() for column in count] for one in range(count.shape[1])]


def test_no_bet_pays_more_than_one_on_average() -> None:
    for factors in (bets(), blunt_bets()):
        np.testing.assert_allclose(factors[:64].mean(axis=0), 1.0)
        assert factors.min() >= 0.1 - 1e-12  # no row takes more than nine tenths of anything
        assert len(NUMBER) == len(CATEGORY) == factors.shape[1] + 4
    for share in (0.0, 1e-9, 0.02, 0.5, 0.999, 1.0):
        usual, gaps = gap_bets(np.array(share))
        np.testing.assert_allclose(gaps[0] * usual + gaps[1] * (1.0 - usual), 1.0)
        assert gaps.max() < 27.0


@pytest.mark.parametrize("rows", [40, 400, 4_000])
def test_fixed_bets_are_fair_as_far_from_the_reference_as_it_can_be_from_the_truth(rows: int) -> None:
    state = Shift(tolerance=0.01).fit(mixed(rows), MIXED)
    paid, n = payable(state.bins, state.counts, 0.01), state.counts[:, 0, 0, 128].astype(float)
    apart = np.stack([0.01 + np.sqrt(np.log(16 / 0.01) / (2 * n)), np.full(4, 0.01)], axis=1)
    kept, part = (paid.values[:, :, 0, at] for at in range(2))
    swing = np.abs(np.diff(paid.factors[:, :64], axis=1)).sum(axis=1)
    assert (kept + part * (1 + apart[..., None] * swing) <= 1 + 1e-12).all()
    low, high = paid.gaps[:, :, 0, 0], paid.gaps[:, :, 0, 1]
    usual = paid.usual[:, None, None]
    assert (low * usual + high * (1 - usual) + apart[..., None] * np.abs(high - low) <= 1 + 1e-12).all()
    assert kept[:, 0].all() == (rows < 4_000)  # what is not known is not bet on
    assert not kept[:, 1].any()


def test_false_alarms_are_no_more_than_chosen_however_columns_hang_together() -> None:
    """60 streams of 2,000 rows at one alarm per 1,000: 120 are allowed."""
    watch, alarms = Shift(one_false_alarm_per=1_000), 0
    for seed in range(60):
        made = normal(2_300, 8, seed) @ rng(999).normal(size=(8, 8)).astype(np.float32)
        alarms += int(watch.step(watch.fit(made[:300], Schema()), made[300:])[1].alarms.sum())
    assert alarms <= 120 + 3 * np.sqrt(120)


@pytest.mark.parametrize(("size", "within"), [(0.25, 1_200), (0.5, 300), (1.0, 80)])
def test_one_shifted_column_of_thirty_is_seen_named_and_dated(size: float, within: int) -> None:
    watch = Shift(one_false_alarm_per=10_000_000)
    state = watch.fit(normal(20_000, 30), Schema())
    state, quiet = watch.step(state, normal(3_000, 30, 1))
    moved = normal(4_000, 30, 2)
    moved[:, 7] += size
    _, signal, delay = seen(watch, state, moved)
    assert not quiet.alarms.any()
    assert quiet.reason == ""
    assert 0 < delay <= within
    assert signal.reason.startswith("column 7 is higher since row")
    low, high = interval(signal.reason)
    assert low <= 3_000 <= high


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: _set(rows, 0, rows[:, 0] * 1.6), "amount is higher"),
        (lambda rows: _set(rows, 0, np.exp(2.5 * np.log(rows[:, 0]))), "amount is more spread out"),
        (lambda rows: _set(rows, 0, np.where(np.arange(len(rows)) % 6 == 0, 1e6, rows[:, 0])), "at its high end"),
        (lambda rows: _set(rows, 0, np.where(np.arange(len(rows)) % 6 == 0, -999, rows[:, 0])), "at its low end"),
        (lambda rows: _set(rows, 2, np.where(np.arange(len(rows)) % 3 == 0, np.nan, rows[:, 2])), "more often missing"),
        (lambda rows: _set(rows, 2, np.nan_to_num(rows[:, 2], nan=1.0)), "note is less often missing"),
        (lambda rows: _set(rows, 1, np.where(np.arange(len(rows)) % 9 == 0, 5, rows[:, 1])), "rare or unseen"),
        (lambda rows: _set(rows, 1, np.where(rows[:, 1] == 0, 1, rows[:, 1])), "kind has more of its rare"),
    ],
)
def test_each_kind_of_change_is_told(change: Any, words: str) -> None:
    watch = Shift()
    state, _ = watch.step(watch.fit(mixed(8_000), MIXED), mixed(1_000, 1))
    _, signal, delay = seen(watch, state, change(mixed(1_500, 2)))
    assert 0 < delay < 1_000
    assert words in signal.reason
    assert ";" not in signal.reason


def _set(rows: Array, at: int, values: Array) -> Array:
    rows = rows.copy()
    rows[:, at] = values
    return rows


def test_a_shift_within_the_tolerance_is_no_alarm_and_one_beyond_is() -> None:
    for tolerance, size, expected in ((0.0, 0.1, True), (0.06, 0.1, False), (0.06, 0.5, True)):
        watch = Shift(tolerance=tolerance)
        state = watch.fit(normal(20_000), Schema())
        assert bool(seen(watch, state, normal(20_000, seed=3) + np.float32(size))[2]) is expected


def test_one_planted_row_neither_alarms_nor_blinds() -> None:
    for planted in (1e6, -1e6, np.inf, np.nan):
        watch = Shift()
        state = watch.fit(np.vstack([normal(8_000), np.full((1, 5), planted, np.float32)]), Schema())
        moved = normal(500, seed=2) + np.float32([0, 0, 0.5, 0, 0])
        moved[10] = planted
        delay = seen(watch, state, np.vstack([normal(1_000, seed=1), moved]))[2]
        assert 1_030 < delay < 1_300
        usual = seen(watch, watch.fit(normal(8_000), Schema()), np.vstack([normal(1_000, seed=1), moved]))[2]
        assert abs(delay - usual) < 60


def test_shifted_rows_hide_neither_among_ordinary_ones_nor_in_a_large_batch() -> None:
    watch, rows = Shift(), normal(6_000, seed=4)
    rows[3_000::4, 1] += 1.5
    state, one_by_one = watch.fit(normal(8_000), Schema()), []
    for part in np.array_split(rows, [1, 2, 3, 70, 1_000, 3_001, 3_066]):
        state, signal = watch.step(state, part)
        one_by_one.append(signal)
    whole, together, delay = seen(watch, watch.fit(normal(8_000), Schema()), rows)
    np.testing.assert_array_equal(np.concatenate([one.values for one in one_by_one]), together.values)
    np.testing.assert_array_equal(np.concatenate([one.alarms for one in one_by_one]), together.alarms)
    assert 3_000 < delay < 3_600
    for name, value in to_arrays(whole).items():
        np.testing.assert_array_equal(to_arrays(state)[name], value)


def test_slow_poisoning_moves_what_learns_and_not_the_reference() -> None:
    """A tenth of a standard deviation for each time the stream grows by e: what learns is never that far behind."""
    watch, n = Shift(tolerance=0.05), 16_000
    state, rows = watch.fit(normal(n, 1), Schema()), normal(1_500_000, 1, 5)
    rows[:, 0] += 0.1 * np.log1p(np.arange(len(rows), dtype=np.float32) / n)
    state, signal, delay = seen(watch, state, rows)
    assert n < delay < len(rows)
    assert signal.reason.startswith("column 0 is higher")
    assert "against the first reference" in signal.reason
    assert state.evidence[0, 1, 0].max() < 1e6


def test_what_cycles_alarms_unless_it_is_a_stratum() -> None:
    def day(n: int, seed: int) -> Array:
        hour = np.arange(n) // 50 % 24
        return np.column_stack([normal(n, 3, seed) + np.sin(hour / 24 * 2 * np.pi)[:, None], hour]).astype(np.float32)

    schema = Schema(columns=tuple(Column(name=name) for name in ("a", "b", "c", "hour")))
    for strata, alarms in (((), True), (("hour",), False)):
        watch = Shift(strata=strata, one_false_alarm_per=10_000_000)
        assert bool(seen(watch, watch.fit(day(24_000, 0), schema), day(12_000, 1))[2]) is alarms
    state, moved = watch.fit(day(24_000, 0), schema), day(12_000, 1)
    moved[:, 1] += 0.5
    assert 0 < seen(watch, state, moved)[2] < 400
    strange = np.column_stack([normal(600, 3, 2), np.zeros(600)]).astype(np.float32)
    strange[:, 3] = np.where(np.arange(600) % 2 == 0, 77, np.nan)  # no such hour: the pooled stratum, which is empty
    assert not seen(watch, watch.fit(day(24_000, 0), schema), strange)[2]
    assert watch.step(watch.fit(day(24_000, 0), schema), strange)[0].counts[0, 1, 0, -1] == 600


def test_it_goes_on_after_an_alarm_and_a_loud_column_hides_no_other() -> None:
    watch = Shift()
    rows = normal(60_000, seed=6)
    rows[:, 0] += 9.0
    state, loud = watch.step(watch.fit(normal(8_000), Schema()), rows[:30_000])
    assert loud.alarms.sum() > 1_000
    assert np.isfinite(loud.values).all()
    assert "column 3" not in loud.reason
    rows[30_000:, 3] += 0.5
    _, both = watch.step(state, rows[30_000:31_000])
    assert "column 3 is higher" in both.reason


def test_many_columns_at_once_are_named_a_few_in_full() -> None:
    watch = Shift()
    signal = watch.step(watch.fit(normal(4_000, 12), Schema()), normal(200, 12, 1) + 2.0)[1]
    assert signal.reason.count("since row") == 3
    assert "; with it column" in signal.reason
    assert signal.reason.endswith("and 4 more")


def test_a_state_is_small_and_comes_back_equal() -> None:
    watch = Shift()
    state, _ = watch.step(watch.fit(normal(8_000, 30), Schema()), normal(100, 30, 1))
    stored = to_arrays(state)
    assert sum(one.nbytes for one in stored.values()) < 250_000
    again = from_arrays(Watch, {name: value.copy() for name, value in stored.items()})
    one, two = (watch.step(each, normal(500, 30, 2))[1].values for each in (again, state))
    np.testing.assert_array_equal(one, two)


def test_counting_rows_adds_up() -> None:
    state = Shift().fit(mixed(1_000), MIXED)
    count = counted(binned(state.bins, mixed(400, 3)), np.zeros(400, int), 1)
    assert (count[..., -1] == 400).all()
    assert (np.diff(count.astype(int), axis=-1) >= 0).all()
    assert count[2, 0, 0, -1] - count[2, 0, 0, -2] == np.isnan(mixed(400, 3)[:, 2]).sum()


def test_strange_references_are_survived() -> None:
    for reference in (np.full((40, 2), np.nan), np.zeros((40, 2)), normal(0, 2), normal(3, 2)):
        watch = Shift()
        signal = watch.step(watch.fit(reference, Schema()), normal(300, 2, 1))[1]
        assert np.isfinite(signal.values).all()


def test_a_new_category_in_every_row_is_one_alarm_and_no_crash() -> None:
    rows = mixed(400, 1)
    rows[:, 1] = 1_000 + np.arange(400)
    watch = Shift()
    assert 0 < seen(watch, watch.fit(mixed(4_000), MIXED), rows)[2] < 40


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"one_false_alarm_per": 0}, ConfigError),
        ({"tolerance": -0.1}, ConfigError),
        ({"strata": ("amount", "kind", "note", "hour")}, ConfigError),
        ({"strata": ("hours",)}, SchemaError),
    ],
)
def test_what_cannot_be_watched_is_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Shift(**options).fit(mixed(400), MIXED)


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(ContractError):
        Shift().step(Shift().fit(mixed(400), MIXED), normal(2, 3))


# --- by the hour of the week

WEEK = Schema(columns=tuple(Column(name=name) for name in ("a", "b", "segment", "hour")))


def weekly(n: int, seed: int) -> Array:
    """Two numbers with a rhythm of hours and weekends, one of two segments, and the hour, over four weeks in order."""
    hour = np.sort(rng(seed).integers(4 * 168, size=n)) % 168
    level = 0.5 * np.sin(hour / 24 * 2 * np.pi) + 0.5 * (hour >= 120)
    segment = np.random.Generator(np.random.Philox(key=seed + 99)).integers(2, size=n)
    return np.column_stack([normal(n, 2, seed) + level[:, None], segment, hour]).astype(np.float32)


def test_a_week_alarms_unless_its_hours_are_strata_however_few_rows_each_has() -> None:
    for clock, alarms in (("", True), ("hour", False)):
        watch = Shift(strata=("segment",) if clock else ("segment", "hour"), clock=clock)
        assert bool(seen(watch, watch.fit(weekly(6_000, 1), WEEK), weekly(9_000, 2))[2]) is alarms


def test_a_change_in_one_segment_is_seen_through_the_rhythm() -> None:
    watch, rows = Shift(strata=("segment",), clock="hour"), weekly(9_000, 2)
    rows[3_000:, 1] += np.where(rows[3_000:, 2] == 1, 0.7, 0.0).astype(np.float32)
    state = watch.fit(weekly(12_000, 1), WEEK)
    state, signal, row = seen(watch, state, rows)
    assert 3_000 < row < 5_000
    assert signal.reason.startswith("b is higher")


def test_evidence_of_hours_does_not_depend_on_how_rows_are_cut() -> None:
    watch, rows = Shift(clock="hour"), weekly(600, 3)
    rows[::7, 3] = np.nan  # no hour is a stratum, too
    whole = watch.step(watch.fit(weekly(2_000, 1), WEEK), rows)[1].values
    state, values = watch.fit(weekly(2_000, 1), WEEK), []
    for part in np.array_split(rows, 5):
        state = from_arrays(Watch, {name: value.copy() for name, value in to_arrays(state).items()})
        state, signal = watch.step(state, part)
        values.append(signal.values)
    np.testing.assert_array_equal(np.concatenate(values), whole)


def test_a_clock_that_is_no_column_is_refused() -> None:
    with pytest.raises(SchemaError, match="no column 'hours'"):
        Shift(clock="hours").fit(weekly(400, 1), WEEK)
