"""The held-out make of the bank's world: the same answers make the same days, nothing comes from later, rings learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from temper.core.errors import TemperError
from temper.demos.bank.world import NEVER, Payments, Told, World
from temper.demos.held_out_bank import HeldOutWorld
from temper.demos.held_out_bank.orders import earlier, spent_before
from temper.kernels.ranking import auc

Array = np.ndarray[Any, Any]
Rule = Callable[[Array], Array]
TOO_MUCH = 300.0


def threshold(rows: Array) -> Array:
    return rows[:, 0] > TOO_MUCH


def lived(world: HeldOutWorld, days: int, rule: Rule = threshold, past: int = 5) -> list[Payments]:
    """Days in which the bank declines what the rule stops."""
    world.history(past)
    told, made = None, []
    for number in range(days):
        made.append(world.day(number, told))
        told = np.where(rule(made[-1].rows), Told.DECLINED, Told.PASSED)
    return made


def earned(days: list[Payments], rule: Rule = threshold) -> float:
    return float(sum(day.amount[day.fraud & ~rule(day.rows)].sum() for day in days))


def same(one: Payments, other: Payments) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in Payments.__slots__)


@pytest.fixture(scope="module")
def past() -> list[Payments]:
    return HeldOutWorld(seed=3, per_day=2_000).history(24)


def test_the_same_seed_and_answers_make_the_same_days_and_another_seed_does_not() -> None:
    one, two, other = (lived(HeldOutWorld(seed=seed, per_day=300), 6) for seed in (1, 1, 2))
    assert all(same(a, b) for a, b in zip(one, two, strict=True))
    assert not any(same(a, b) for a, b in zip(one, other, strict=True))


def test_it_is_a_world() -> None:
    world: World = HeldOutWorld(seed=0, per_day=100, adaptive=False)
    assert "amount" in world.schema.names
    assert HeldOutWorld.__module__.startswith("temper.demos.held_out_bank")


def test_rows_are_of_the_schema_and_its_formulas_give_what_was_recorded(past: list[Payments]) -> None:
    schema = HeldOutWorld(per_day=100).schema
    for day in past[::8]:
        named = {name: day.rows[:, at] for at, name in enumerate(schema.names)}
        for name, formula in schema.formulas:
            assert np.allclose(formula.value(named, named), named[name], rtol=1e-12)
        assert (day.rows >= schema.lows).all()
        assert (day.rows <= schema.highs).all()
        whole = day.rows[:, [column.discrete for column in schema.columns]]
        assert np.array_equal(whole, np.round(whole))


def test_a_day_comes_in_order_and_says_who_is_behind_what(past: list[Payments]) -> None:
    for day in past:
        assert (np.diff(day.rows[:, 1]) >= 0).all()
        assert np.array_equal(day.amount, day.rows[:, 0])
        assert np.array_equal(day.actor >= 0, day.fraud)
        assert (day.reported[~day.fraud] == NEVER).all()
        assert ((day.reported[day.fraud] >= 1) & (day.reported[day.fraud] <= NEVER)).all()


def test_about_as_many_payments_as_asked_for_and_a_share_of_fraud(past: list[Payments]) -> None:
    assert np.mean([len(day) for day in past]) == pytest.approx(2_000, rel=0.15)
    assert 0.004 < np.concatenate([day.fraud for day in past]).mean() < 0.02
    learnt = lived(HeldOutWorld(seed=3, per_day=2_000), 25)
    assert 0.004 < np.concatenate([day.fraud for day in learnt]).mean() < 0.05


def test_what_is_told_changes_later_days_only() -> None:
    lenient = lived(HeldOutWorld(seed=5, per_day=400), 6)
    strict = lived(HeldOutWorld(seed=5, per_day=400), 6, lambda rows: rows[:, 0] > (20.0 if len(rows) else 0.0))
    assert same(lenient[0], strict[0])
    assert not same(lenient[1], strict[1])
    changing = HeldOutWorld(seed=5, per_day=400)
    changing.history(5)
    told = None
    for number in range(6):
        day = changing.day(number, told)
        assert same(day, lenient[number])  # asked one by one, before anything later was decided
        told = np.where(threshold(day.rows), Told.DECLINED, Told.PASSED)


def test_a_row_does_not_know_the_rest_of_its_day(past: list[Payments]) -> None:
    names = HeldOutWorld(per_day=100).schema.names
    for day in past[-3:]:
        last = earlier(day.account)[1]
        held = day.rows[:, names.index("balance")]
        again = np.flatnonzero(last >= 0)
        # What is left after the order before: a later one, or the row itself, would have made it less.
        assert np.allclose(held[again], held[last[again]] - day.amount[last[again]], atol=0.011)


def test_rings_that_learn_earn_more_than_those_that_do_not() -> None:
    pairs = [
        [earned(lived(HeldOutWorld(seed=seed, per_day=500, adaptive=learn, fraud=0.05), 20)) for learn in (True, False)]
        for seed in range(2)
    ]
    assert all(learnt > fixed for learnt, fixed in pairs)


def test_rings_that_do_not_learn_do_the_same_whatever_they_are_told() -> None:
    deeds = [
        [(sorted(set(day.actor[day.fraud])), int((day.rows[day.fraud, 1] < 6).sum())) for day in days]
        for days in (
            lived(HeldOutWorld(seed=2, per_day=400, adaptive=False, fraud=0.1), 5, rule)
            for rule in (threshold, lambda rows: np.zeros(len(rows), dtype=bool))
        )
    ]
    assert deeds[0][0] == deeds[1][0]
    rings = HeldOutWorld(seed=2, per_day=400, adaptive=False, fraud=0.1)._rings
    before = rings.strategy.copy()
    lived(world := HeldOutWorld(seed=2, per_day=400, adaptive=False, fraud=0.1), 5)
    assert np.array_equal(world._rings.strategy, before)


def test_where_everything_is_stopped_rings_go_broke_and_others_come() -> None:
    days = lived(HeldOutWorld(seed=4, per_day=500, fraud=0.05), 30, lambda rows: np.ones(len(rows), dtype=bool))
    first, last = (set(day.actor[day.fraud].tolist()) for day in (days[0], days[-1]))
    assert not first & last
    assert last


def test_a_plain_classifier_of_the_past_is_neither_perfect_nor_hopeless(past: list[Payments]) -> None:
    x = np.concatenate([np.log1p(day.rows) for day in past])
    fraud, cut = np.concatenate([day.fraud for day in past]), sum(map(len, past[:16]))
    x = np.column_stack([x - x[:cut].mean(axis=0), np.ones(len(x))])
    slope = np.linalg.lstsq(x[:cut], fraud[:cut].astype(float), rcond=None)[0]
    assert 0.7 < auc(fraud[cut:], (x @ slope)[cut:]) < 0.999


def test_memory_does_not_grow_with_the_days() -> None:
    world = HeldOutWorld(seed=6, per_day=100)
    world.history(1)

    def held() -> int:
        parts = (world._people, world._payees, world._accounts, world._rings, world._trade)
        kept = [getattr(p, name) for p in parts for name in getattr(type(p), "__slots__", None) or vars(p)]
        return sum(value.nbytes for value in kept if isinstance(value, np.ndarray))

    before = held()
    for number in range(20):
        world.day(number, None)
    assert held() == before


@pytest.mark.parametrize(("wrong", "words"), [({"per_day": 10}, "per_day=10"), ({"fraud": 0.9}, "fraud=0.9")])
def test_a_world_that_cannot_be_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(TemperError, match=words):
        HeldOutWorld(**wrong)


def test_days_are_asked_for_in_turn_with_an_answer_for_every_payment() -> None:
    world = HeldOutWorld(per_day=100)
    with pytest.raises(TemperError, match="day 0 is next"):
        world.day(1, None)
    day = world.day(0, None)
    with pytest.raises(TemperError, match=f"3 answers came for the {len(day)} payments"):
        world.day(1, np.zeros(3))
    with pytest.raises(TemperError, match="have begun"):
        world.history(3)


def test_what_came_before_in_a_day() -> None:
    who = np.array([4, 2, 4, 4, 2])
    assert earlier(who).tolist() == [[0, 0, 1, 2, 1], [-1, -1, 0, 2, 1]]
    assert spent_before(who, np.array([1.0, 2.0, 4.0, 8.0, 16.0])).tolist() == [0.0, 0.0, 1.0, 5.0, 2.0]
    assert earlier(who[:0]).shape == (2, 0)
    assert spent_before(who[:0], np.zeros(0)).shape == (0,)
