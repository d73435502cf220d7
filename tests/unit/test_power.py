"""The planted weak twin: its breakable rows really are breakable, so an attack that misses them is weak."""

from __future__ import annotations

import numpy as np
import pytest

from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.schema import Schema
from temper.core.target import Access
from temper.engine.power import weak_twin
from temper.kernels.search import reachable, repair
from temper.kernels.trees import scores
from unit.test_schema import clean, schema


@pytest.mark.parametrize("budget", [Budget(norm="cost", cost=2.0), Budget(norm="linf", radius=0.5), Budget()])
def test_the_far_corner_of_every_breakable_row_crosses_the_level(budget: Budget) -> None:
    x0 = clean(60)
    scene = Scene(x=x0, y=np.ones(60, int), ids=np.arange(60), schema=schema(), budget=budget)
    twin, breakable = weak_twin(scene) or pytest.fail("nothing to plant")
    assert breakable.sum() >= 3
    low, high = reachable(scene.schema, x0, budget)
    corner = np.where(twin.weights > 0, low, np.where(twin.weights < 0, high, x0))
    corner = repair(corner, x0, scene, np.broadcast_to(np.abs(twin.weights), x0.shape))
    assert scene.schema.admits(corner, x0)[breakable].all()
    assert (twin.scores(x0)[breakable, 1] >= 0.5).all()
    assert (twin.scores(corner)[breakable, 1] < 0.5).all()


def test_where_nothing_can_move_there_is_no_twin() -> None:
    x0 = clean()
    scene = Scene(x=x0, y=np.ones(4, int), ids=np.arange(4), schema=schema(), budget=Budget(norm="l0", radius=0.0))
    assert weak_twin(scene) is None


def test_images_have_a_twin_too() -> None:
    x0 = np.random.default_rng(0).uniform(0.3, 0.7, (20, 1, 4, 4))
    budget = Budget(norm="linf", radius=0.1)
    scene = Scene(x=x0, y=np.ones(20, int), ids=np.arange(20), schema=Schema.box(0, 1), budget=budget)
    twin, breakable = weak_twin(scene) or pytest.fail("nothing to plant")
    assert breakable.any()
    assert (twin.scores(x0 - 0.1)[breakable, 1] < 0.5).all()


def test_a_twin_for_attacks_on_trees_is_read_as_it_answers() -> None:
    x0 = clean(60)
    scene = Scene(x=x0, y=np.ones(60, int), ids=np.arange(60), schema=schema(), budget=Budget(norm="cost", cost=2.0))
    twin, breakable = weak_twin(scene, Access.TREES) or pytest.fail("nothing to plant")
    assert breakable.sum() >= 3
    assert Access.TREES in twin.access
    assert Access.GRADIENTS not in twin.access
    np.testing.assert_allclose(scores(twin.trees(), np.nan_to_num(x0)), twin.scores(x0), atol=1e-9)


def test_the_slope_of_a_twin_is_what_its_answers_say() -> None:
    x0 = np.random.default_rng(0).uniform(0.3, 0.7, (5, 1, 2, 2))
    budget = Budget(norm="linf", radius=0.1)
    scene = Scene(x=x0, y=np.ones(5, int), ids=np.arange(5), schema=Schema.box(0, 1), budget=budget)
    twin, _ = weak_twin(scene, Access.GRADIENTS) or pytest.fail("nothing to plant")
    up = np.array([[0.0, 1.0]] * 5)
    _, slope = twin.gradient(x0, lambda scores: up)
    step = np.zeros_like(x0)
    step[:, 0, 1, 0] = 1e-5
    rise = (twin.scores(x0 + step)[:, 1] - twin.scores(x0 - step)[:, 1]) / 2e-5
    np.testing.assert_allclose(slope[:, 0, 1, 0], rise, rtol=1e-6)
