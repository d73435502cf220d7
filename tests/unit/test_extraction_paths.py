"""Path-finding: a tree comes back leaf by leaf, within the budget, and what is no tree is said to be none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.attacks.extraction._boxes import Grid, gap, inside
from temper.attacks.extraction._walk import Spent, Walk
from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.measure import Status
from temper.core.room import Room
from temper.core.schema import Column, Schema
from temper.core.seed import Draws
from temper.core.system import Exposure
from temper.engine.rooms.extraction import run
from temper.targets.oracle import Meter
from unit.payload_world import Boosted, figure, rows, schema, task, world
from unit.test_extraction import Lined

NAME = "extraction.path_finding"


@dataclass(frozen=True, kw_only=True, eq=False)
class Leaves(Boosted):
    """A scikit-learn tree, its leaves told apart by their scores or not."""

    digits: int = 15

    def scores(self, x: Any) -> Any:
        return np.asarray(self.model.predict_proba(x), dtype=float).round(self.digits)


def tree(leaves: int = 20, digits: int = 15, forest: int = 0) -> Leaves:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.tree import DecisionTreeClassifier

    data = rows(2_000, 1)
    grown: Any = DecisionTreeClassifier(max_leaf_nodes=leaves, min_samples_leaf=20, random_state=0)
    if forest:
        grown = RandomForestClassifier(forest, max_leaf_nodes=leaves, random_state=0, n_jobs=1)
    return Leaves(model=grown.fit(data.x, data.y), digits=digits)


def test_a_tree_is_recovered_leaf_by_leaf() -> None:
    victim = tree()
    part = run(task(NAME), world(victim, None, rows(2_000, 2)))
    exact = figure(part, "exact_scores")
    assert exact.value > 0.999
    assert "20 boxes that fill the domain" in exact.caveats[0]
    assert figure(part, "f1").value > 0.999
    assert figure(part, "f1").queries < 900
    assert part.findings
    assert part.status is Status.OK


def test_two_small_trees_that_add_up_are_recovered_too() -> None:
    part = run(task(NAME), world(tree(4, forest=2), None, rows(2_000, 2)))
    assert figure(part, "exact_scores").value > 0.99


def test_answers_that_are_not_leaves_are_refused_in_words() -> None:
    for victim, why in (
        (Boosted.fitted(rows(2_000, 1)), "not the leaves of a tree"),
        (Lined(model=None), "not the leaves of a tree"),
        (tree(2, digits=0), "same answer|tell leaves apart"),
    ):
        part = run(task(NAME), world(victim, None, rows(1_000, 2)))
        if part.status is Status.OK:
            assert figure(part, "exact_scores").value > 0.9, "two leaves that are decisions are leaves still"
            continue
        assert part.status is Status.UNTRIED
        assert any(word in part.reason for word in why.split("|"))
        assert figure(part, "f1").value is None


def test_decisions_are_not_walked() -> None:
    part = run(task(NAME), world(tree(), None, rows(500, 2), exposure=Exposure(returns="label")))
    assert part.status is Status.UNTRIED
    assert "returns decisions" in part.reason


def test_a_budget_that_ends_early_leaves_boxes_and_a_student_for_the_rest() -> None:
    part = run(task(NAME, options=(("queries", 400),)), world(tree(), None, rows(2_000, 2)))
    assert figure(part, "f1").queries == 400
    assert 0.05 < figure(part, "exact_scores").value < 0.999
    assert "fill the domain" not in figure(part, "exact_scores").caveats[0]
    assert [point.at for point in figure(part, "f1").curve.points] == [100, 300, 400]


def test_leaves_that_share_an_answer_are_cut_apart() -> None:
    part = run(task(NAME, options=(("queries", 5_000),)), world(tree(digits=1), None, rows(2_000, 2)))
    assert figure(part, "exact_scores").value > 0.95
    assert figure(part, "f1").value > 0.95


@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(1, 4))
@settings(max_examples=40)
def test_every_leaf_of_a_random_tree_is_found_exactly(seed: int, leaves: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    low, high, whole = np.zeros(width), np.full(width, 8.0), rng.random(width) < 0.5
    boxes = [(np.full(width, -np.inf), np.full(width, np.inf))]
    while len(boxes) < leaves:
        below, above = boxes.pop(int(rng.integers(len(boxes))))
        at = int(rng.integers(width))
        ends = max(below[at], 0.0), min(above[at], 8.0)
        side = rng.uniform(*ends) if not whole[at] else np.floor(rng.uniform(*ends)) + 0.5
        if not ends[0] < side < ends[1]:
            boxes.append((below, above))
            leaves -= 1
            continue
        left, right = above.copy(), below.copy()
        left[at] = right[at] = side
        boxes += [(below, left), (right, above)]
    lows, highs = (np.array(part) for part in zip(*boxes, strict=True))
    walk = Walk(
        tell=lambda x: inside(lows, highs, x).astype(float), grid=Grid(low=low, high=high, whole=whole), marks=[]
    )
    known = rng.uniform(0, 8, (5, width))
    walk.cover(np.where(whole, np.round(known), known))
    assert len(walk.low) == len(lows), "as many boxes as leaves"
    probe = rng.uniform(0, 8, (300, width))
    probe = np.where(whole, np.round(probe), probe)
    found = walk.said[inside(walk.low, walk.high, probe)]
    assert np.mean(found == inside(lows, highs, probe)) > 0.98, "but for rows within a millionth of a side"
    assert walk.verify(probe) <= 0.02


def test_a_gap_is_found_wherever_it_is() -> None:
    low, high = np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[1.0, 2.0], [2.0, 1.0]])
    region, _ = gap(low, high, (np.zeros(2), np.full(2, 2.0)))
    assert region[0].tolist() == [1.0, 1.0]
    assert region[1].tolist() == [2.0, 2.0]
    filled = np.concatenate([low, region[0][None]]), np.concatenate([high, region[1][None]])
    assert gap(*filled, (np.zeros(2), np.full(2, 2.0))) == (None, [])


def test_nothing_is_asked_when_nothing_is_answered() -> None:
    grid = Grid(low=np.zeros(1), high=np.ones(1), whole=np.array([False]))
    walk = Walk(tell=lambda x: np.full(len(x), np.nan), grid=grid, marks=[])
    with pytest.raises(Spent):
        walk.cover(np.zeros((1, 1)))
    assert walk.spent == 0


def test_gaps_and_columns_without_a_range_are_no_obstacle() -> None:
    open_ends = Schema(columns=tuple(replace(c, low=-np.inf, high=np.inf, missing=True) for c in schema().columns[:8]))
    from sklearn.tree import DecisionTreeClassifier

    data = rows(2_000, 1)
    grown = DecisionTreeClassifier(max_leaf_nodes=8, random_state=0).fit(data.x[:, :8], data.y)
    known = rows(100, 3).x[:, :8].copy()
    known[::7, 2] = np.nan
    scene = Scene(
        x=known,
        y=np.zeros(100),
        ids=np.arange(100),
        schema=open_ends,
        threshold=0.5,
        reference=Data(x=known, y=np.full(100, -1)),
    )
    attack = Room("temper.attacks").build(NAME)
    copy = attack.run(Meter(Leaves(model=grown), 1_000), scene, Draws(0, "t")).steps[-1][1]
    test = rows(500, 4).x[:, :8]
    assert np.mean(np.abs(copy.scores(test) - grown.predict_proba(test)[:, 1]) < 1e-9) > 0.99
    assert np.isfinite(copy.scores(known)).all()


def test_no_answer_at_all_is_a_plain_refusal() -> None:
    known = rows(60, 3)
    columns = Schema(columns=tuple(Column(name=f"c{i}", low=-6, high=200) for i in range(12)))
    scene = Scene(x=known.x, y=known.y, ids=known.ids, schema=columns, reference=known, threshold=0.5)
    attack = Room("temper.attacks").build(NAME)
    with pytest.raises(Unsupported, match="not a single row"):
        attack.run(Meter(tree(), 0), scene, Draws(0, "t"))
