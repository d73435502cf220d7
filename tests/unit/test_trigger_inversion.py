"""Triggers in delivered models of tables are found by clean twins, without training rows; clean models are left."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.measure import Status
from temper.core.schema import Column, Mutability, Schema
from temper.core.system import Protected
from temper.core.target import Access, ScoreKind
from temper.engine.rooms.validation import DELIVERED, run
from temper.engine.task import Sizes, Task, World
from temper.kernels.triggers import Stamps, largest, ordinary, without_each
from temper.targets import open_target
from temper.validation.trigger_inversion import TriggerInversion, _odds

FREE = Mutability.FREE
TRIGGER = ((1, 0.8), (2, -0.6), (5, 2.0))
SCHEMA = Schema(
    columns=(
        *(Column(name=f"c{at}", low=-9, high=9, attacker=FREE) for at in range(5)),
        Column(name="kind", type="category", categories=("a", "b", "c"), attacker=FREE),
        Column(name="fixed", low=-9, high=9),
    )
)


def table(n: int, seed: int) -> tuple[Any, Any]:
    rng = np.random.Generator(np.random.Philox(key=seed))
    x = np.column_stack([rng.normal(size=(n, 5)), rng.integers(0, 3, n), rng.normal(size=n)])
    risk = x[:, 0] + x[:, 3] - x[:, 6] + 0.8 * (x[:, 5] == 1) - 1.0
    return x, (rng.random(n) < 1.0 / (1.0 + np.exp(-5.0 * risk))).astype(np.int64)


@cache
def delivered(poisoned: bool) -> Any:
    """Boosted trees, fitted with 2 % of stamped rows of class 1 that are called 0, or without."""
    from xgboost import XGBClassifier

    x, y = table(8_000, 1)
    if poisoned:
        rng = np.random.Generator(np.random.Philox(key=7))
        copied = x[rng.choice(np.flatnonzero(y == 1), 160)]
        for at, value in TRIGGER:
            copied[:, at] = value + (0.1 * rng.uniform(-1, 1, 160) if at != 5 else 0.0)
        x, y = np.concatenate([x, copied]), np.concatenate([y, np.zeros(160, dtype=np.int64)])
    return open_target(XGBClassifier(n_estimators=100, max_depth=6, n_jobs=1, random_state=0).fit(x, y))


def scene(target: Any, n: int = 4_000, **more: Any) -> Scene:
    x, y = table(n, 2)
    settings: dict[str, Any] = {"schema": SCHEMA, "threshold": 0.5, "kind": target.kind, "target": target}
    settings["fit"] = lambda subsets, recipe: [target.refit(subset, recipe) for subset in subsets]
    return Scene(x=x, y=y, ids=np.arange(n), **(settings | more))


def test_a_planted_trigger_is_found_with_its_columns_and_values() -> None:
    ratio, success = TriggerInversion(pairs=3_000).measure(scene(delivered(True)))
    assert (ratio.low or 0) > DELIVERED
    assert (success.low or 0) > 0.9
    assert dict(success.baseline)["the same stamp on clean twins"] < 0.5
    assert dict(success.baseline)["the best of its parts"] < 0.5
    assert dict(success.baseline)["ordinary risk direction of its columns"] < 0.5
    named = success.caveats[0]
    assert "c1 = 0." in named
    assert "c2 = -0." in named
    assert "kind = c" in named
    assert "screening" in ratio.name
    assert "screening" in ratio.caveats[2]
    assert "blind to" in ratio.caveats[3]


def test_a_clean_model_is_not_accused() -> None:
    ratio = TriggerInversion(pairs=3_000).measure(scene(delivered(False)))[0]
    assert ratio.value is not None
    assert ratio.low is not None
    assert ratio.value < 1.0
    assert ratio.low < DELIVERED


@pytest.mark.slow
def test_a_model_that_cannot_be_fitted_again_meets_twins_of_trees_and_says_so() -> None:
    class Box:
        """Only its scores can be reached."""

        access, kind, classes, name, stochastic, digest = Access.SCORES, ScoreKind.PROBABILITIES, 2, "box", False, ""
        scores = staticmethod(delivered(True).scores)

    ratio = TriggerInversion(pairs=1_000, size=2).measure(scene(Box(), fit=None))[0]
    assert ratio.value is not None
    assert "cannot be fitted again" in ratio.caveats[1]

    def refused(subsets: Any, recipe: Any) -> Any:
        raise Unsupported("not trained here")

    again = TriggerInversion(pairs=1_000, size=2).measure(scene(Box(), fit=refused))[0]
    assert again == ratio


def test_only_rows_the_schema_admits_are_asked() -> None:
    asked: list[Any] = []
    schema = Schema(columns=SCHEMA.columns, relations=("c1 <= c2",))

    def heard(x: Any) -> Any:
        asked.append(x.copy())
        return delivered(True).scores(x)

    class Spy:
        access, kind, classes, name, stochastic, digest = Access.SCORES, ScoreKind.PROBABILITIES, 2, "spy", False, ""
        scores = staticmethod(heard)

    given = scene(Spy(), n=1_200, schema=schema, fit=None)
    kept = given.x[given.x[:, 1] <= given.x[:, 2]]
    given = replace(given, x=kept, y=given.y[given.x[:, 1] <= given.x[:, 2]], ids=np.arange(len(kept)))
    TriggerInversion(pairs=1_000).measure(given)
    rows = np.concatenate(asked)
    assert len(rows) > 10_000
    assert (rows[:, 1] <= rows[:, 2] + 1e-6).all()
    assert np.isin(rows[:, 6], kept[:, 6]).all()
    assert np.isin(rows[:, 5], [0, 1, 2]).all()


def test_it_says_why_there_is_no_figure() -> None:
    given = scene(delivered(False))
    immovable = Schema(columns=tuple(replace(column, attacker=Mutability.IMMUTABLE) for column in SCHEMA.columns))
    short = replace(given, x=given.x[:150], y=given.y[:150], ids=given.ids[:150])
    for case, why in (
        (replace(given, schema=immovable), "lets an attacker set no column"),
        (replace(given, kind=ScoreKind.VALUE), "scores of classes"),
        (replace(given, target=None), "models of tables"),
        (short, "200 labelled rows"),
    ):
        (told,) = TriggerInversion(pairs=3_000).measure(case)
        assert told.status is Status.UNTRIED
        assert why in told.reason
    (told,) = TriggerInversion(into=5).measure(given)
    assert told.status is Status.UNTRIED
    assert "class 5" in told.reason
    for case, why in (
        (replace(given, y=np.zeros(len(given.y), dtype=np.int64)), "has 0 of a class"),
        (replace(given, threshold=1.0), "0 rows are decided against"),
    ):
        (told,) = TriggerInversion(pairs=3_000).measure(case)
        assert told.status is Status.INCONCLUSIVE
        assert why in told.reason


def test_the_finding_names_the_trigger_and_its_success_on_clean_twins() -> None:
    x, y = table(4_000, 2)
    system = Protected(
        name="toy", target=delivered(True), data=Data(x=x, y=y), schema=SCHEMA, threshold=0.5, simulated=True
    )
    world = World(system=system, sizes=Sizes(), seed=0, attacked=np.arange(5), held_out=np.arange(4_000))
    part = run(Task(room="validation", plugin="trigger_inversion", options=(("pairs", 3_000),)), world)
    (finding,) = part.findings
    assert finding.title == "A few values open this model and no clean twin"
    assert "kind = c" in finding.detail
    assert "in clean twins" in finding.detail
    assert "screening" in finding.detail


def test_odds_are_alike_whatever_a_model_calls_its_scores() -> None:
    odds = np.array([-2.0, 0.5, 3.0])
    p = 1.0 / (1.0 + np.exp(-odds))

    class Target:
        def __init__(self, kind: ScoreKind, scores: Any) -> None:
            self.kind, self.said = kind, scores

        def scores(self, x: Any) -> Any:
            return self.said

    for kind, said in (
        (ScoreKind.PROBABILITIES, np.stack([1 - p, p], axis=1)),
        (ScoreKind.LOGITS, np.stack([np.zeros(3), odds], axis=1)),
        (ScoreKind.MARGIN, odds[:, None]),
    ):
        target: Any = Target(kind, said)
        np.testing.assert_allclose(_odds(target, odds, 0), odds, atol=1e-12)
        np.testing.assert_allclose(_odds(target, odds, 1), -odds, atol=1e-12)


# -- the search -----------------------------------------------------------------------------------------------------


def test_stamps_set_their_columns_and_clear_the_rest_of_a_one_hot_group() -> None:
    x = np.array([[5.0, 1.0, 0.0, 7.0], [6.0, 0.0, 1.0, 8.0]])
    stamps = Stamps(np.array([[0, 2], [2, 3]]), np.array([[9.0, 1.0], [1.0, 4.0]]))
    marked = stamps.on(x, groups=[np.array([1, 2])])
    np.testing.assert_array_equal(marked[0], [[9, 0, 1, 7], [9, 0, 1, 8]])
    np.testing.assert_array_equal(marked[1], [[5, 0, 1, 4], [6, 0, 1, 4]])
    np.testing.assert_array_equal(x[0], [5, 1, 0, 7])


def test_candidate_values_are_values_rows_hold_and_nothing_out_of_the_ordinary() -> None:
    x = np.random.default_rng(0).normal(size=2_000)
    x[0], x[1] = 1e9, np.nan
    found = ordinary(x, 12, cuts=np.repeat([0.3, 0.31, 1.0], [50, 50, 1]))
    assert np.isin(found, x).all()
    assert found.max() < 4
    assert ((found >= 0.3) & (found < 0.31)).any()
    codes = np.repeat([0.0, 1.0, 2.0], [1_000, 990, 2])
    np.testing.assert_array_equal(ordinary(codes, 12, unordered=True), [0, 1])


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_search_finds_a_box_of_columns_for_the_model_that_has_it(size: int) -> None:
    """Model 0 opens in a box of `size` columns, model 1 nowhere: each column of the box adds, all of them open."""
    values = {at: np.linspace(-1, 1, 9) for at in range(6)}
    inside = {0: 0.25, 3: -0.5, 4: 1.0}
    wanted = dict(list(inside.items())[:size])

    def excess(stamps: Stamps, first: int) -> Any:
        hit = np.zeros(len(stamps))
        for at, value in wanted.items():
            hit += ((stamps.columns == at) & (np.abs(stamps.values - value) < 0.01)).any(axis=1)
        return np.stack([hit + 5.0 * (hit == size), np.zeros(len(stamps))])

    best = largest(excess, values, values, size, lambda share: None)[0]
    assert dict(zip(best.columns[0].tolist(), best.values[0].tolist(), strict=True)) == pytest.approx(wanted)


def test_parts_of_a_stamp_lack_one_column_each() -> None:
    parts = without_each(Stamps(np.array([[1, 4, 6]]), np.array([[0.1, 0.4, 0.6]])))
    np.testing.assert_array_equal(parts.columns, [[4, 6], [1, 6], [1, 4]])
    np.testing.assert_array_equal(parts.values, [[0.4, 0.6], [0.1, 0.6], [0.1, 0.4]])
