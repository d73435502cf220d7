"""Weak segments: planted ones come first with their rule, a sound model has none, and what cannot be said is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from temper.core.attack import Scene
from temper.core.measure import Measurement, Status
from temper.core.schema import Column, Schema
from temper.core.target import Access, ScoreKind
from temper.kernels.rate import apart
from temper.kernels.slices import Condition, Rule, conditions, parts, search
from temper.validation.weak_slice import WeakSlice

COLUMNS = (
    Column(name="age", low=18, high=90),
    Column(name="amount", low=0, high=1000),
    Column(name="channel", type="category", categories=("shop", "web", "phone")),
    *(Column(name=f"other{i}") for i in range(5)),
)


class Known:
    """A target that answers row by row what was prepared for it; the last column is the row's number."""

    name, access, stochastic, digest, kind, classes = "known", Access.SCORES, False, "k", ScoreKind.PROBABILITIES, 2

    def __init__(self, decided: Any) -> None:
        self.decided = decided

    def scores(self, x: Any) -> Any:
        one = self.decided[x[:, -1].astype(int)].astype(float)
        return np.column_stack([1 - one, one])


def world(seed: int, n: int = 4_000, weak: float = 0.0) -> tuple[Scene, Any]:
    """Rows of which a tenth is judged wrongly, and `weak` more where age is low and amount is high."""
    rng = np.random.default_rng(seed)
    x = np.column_stack(
        [rng.uniform(18, 90, n), rng.uniform(0, 1000, n), rng.integers(0, 3, n), rng.normal(size=(n, 5))]
    ).astype(float)
    x[rng.random(n) < 0.05, 4] = np.nan
    planted = (x[:, 0] <= 36) & (x[:, 1] > 600)
    y = rng.integers(0, 2, n)
    wrong = rng.random(n) < np.where(planted & (y == 1), 0.1 + weak, 0.1)
    x = np.column_stack([x, np.arange(n)])
    columns = (*COLUMNS, Column(name="number"))
    decided = np.where(wrong, 1 - y, y)
    fields: dict[str, Any] = {"target": Known(decided), "threshold": 0.5}
    return Scene(x=x, y=y, ids=np.arange(n), schema=Schema(columns=columns), **fields), planted


def first(measured: tuple[Measurement, ...], metric: str) -> Measurement:
    return next(m for m in measured if m.metric == metric)


def test_a_planted_segment_comes_first_with_its_rule_and_its_rate() -> None:
    scene, _planted = world(0, weak=0.4)
    found = WeakSlice().measure(scene)
    misses = first(found, "misses")
    assert misses.slice == "all"
    assert misses.low is not None
    assert misses.high is not None
    assert misses.low > 0.2
    assert misses.low <= 0.4 <= misses.high
    assert "age <= " in misses.caveats[0]
    assert "amount > " in misses.caveats[0]
    assert misses.caveats[1].startswith("holds")
    assert dict(misses.baseline)["rate elsewhere"] < 0.2


def test_a_sound_model_is_not_accused() -> None:
    measured = (m for seed in range(12) for m in WeakSlice().measure(world(seed, 2_000)[0]))
    raised = [m for m in measured if m.caveats[1].startswith("holds")]
    assert len(raised) <= 2, [m.caveats[0] for m in raised]
    alarms = first(WeakSlice().measure(world(0, weak=0.4)[0]), "alarms")
    assert alarms.low is not None
    assert alarms.low < 0.1, "the weak segment concerns misses, not alarms"


@pytest.mark.parametrize("n", [0, 10, 60])
def test_few_rows_give_a_reason(n: int) -> None:
    found = WeakSlice().measure(world(0, n)[0])
    assert found
    assert all(m.status is Status.INCONCLUSIVE and m.reason for m in found)


def test_pictures_have_no_segments() -> None:
    scene = Scene(x=np.zeros((4, 1, 2, 2)), y=np.zeros(4), ids=np.arange(4), schema=Schema.box(0, 1))
    assert [m.status for m in WeakSlice().measure(scene)] == [Status.UNTRIED]


def test_two_columns_are_found_together_where_neither_stands_out_alone() -> None:
    rng = np.random.default_rng(3)
    x = rng.uniform(size=(3_000, 6))
    hit = rng.random(3_000) < np.where((x[:, 1] > 0.5) == (x[:, 4] > 0.5), 0.5, 0.1)
    best = search(x, hit, tuple(Column(name=f"c{i}") for i in range(6)))[0]
    assert {c.at for c in best.conditions} == {1, 4}


def test_rules_read_as_words_and_missing_values_count_once() -> None:
    x = np.array([[20.0, 1.0], [np.nan, 0.0], [70.0, 1.0]])
    age, channel = Column(name="age", type="integer"), COLUMNS[2]
    rule = Rule((Condition(1, "is", 1.0), Condition(0, ">", 30.0)))
    assert rule.words((age, channel)) == "age > 30 and channel is web"
    assert rule.mask(x).tolist() == [False, False, True]
    for condition in conditions(x, (age, channel)):
        assert condition.sign == "<=" or (condition.mask(x) ^ condition.opposite.mask(x)).all()
    assert Condition(0, "missing").words((age,)) == "age is missing"


def test_parts_hold_every_row_once() -> None:
    scene, planted = world(1, weak=0.6)
    rows = scene.y == 1
    x = np.asarray(scene.x)[rows]
    hit = np.random.default_rng(0).random(len(x)) < np.where(planted[rows], 0.7, 0.1)
    leaves = parts(x, hit, scene.schema.columns)
    masks = np.array([leaf.mask(x) for leaf in leaves])
    assert (masks.sum(axis=0) == 1).all()
    assert 2 <= len(leaves) <= 8
    assert masks.sum(axis=1).min() >= 50
    assert max(hit[mask].mean() for mask in masks) > 0.6


def test_the_difference_of_two_rates_covers_it() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        _, low, high = apart(int(rng.binomial(40, 0.3)), 40, int(rng.binomial(400, 0.1)), 400)
        held += low <= 0.2 <= high
    assert held >= 370
