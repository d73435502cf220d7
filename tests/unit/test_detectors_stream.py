"""The extraction detector: fair bets, made-up rows caught, natural ones not, repeats without weight, bounded rings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.schema import Column, Schema
from temper.detectors.stream._followed import Trail
from temper.detectors.stream.extraction import Extraction
from temper.kernels._jit_steps import STEPS, repeated
from temper.kernels.betting import bet
from temper.kernels.chow_liu import dependence, together
from temper.kernels.codes import codes, encoded


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def rows(n: int, seed: int = 0) -> np.ndarray:
    """Six columns that hang together."""
    return (
        rng(seed).normal(size=(n, 2)) @ rng(9).normal(size=(2, 6)) + 0.2 * rng(seed + 1).normal(size=(n, 6))
    ).astype(np.float32)


@pytest.fixture(scope="module")
def start() -> Trail:
    return Extraction().fit(rows(8_000), Schema())


def alarm_after(start: Trail, asked: np.ndarray) -> int:
    """Queries until the first alarm, 0 for none."""
    alarms = Extraction().step(start.fresh(), asked)[1].alarms
    return int(np.argmax(alarms)) + 1 if alarms.any() else 0


def test_columns_drawn_one_by_one_are_caught_within_twenty_queries(start: Trail) -> None:
    asked = np.stack([rng(at).permutation(rows(300, 3)[:, at]) for at in range(6)], axis=1)
    assert 0 < alarm_after(start, asked) <= 20


def test_rows_anywhere_in_the_box_are_caught_within_twenty_queries(start: Trail) -> None:
    assert 0 < alarm_after(start, rng(1).uniform(-6, 6, (300, 6)).astype(np.float32)) <= 20


def test_a_walk_around_one_row_is_caught_within_thirty_queries(start: Trail) -> None:
    asked = rows(1, 5) + 0.01 * rng(2).normal(size=(300, 6)).astype(np.float32)
    assert 0 < alarm_after(start, asked) <= 30


def apart(n: int, seed: int = 0) -> np.ndarray:
    """Five numbers and three words that have nothing to do with each other."""
    return np.column_stack([rng(seed).normal(size=(n, 5)), rng(seed + 1).integers(4, size=(n, 3))]).astype(np.float32)


def stepping(many: int = 150) -> np.ndarray:
    """Ordinary rows, and every one of them again with each number one step up or down, as a copy's slopes say."""
    known = apart(many, 3)
    moved = known.copy()
    moved[:, :5] += 0.5 * rng(3).choice([-1.0, 1.0], (many, 5)).astype(np.float32)
    return np.concatenate([known, moved])


def test_steps_of_one_size_are_caught_though_every_row_is_ordinary() -> None:
    words = [Column(name=f"w{at}", type="category", categories=("a", "b", "c", "d")) for at in range(3)]
    schema = Schema(columns=(*(Column(name=f"n{at}", type="number") for at in range(5)), *words))
    trail, asked = Extraction().fit(apart(8_000), schema), stepping()
    assert not alarm_after(trail, asked[:150])
    assert 150 < alarm_after(trail, asked) <= 200
    signal = Extraction().step(trail.fresh(), asked)[1]
    assert signal.reason.startswith("steps of one size")
    assert not any(alarm_after(trail, apart(2_000, seed)) for seed in range(10, 20))


def test_steps_say_nothing_of_columns_that_agree_by_themselves() -> None:
    """Amounts on a grid repeat their steps column by column, and not together."""
    random, steps = rng(5), np.zeros((5, STEPS), np.float32)
    masks, logs = np.empty(STEPS, np.uint64), np.empty(5)
    steps[:] = random.integers(1, 4, steps.shape)
    said = [repeated(random.integers(1, 4, 5).astype(np.float32), steps, masks, logs) for _ in range(500)]
    assert np.mean(np.array(said) > 0) < 0.05
    steps.T[::6] = [3.5, 7.25, 1.5, 9.75, 2.5]
    assert repeated(steps[:, 0].copy(), steps, masks, logs) > 10.0
    assert repeated(np.zeros(5, np.float32), steps, masks, logs) == 0.0
    assert repeated(np.full(5, np.nan, np.float32), steps, masks, logs) == 0.0


def test_what_a_client_is_told_does_not_depend_on_how_its_rows_are_cut(start: Trail) -> None:
    watch, asked = Extraction(), rows(500, 6)
    whole = watch.step(start.fresh(), asked)[1].values
    trail, told = start.fresh(), []
    for part in np.array_split(asked, 37):
        trail, signal = watch.step(trail, part)
        told.append(signal.values)
    np.testing.assert_array_equal(np.concatenate(told), whole)


def test_natural_rows_are_not_seen_whoever_asks(start: Trail) -> None:
    assert not any(alarm_after(start, rows(2_000, seed)) for seed in range(10, 25))


def test_a_client_with_customers_of_one_kind_is_honest(start: Trail) -> None:
    many = rows(20_000, 30)
    for at in range(6):
        ordered = many[np.argsort(many[:, at])]
        for part in (ordered[:2_000], ordered[9_000:11_000], ordered[-2_000:]):
            assert not alarm_after(start, rng(at).permutation(part)[:400])


def test_retries_count_nothing(start: Trail) -> None:
    asked = rows(40, 7)
    watch = Extraction()
    once, _ = watch.step(start.fresh(), asked)
    often, signal = watch.step(start.fresh(), np.repeat(asked, 30, axis=0))
    assert often.distinct == once.distinct == 40
    assert often.counts[1] == 40 * 29
    assert not signal.alarms.any()
    np.testing.assert_array_equal(often.counts[2:], once.counts[2:])


def test_the_ring_grows_to_its_limit_and_holds_the_last_rows(start: Trail) -> None:
    watch = Extraction(ring=100)
    asked = rows(450, 8)
    trail, _ = watch.step(start.fresh(), asked)
    assert trail.ring.shape == (6, 100)
    kept = {bytes(row) for row in trail.ring.T}
    assert kept == {bytes(row) for row in encoded(trail.ordinary.codes, asked[-100:])}


def test_columns_without_a_value_or_with_one_only_are_no_trouble() -> None:
    x = np.column_stack([rows(3_000), np.full(3_000, np.nan), np.full(3_000, 4.0)])
    trail = Extraction().fit(x, Schema())
    assert not alarm_after(trail, x[:300].astype(np.float32))
    mixed = np.stack([rng(at).permutation(x[:300, at]) for at in range(8)], axis=1)
    assert 0 < alarm_after(trail, mixed) <= 30


def test_clients_do_not_share_what_is_kept(start: Trail) -> None:
    one, other = start.fresh(), start.fresh()
    Extraction().step(one, rows(10, 4))
    assert other.distinct == 0
    assert start.distinct == 0


@given(st.integers(0, 10_000), st.sampled_from([0.01, 0.05, 0.2]))
@settings(max_examples=50, deadline=None)
def test_bets_are_fair_in_every_segment_even_with_tolerated_rows_among_them(seed: int, tolerated: float) -> None:
    ordinary, unlike = rng(seed).normal(size=4_000), rng(seed + 1).normal(1.5, 1.0, size=2_000)
    segments = [np.flatnonzero(ordinary > -0.5), np.flatnonzero(np.abs(ordinary) < 1.0)]
    made = bet(ordinary, segments, unlike, tolerated)
    won = made.factors[np.searchsorted(made.edges, ordinary, side="left")]
    most = made.factors[np.searchsorted(made.edges, unlike, side="left")].mean()
    for rows_ in (np.arange(4_000), *segments):
        assert (1 - tolerated) * won[rows_].mean() + tolerated * most <= 1.0
    assert most > 1.0
    assert (np.diff(made.factors) >= 0).all()


def test_bets_on_what_looks_the_same_win_nothing() -> None:
    made = bet(rng(0).normal(size=4_000), [np.arange(4_000)], rng(1).normal(-3, 1, size=2_000), 0.05)
    assert made.factors.max() <= 1.0


def test_the_tree_follows_a_chain_and_its_gain_is_a_likelihood_ratio() -> None:
    a = rng(0).integers(0, 4, 20_000)
    b = np.where(rng(1).random(20_000) < 0.9, a, rng(2).integers(0, 4, 20_000))
    c = np.where(rng(3).random(20_000) < 0.9, b, rng(4).integers(0, 4, 20_000))
    chain = np.stack([a, b, c], axis=1)
    tree = dependence(chain)
    assert list(tree.parent) == [0, 0, 1]
    mixed = np.stack([rng(5 + at).permutation(chain[:, at]) for at in range(3)], axis=1)
    assert np.exp(together(tree, mixed)).mean() == pytest.approx(1.0, abs=0.05)
    assert together(tree, chain).mean() > 1.0


def test_bytes_keep_ranks_categories_and_gaps() -> None:
    x = np.column_stack([np.arange(1_000.0), rng(0).integers(0, 5, 1_000)])
    table = codes(x, np.array([False, True]))
    found = encoded(table, np.array([[-1e9, 4.0], [500.0, 300.0], [1e9, -3.0], [np.nan, np.nan]]))
    assert found.tolist() == [[0, 4], [120, 254], [239, 0], [255, 255]]
