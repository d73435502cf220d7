"""CAPGD, MOEVA and CAA: every candidate keeps the schema, slopes pass through formulas, closed forms are reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.attacks.evasion._constrained import Plane
from temper.attacks.evasion.caa import CAA
from temper.attacks.evasion.capgd import CAPGD
from temper.attacks.evasion.moeva import MOEVA, _survivors
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind
from temper.judges.misclassified import Misclassified
from temper.kernels.search import repair
from temper.targets.oracle import Evidence, Oracle
from temper.testing.scenes import picture_scene, table_model, table_scene
from temper.testing.toys import Counted, Linear

ATTACKS = [CAPGD(steps=20), MOEVA(generations=30), CAA(steps=10, generations=20)]
NAMES = [type(attack).__name__ for attack in ATTACKS]


def struck(attack: Any, target: Any, scene: Scene, seed: int = 0) -> Evidence:
    oracle = Oracle(target, scene, Misclassified(), attack.needs)
    attack.run(oracle, scene, Draws(seed, "test", scene.ids))
    return oracle.evidence()


@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
@pytest.mark.parametrize("norm", ["linf", "l2", "l1", "l0", "cost"])
def test_every_winner_keeps_the_schema_and_its_budget(attack: Any, norm: str) -> None:
    scene = replace(table_scene(40, distance=1.0), budget=Budget(norm=norm, radius=2.0, cost=5.0, queries=300))
    found = struck(attack, table_model(), scene)
    broken = found.verdicts == "broken"
    assert broken.any()
    assert scene.schema.reason(found.x_adv[broken], scene.x[broken]) == ""
    assert np.asarray(scene.schema.distance(found.x_adv[broken], scene.x[broken], norm)).max() <= 2.0 + 1e-6


@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
def test_every_candidate_that_is_asked_is_admissible_and_in_the_ball(attack: Any) -> None:
    scene = replace(table_scene(10, distance=30.0), budget=Budget(norm="linf", radius=1.5, queries=200))
    target = Counted(inner=table_model())
    struck(attack, target, scene)
    names = [column.name for column in scene.schema.columns]
    fixed = scene.x[:, names.index("age")]
    asked = np.concatenate(target.asked[1:])
    row = np.argmin(
        np.abs(asked[:, names.index("age"), None] - fixed), axis=1
    )  # the immutable column tells whose it is
    assert len(asked) > 500
    assert scene.schema.reason(asked, scene.x[row]) == ""
    assert np.asarray(scene.schema.distance(asked, scene.x[row], "linf")).max() <= 1.5 + 1e-6


@pytest.mark.parametrize("distance", [1.0, 1.5])
def test_the_ensemble_breaks_no_fewer_rows_than_either_of_its_parts(distance: float) -> None:
    budget = Budget(norm="linf", radius=0.5, queries=300)
    scene, model = replace(table_scene(40, distance=distance), budget=budget), table_model()
    capgd, moeva, both = (
        struck(attack, model, scene).verdicts == "broken" for attack in (CAPGD(steps=20), MOEVA(), CAA(steps=20))
    )
    assert both.sum() >= max(capgd.sum(), moeva.sum())
    assert not (capgd & ~both).any()


def amounts(relations: tuple[str, ...] = ()) -> Schema:
    """Two amounts in the attacker's hands and their sum, which only follows."""
    free = Mutability.FREE
    return Schema(
        columns=(
            Column(name="one", low=0, high=10, attacker=free),
            Column(name="two", low=0, high=10, attacker=free),
            Column(name="total", attacker=Mutability.DERIVED, formula="one + 2 * two"),
        ),
        relations=relations,
    )


def only_the_sum(level: float) -> tuple[Linear, Scene]:
    """A model that reads nothing but the derived column."""
    x = np.array([[3.0, 3.0, 9.0]] * 4)
    model = Linear(weights=(0.0, 0.0, 1.0), bias=-level)
    scene = Scene(
        x=x,
        y=np.zeros(4, dtype=np.int64),
        ids=np.arange(4),
        schema=amounts(),
        budget=Budget(norm="linf", radius=1.0),
        threshold=0.5,
    )
    return model, scene


@pytest.mark.parametrize(("level", "breaks"), [(11.9, True), (12.1, False)])
def test_a_model_of_derived_columns_is_broken_through_their_inputs(level: float, breaks: bool) -> None:
    model, scene = only_the_sum(level)  # both inputs up by one raise the sum from 9 to 12
    found = struck(CAPGD(steps=30), model, scene)
    assert (found.verdicts == ("broken" if breaks else "held")).all()


def test_the_slope_through_a_formula_is_its_derivative() -> None:
    _, scene = only_the_sum(0.0)
    plane = Plane.of(scene)
    slope = plane.through(np.array([[0.5, 0.0, 1.0]]), scene.x[:1], np.array([0]))
    assert slope[0] == pytest.approx([1.5, 2.0, 1.0])


def test_a_relation_bounds_what_is_reached() -> None:
    model = Linear(weights=(1.0, -1.0, 0.0), bias=-0.5)
    x = np.array([[3.0, 5.0, 13.0]])
    shared = {"x": x, "y": np.zeros(1, dtype=np.int64), "ids": np.arange(1), "budget": Budget(norm="linf", radius=3.0)}
    free = Scene(schema=amounts(), threshold=0.5, **shared)
    tied = replace(free, schema=amounts(("one <= two",)))
    assert struck(CAPGD(), model, free).verdicts.tolist() == ["broken"]
    assert struck(CAA(generations=20), model, tied).verdicts.tolist() == ["held"]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1_000), st.sampled_from(["linf", "l2", "cost"]))
def test_every_mended_point_keeps_schema_and_ball_even_where_its_clean_row_does_not(seed: int, norm: str) -> None:
    whole = Column(name="count", type="integer", low=0, high=30, scale=7, attacker=Mutability.COSTLY)
    columns = (*amounts().columns[:2], whole)
    columns = tuple(replace(column, attacker=Mutability.COSTLY) for column in columns)
    schema = Schema(columns=columns, relations=("one <= two", "count <= 2 * one"))
    x = Draws(seed, "rows").uniform(np.arange(8), 0, (3,), 0, 10)
    x[:, 2] = np.round(3 * x[:, 2])
    budget = Budget(norm=norm, radius=0.5)
    scene = Scene(x=x, y=np.zeros(8, dtype=np.int64), ids=np.arange(8), schema=schema, budget=budget)
    raw, worth = (Draws(seed, name).uniform(np.arange(8), 0, (3,), -5, 35) for name in ("raw", "worth"))
    mended = repair(raw, x, scene, worth)
    assert schema.reason(mended, x) == ""
    assert np.asarray(schema.distance(mended, x, norm)).max() <= 0.5 + 1e-6


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 500), st.sampled_from(["linf", "l2"]))
def test_capgd_breaks_what_a_linear_model_allows_and_nothing_else(seed: int, norm: str) -> None:
    weights = Draws(seed, "weights").uniform([0], 0, (5,), -1, 1)[0]
    model = Linear(weights=tuple(weights))
    x = Draws(seed, "rows").uniform(np.arange(20), 0, (5,), -2, 2)
    logit = model.logit(x)
    columns = (Column(name=f"c{at}", low=-9, high=9, attacker=Mutability.FREE) for at in range(5))
    scene = Scene(
        x=x,
        y=(logit >= 0).astype(np.int64),
        ids=np.arange(20),
        schema=Schema(columns=tuple(columns)),
        budget=Budget(norm=norm, radius=0.4),
        threshold=0.5,
    )
    reach = 0.4 * np.linalg.norm(weights, 1 if norm == "linf" else 2)
    clear = np.abs(np.abs(logit) - reach) > 0.01 * reach
    found = struck(CAPGD(steps=20), model, scene)
    assert ((found.verdicts == "broken") == (np.abs(logit) < reach))[clear].all()


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=2, max_size=12))
def test_no_survivor_is_beaten_in_everything_by_one_that_dies(points: list[tuple[int, int, int]]) -> None:
    fitness = np.array(points, dtype=float)[None]
    keep = _survivors(fitness, max(len(points) // 2, 1))[0]
    gone = np.setdiff1d(np.arange(len(points)), keep)
    for alive in fitness[0][keep]:
        for dead in fitness[0][gone]:
            assert not ((dead <= alive).all() and (dead < alive).any())
    assert fitness[0][keep[0], 0] == fitness[0][:, 0].min()


@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
def test_an_image_is_declined_with_the_attack_to_use(attack: Any) -> None:
    with pytest.raises(Unsupported, match="array") as refused:
        struck(attack, table_model(), picture_scene(2))
    assert refused.value.fix.startswith("use evasion.")


@dataclass(kw_only=True)
class _Steps:
    """Breaks where two columns are high together; its slope is zero everywhere."""

    access: Access = Access.LABELS | Access.SCORES | Access.GRADIENTS
    name: str = "steps"
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False
    digest: str = ""
    slopes: int = field(default=0)

    def scores(self, x: Array) -> Array:
        """Probability by whole steps."""
        p = np.clip(0.2 * np.floor(x[:, 0]) + 0.2 * np.floor(x[:, 1]) - 1.0, 0.05, 0.95)
        return np.stack([1 - p, p], axis=1)

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Zero."""
        self.slopes += len(x)
        return self.scores(x), np.zeros(x.shape)


def test_where_slopes_say_nothing_the_genetic_half_still_breaks() -> None:
    x = np.full((6, 2), 3.0)
    columns = tuple(Column(name=name, low=0, high=10, attacker=Mutability.FREE) for name in ("one", "two"))
    budget = Budget(norm="linf", radius=1.5, queries=400)
    shared = {"x": x, "y": np.zeros(6, dtype=np.int64), "ids": np.arange(6), "schema": Schema(columns=columns)}
    scene = Scene(budget=budget, threshold=0.55, **shared)
    target = _Steps()
    assert (struck(CAA(), target, scene).verdicts == "broken").all()
    assert target.slopes > 0
