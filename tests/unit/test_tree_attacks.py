"""Attacks that read trees: exact along a column, never outside Schema and budget, as near as an exhaustive search."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.attacks.evasion.tree_ascent import TreeAscent
from temper.attacks.evasion.tree_nearest import TreeNearest
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind
from temper.core.trees import TreeEnsemble, TreeMargin
from temper.judges.misclassified import Misclassified
from temper.kernels.loss import decide
from temper.kernels.tree_search import ready
from temper.kernels.trees import scores, thresholds, value
from temper.targets.oracle import Evidence, Oracle
from temper.testing.scenes import schema as every_column
from temper.testing.scenes import table

FREE = Mutability.COSTLY
TOO_FAR = 5.0


@dataclass(frozen=True)
class Grown:
    """A target made of given trees."""

    ensemble: TreeEnsemble
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    access: Access = Access.LABELS | Access.SCORES | Access.TREES
    name: str = "grown"
    stochastic: bool = False
    digest: str = "grown"

    def scores(self, x: Any) -> Any:
        return scores(self.ensemble, np.asarray(x, dtype=float).reshape((len(x), -1)))

    def trees(self) -> TreeEnsemble:
        return self.ensemble

    def gradient(self, x: Any, cotangent: Any) -> Any:
        raise NotImplementedError

    def refit(self, data: Any, recipe: Any) -> Any:
        raise NotImplementedError


def grown(
    seed: int, trees: int, depth: int, columns: int, outputs: int = 1, link: str = "sigmoid", whole: Any = ()
) -> TreeEnsemble:
    """Random trees over [0, 1], or over 0..3 in the columns `whole`."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    nodes: list[list[Any]] = []
    roots = []

    def node(left: int) -> int:
        at = len(nodes)
        nodes.append([-1, 0.0, 0, 0, bool(rng.integers(2)), rng.normal(size=outputs)])
        if left and rng.random() < 0.9:
            q = int(rng.integers(columns))
            nodes[at][0] = q
            nodes[at][1] = rng.integers(1, 4) - 0.5 if q in whole else round(rng.uniform(0.05, 0.95), 2)
            nodes[at][2] = node(left - 1)
            nodes[at][3] = node(left - 1)
        return at

    for _ in range(trees):
        roots.append(node(depth))
    feature, threshold, left, right, missing, values = (list(part) for part in zip(*nodes, strict=True))
    return TreeEnsemble(
        feature=np.array(feature, np.int32),
        threshold=np.array(threshold, float),
        left=np.array(left, np.int32),
        right=np.array(right, np.int32),
        missing_left=np.array(missing),
        value=np.array(values),
        root=np.array(roots, np.int32),
        base=np.zeros(outputs),
        features=columns,
        link=link,
    )


def strike(attack: Any, target: Any, scene: Scene, seed: int = 0) -> Evidence:
    oracle = Oracle(target, scene, Misclassified(), attack.needs)
    attack.run(oracle, scene, Draws(seed, "test", scene.ids))
    return oracle.evidence()


def scene_of(target: Grown, x: Any, schema: Schema, budget: Budget, mode: str = "first", **more: Any) -> Scene:
    y = np.zeros(len(x)) if target.kind is ScoreKind.VALUE else decide(target.scores(x), target.kind, None)
    fields: dict[str, Any] = {"threshold": 0.5 if target.classes == 2 else None, "kind": target.kind} | more
    ids = np.arange(len(x))
    return Scene(x=x, y=y, ids=ids, schema=schema, budget=budget, mode=mode, classes=target.classes, **fields)


def numbers(n: int) -> Schema:
    return Schema(columns=tuple(Column(name=f"c{k}", low=0, high=1, attacker=FREE) for k in range(n)))


def margin_of(ensemble: TreeEnsemble) -> TreeMargin:
    names = ("feature", "threshold", "left", "right", "missing_left", "root", "features")
    return TreeMargin(
        **{name: getattr(ensemble, name) for name in names},
        value=np.ascontiguousarray(ensemble.value[:, 0]),
        base=0.25,
    )


def cells(margin: TreeMargin, x0: Any, low: Any, high: Any) -> Any:
    """The point nearest to x0 of every cell of a box: all there is to try."""
    offset, cut = thresholds(margin)
    axes = []
    for q in range(len(x0)):
        inside = [c for c in cut[offset[q] : offset[q + 1]] if low[q] < c <= high[q]]
        ends = [low[q], *inside], [*(np.nextafter(c, -np.inf) for c in inside), high[q]]
        axes.append([min(max(x0[q], a), b) for a, b in zip(*ends, strict=True)])
    return np.array(list(itertools.product(*axes)))


# -- the sweep ------------------------------------------------------------------------------------------------------


def swept(margin: TreeMargin, x: Any, q: int, low: float, high: float) -> Any:
    """Margins along one column by the compiled sweep, the trees left out added back."""
    from temper.kernels._jit_tree_form import first_above, sweep, walk

    wood = ready(margin)
    nodes, trees, base = wood.model
    for t in range(len(trees)):
        trees[t]["part"] = walk(nodes, trees[t]["root"], x)
    first = first_above(wood.cuts, low, wood.offset[q], wood.offset[q + 1])
    n = first_above(wood.cuts, high, first, wood.offset[q + 1]) - first + 1
    sums = np.empty(len(wood.cuts) + 2)
    read = sweep(nodes, trees, len(trees), x, q, first, n, sums, np.empty((wood.deep + 2, 3), np.int32))
    return trees["part"].sum() + base - read + sums[:n], first, wood


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), depth=st.integers(1, 5), low=st.floats(0, 0.6), width=st.floats(0, 0.6))
def test_a_sweep_is_the_prediction_at_one_point_of_every_interval(
    seed: int, depth: int, low: float, width: float
) -> None:
    margin = margin_of(grown(seed, trees=5, depth=depth, columns=3))
    x = np.random.Generator(np.random.Philox(key=seed + 1)).uniform(size=3)
    x[2] = np.nan if seed % 3 == 0 else x[2]
    q, high = seed % 2, min(low + width, 1.0)
    found, first, wood = swept(margin, x, q, low, high)
    for j, level in enumerate(found):
        point = x.copy()
        point[q] = low if j == 0 else wood.cuts["cut"][first + j - 1]
        assert value(margin, point[None])[0] == pytest.approx(level, abs=1e-9)
        point[q] = high if j == len(found) - 1 else wood.cuts["below"][first + j]
        assert value(margin, point[None])[0] == pytest.approx(level, abs=1e-9)


def test_a_sweep_reads_chains_whose_nodes_have_several_parents() -> None:
    # A split on {0, 2} of four codes: two cuts lead to the same leaf.
    margin = TreeMargin(
        feature=np.array([0, 0, 0, -1, -1], np.int32),
        threshold=np.array([0.5, 1.5, 2.5, 0.0, 0.0]),
        left=np.array([3, 4, 3, 0, 0], np.int32),
        right=np.array([1, 2, 4, 0, 0], np.int32),
        missing_left=np.zeros(5, bool),
        value=np.array([0, 0, 0, 1.0, -1.0]),
        root=np.zeros(1, np.int32),
        base=0.0,
        features=1,
    )
    found, _, _ = swept(margin, np.array([1.0]), 0, 0.0, 3.0)
    assert found.tolist() == [1, -1, 1, -1]


# -- against everything there is ------------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), radius=st.sampled_from((0.1, 0.2, 0.4)))
def test_ascent_breaks_what_an_exhaustive_search_breaks_and_nothing_else(seed: int, radius: float) -> None:
    target = Grown(grown(seed, trees=8, depth=3, columns=3))
    x = np.random.Generator(np.random.Philox(key=seed + 1)).uniform(size=(6, 3))
    found = strike(TreeAscent(restarts=30), target, scene_of(target, x, numbers(3), Budget(norm="linf", radius=radius)))
    clean = target.scores(x)[:, 1] >= 0.5
    for row in range(len(x)):
        low, high = np.maximum(x[row] - radius, 0), np.minimum(x[row] + radius, 1)
        points = cells(margin_of(target.ensemble), x[row], low, high)
        can = bool(((target.scores(points)[:, 1] >= 0.5) != clean[row]).any())
        assert (found.verdicts[row] == "broken") == can


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), norm=st.sampled_from(("linf", "l2", "l1", "l0")))
def test_the_nearest_point_is_near_the_exact_one_and_never_nearer(seed: int, norm: str) -> None:
    target = Grown(grown(seed, trees=8, depth=3, columns=3))
    x = np.random.Generator(np.random.Philox(key=seed + 1)).uniform(size=(6, 3))
    scene = scene_of(target, x, numbers(3), Budget(norm=norm), mode="nearest")
    found = strike(TreeNearest(restarts=16), target, scene)
    clean = target.scores(x)[:, 1] >= 0.5
    for row in range(len(x)):
        points = cells(margin_of(target.ensemble), x[row], np.zeros(3), np.ones(3))
        wins = points[(target.scores(points)[:, 1] >= 0.5) != clean[row]]
        start = np.broadcast_to(x[row], wins.shape)
        exact = np.asarray(scene.schema.distance(wins, start, norm)).min(initial=np.inf)
        assert found.distance[row] >= exact * (1 - 1e-9)
        assert np.isinf(exact) == np.isinf(found.distance[row])
        if np.isfinite(exact):
            assert found.distance[row] <= exact * 1.3 + 1e-6


# -- every kind of column -------------------------------------------------------------------------------------------


def mixed() -> tuple[Grown, Any, Schema]:
    """Trees over the table of the laws, whose columns are rescaled to [0, 1] or whole numbers."""
    columns = every_column()
    ensemble = grown(5, trees=40, depth=4, columns=11, whole=(2, 3))
    low, span = np.nan_to_num(columns.lows, neginf=0.0), np.array([100, 300, 20, 3, 1, 1, 1, 1, 10, 300, 100.0])
    at = np.maximum(ensemble.feature, 0)
    stretched = np.where(np.isin(at, (2, 3)), ensemble.threshold, low[at] * 0 + ensemble.threshold * span[at])
    return Grown(replace(ensemble, threshold=stretched)), table(40), columns


@pytest.mark.parametrize("attack", [TreeAscent(), TreeNearest(restarts=2)], ids=["ascent", "nearest"])
@pytest.mark.parametrize(
    "budget", [Budget(norm="linf", radius=2.0), Budget(norm="cost", cost=4.0), Budget(norm="l2", radius=2.0, cost=3.0)]
)
def test_what_counts_is_admitted_affordable_and_wrong(attack: Any, budget: Budget) -> None:
    target, x, columns = mixed()
    scene = scene_of(target, x[:12], columns, budget)
    found = strike(attack, target, scene)
    broken = found.verdicts == "broken"
    assert broken.sum() >= 6
    assert set(found.verdicts) <= {"broken", "held"}
    assert np.asarray(columns.admits(found.x_adv[broken], scene.x[broken])).all()
    assert (decide(target.scores(found.x_adv[broken]), target.kind, 0.5) != scene.y[broken]).all()


def test_a_change_of_code_counts_one_whatever_the_codes_are() -> None:
    # Only code 3 crosses over: one step of distance from code 0.
    ensemble = replace(
        grown(0, 1, 1, 1),
        feature=np.array([0, -1, -1], np.int32),
        threshold=np.array([2.5, 0, 0]),
        left=np.array([1, 0, 0], np.int32),
        right=np.array([2, 0, 0], np.int32),
        missing_left=np.zeros(3, bool),
        value=np.array([[0.0], [-1.0], [1.0]]),
        root=np.zeros(1, np.int32),
    )
    target = Grown(ensemble)
    codes = Schema(columns=(Column(name="c", type="category", categories=("a", "b", "c", "d"), attacker=FREE, cost=2),))
    x = np.zeros((1, 1))
    for norm, radius, broken in (("linf", 1.0, True), ("linf", 0.9, False), ("l2", 1.0, True), ("cost", 1.9, False)):
        found = strike(TreeAscent(), target, scene_of(target, x, codes, Budget(norm=norm, radius=radius)))
        assert (found.verdicts[0] == "broken") is broken, (norm, radius)
    found = strike(TreeNearest(), target, scene_of(target, x, codes, Budget(norm="cost"), mode="nearest"))
    assert (found.distance[0], found.x_adv[0, 0]) == (2.0, 3.0)


@pytest.mark.parametrize("erasable", [True, False])
def test_a_value_goes_missing_only_where_the_schema_lets_it(erasable: bool) -> None:
    ensemble = replace(
        grown(0, 1, 1, 1),
        feature=np.array([0, -1, -1], np.int32),
        threshold=np.array([np.inf, 0, 0]),
        left=np.array([1, 0, 0], np.int32),
        right=np.array([2, 0, 0], np.int32),
        missing_left=np.zeros(3, bool),
        value=np.array([[0.0], [-1.0], [1.0]]),
        root=np.zeros(1, np.int32),
    )
    target = Grown(ensemble)
    columns = Schema(columns=(Column(name="c", low=0, high=9, attacker=FREE, missing=erasable),))
    found = strike(TreeAscent(), target, scene_of(target, np.ones((1, 1)), columns, Budget(radius=1.0)))
    assert (found.verdicts[0] == "broken") is erasable


def test_directions_and_fixed_columns_hold_the_search_back() -> None:
    target = Grown(grown(11, trees=20, depth=4, columns=4))
    x = np.random.Generator(np.random.Philox(key=2)).uniform(size=(30, 4))
    names = ({"direction": "rise"}, {"direction": "fall"}, {"attacker": Mutability.IMMUTABLE}, {})
    columns = Schema(
        columns=tuple(
            Column(name=f"c{k}", low=0, high=1, **({"attacker": FREE} | more)) for k, more in enumerate(names)
        )
    )
    found = strike(TreeAscent(), target, scene_of(target, x, columns, Budget(radius=1.0)))
    moved = found.x_adv - x
    assert (found.verdicts == "broken").sum() >= 5
    assert moved[:, 0].min() >= 0
    assert moved[:, 1].max() <= 0
    assert (moved[:, 2] == 0).all()


# -- every kind of target -------------------------------------------------------------------------------------------


def test_among_several_classes_any_other_will_do_or_the_one_wanted() -> None:
    target = Grown(grown(3, 40, 4, 4, outputs=4, link="softmax"), classes=4)
    x = np.random.Generator(np.random.Philox(key=3)).uniform(size=(40, 4))
    scene = scene_of(target, x, numbers(4), Budget(radius=0.3))
    found = strike(TreeAscent(), target, scene)
    assert (found.verdicts == "broken").mean() > 0.9
    wanted = strike(TreeAscent(), target, replace(scene, goal=2))
    hit = (wanted.verdicts == "broken") & (scene.y != 2)
    assert hit.sum() >= 5
    assert (target.scores(wanted.x_adv[hit]).argmax(axis=1) == 2).all()


def test_a_value_is_pushed_up_or_down_beyond_the_tolerance() -> None:
    ensemble = grown(4, 30, 4, 4, link="identity")
    x = np.random.Generator(np.random.Philox(key=4)).uniform(size=(30, 4))
    broken = []
    for sign in (1.0, -1.0):  # what can be pushed up in the one can be pushed down in the other
        target = Grown(replace(ensemble, value=sign * ensemble.value), kind=ScoreKind.VALUE, classes=1)
        scene = scene_of(target, x, numbers(4), Budget(radius=0.1), tolerance=TOO_FAR)
        found = strike(TreeAscent(restarts=20), target, scene)
        broken.append(found.verdicts == "broken")
        shift = (target.scores(found.x_adv) - target.scores(x))[:, 0]
        assert (np.abs(shift[broken[-1]]) > TOO_FAR).all()
    assert 5 <= broken[0].sum() <= 25
    assert (broken[0] == broken[1]).all()


def test_rows_in_single_precision_stay_on_their_side_of_a_cut() -> None:
    target = Grown(grown(6, trees=30, depth=5, columns=16))
    x = np.random.Generator(np.random.Philox(key=6)).uniform(size=(20, 1, 4, 4)).astype(np.float32)
    scene = scene_of(target, x, Schema.box(0.0, 1.0), Budget(norm="l2", radius=0.5))
    found = strike(TreeAscent(), target, scene)
    broken = found.verdicts == "broken"
    assert found.x_adv.dtype == np.float32
    assert broken.sum() >= 10
    assert (found.queries[broken] <= 2).all()  # what was found counted at once: one query, one to check


# -- twins ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", [TreeAscent(), TreeNearest(restarts=2)], ids=["ascent", "nearest"])
def test_trees_of_columns_that_can_move_are_caught(attack: Any) -> None:
    target = Grown(grown(8, trees=30, depth=4, columns=4))
    x = np.random.Generator(np.random.Philox(key=8)).uniform(size=(60, 4))
    found = strike(attack, target, scene_of(target, x, numbers(4), Budget(norm="linf", radius=0.3)))
    assert (found.verdicts == "broken").mean() > 0.9


@pytest.mark.parametrize("attack", [TreeAscent(), TreeNearest(restarts=2)], ids=["ascent", "nearest"])
def test_trees_of_columns_that_cannot_move_pass(attack: Any) -> None:
    ensemble = grown(8, trees=30, depth=4, columns=4)
    target = Grown(replace(ensemble, feature=np.where(ensemble.feature >= 0, 0, -1).astype(np.int32)))
    x = np.random.Generator(np.random.Philox(key=8)).uniform(size=(60, 4))
    fixed = numbers(4).with_columns({"c0": {"attacker": Mutability.IMMUTABLE}})
    found = strike(attack, target, scene_of(target, x, fixed, Budget(norm="linf", radius=0.3)))
    assert set(found.verdicts) == {"held"}


def test_a_budget_in_seconds_that_is_over_leaves_rows_untried() -> None:
    target = Grown(grown(8, trees=30, depth=4, columns=4))
    x = np.random.Generator(np.random.Philox(key=8)).uniform(size=(10, 4))
    found = strike(TreeAscent(), target, scene_of(target, x, numbers(4), Budget(radius=0.3, seconds=0.0)))
    assert set(found.verdicts) == {"untried"}
