"""The verifier is exact: it agrees with every cell tried one by one, and nothing breaks what it certified."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper import target
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.schema import Column, Mutability, Schema
from temper.core.trees import TreeMargin
from temper.kernels.tree_reach import reach
from temper.kernels.tree_verify import Proof, Verifier, nearest_bound, verify
from temper.kernels.trees import thresholds, value
from temper.validation.tree_bounds import TreeBounds

FREE, COSTLY = Mutability.FREE, Mutability.COSTLY
NORMS = ("linf", "l2", "l1", "l0", "cost")


def margin(draw: np.random.Generator, d: int, trees: int, depth: int, cuts: Any, base: float = 0.0) -> TreeMargin:
    """Random full trees; `cuts(draw, q)` gives a threshold of column q."""
    inner, each = 2**depth - 1, 2 ** (depth + 1) - 1
    n = trees * each
    node = np.arange(n) % each
    leaf = node >= inner
    feature = np.where(leaf, -1, draw.integers(0, d, n))
    start = np.arange(n) - node
    return TreeMargin(
        feature=feature.astype(np.int32),
        threshold=np.array([0.0 if q < 0 else cuts(draw, q) for q in feature]),
        left=np.where(leaf, -1, start + 2 * node + 1).astype(np.int32),
        right=np.where(leaf, -1, start + 2 * node + 2).astype(np.int32),
        missing_left=draw.random(n) < 0.5,
        value=np.where(leaf, draw.normal(size=n), 0.0),
        root=(np.arange(trees) * each).astype(np.int32),
        base=base,
        features=d,
    )


def mixed() -> Schema:
    """A number, one that may only rise, a count, a category, one that may be missing, one nobody can change."""
    return Schema(
        columns=(
            Column(name="a", low=0, high=10, scale=2, attacker=COSTLY),
            Column(name="up", low=0, high=10, attacker=FREE, direction="rise"),
            Column(name="count", type="integer", low=0, high=6, attacker=COSTLY, cost=0.5),
            Column(name="kind", type="category", categories=("p", "q", "r", "s"), attacker=COSTLY, cost=1.5),
            Column(name="gap", low=0, high=10, attacker=COSTLY, missing=True),
            Column(name="fixed", low=0, high=10),
        )
    )


def mixed_cut(draw: np.random.Generator, q: int) -> float:
    return float(np.round(draw.uniform(0.3, 9.7 if q != 3 else 3.2), 1))


def mixed_rows(draw: np.random.Generator, n: int) -> Any:
    x = np.round(draw.uniform(0, 10, (n, 6)), 2)
    x[:, 2], x[:, 3] = draw.integers(0, 7, n), draw.integers(0, 4, n)
    x[draw.random(n) < 0.3, 4] = np.nan
    return x


def candidates(schema: Schema, m: TreeMargin, x0: Any) -> list[Any]:
    """Per column the value nearest to the clean one in every cell, and the missing one."""
    offsets, cuts = thresholds(m)
    axes = []
    for q, column in enumerate(schema.columns):
        own = cuts[offsets[q] : offsets[q + 1]]
        ends = np.concatenate([[x0[q]], own, np.nextafter(own, -np.inf)])
        if column.discrete:
            ends = np.arange(schema.lows[q], schema.highs[q] + 1)
        values = [x0[q], *(v for v in ends if schema.lows[q] <= v <= schema.highs[q])]
        axes.append(
            np.array([*values, np.nan] if column.missing or np.isnan(x0[q]) else values) if column.movable else x0[[q]]
        )
    return axes


def every_point(schema: Schema, m: TreeMargin, x0: Any) -> tuple[Any, Any]:
    """Every admissible combination of cells, and its margin."""
    points = np.array(list(itertools.product(*candidates(schema, m, x0))))
    points = points[schema.admits(points, np.broadcast_to(x0, points.shape))]
    return points, value(m, points)


def distances(schema: Schema, points: Any, x0: Any, norm: str) -> Any:
    return schema.distance(points, np.broadcast_to(x0, points.shape), norm)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), norm=st.sampled_from(NORMS), radius=st.sampled_from((0.4, 1.0, 2.5)))
def test_decides_as_every_cell_tried_one_by_one(seed: int, norm: str, radius: float) -> None:
    draw, schema = np.random.default_rng(seed), mixed()
    x0 = mixed_rows(draw, 1)
    m = margin(draw, 6, 4, 2, mixed_cut)
    points, values = every_point(schema, m, x0[0])
    m = replace(m, base=-float(np.quantile(values, 0.97)))
    inside = distances(schema, points, x0[0], norm) <= radius * (1 + 1e-9) + 1e-9
    values = value(m, points)[inside]
    answer = verify(Verifier.of((m,), schema), reach(schema, x0, norm, radius), 0)
    if abs(values.max()) < 1e-3:
        assert answer.proof is not (Proof.CERTIFIED if values.max() > 0 else Proof.BROKEN)
        return
    assert answer.proof is (Proof.BROKEN if values.max() > 0 else Proof.CERTIFIED)
    if answer.point is not None:
        assert value(m, answer.point[None])[0] > 0
        assert schema.admits(answer.point[None], x0).all()
        assert distances(schema, answer.point[None], x0[0], norm)[0] <= radius * (1 + 1e-9) + 1e-9


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), norm=st.sampled_from(NORMS))
def test_bracket_holds_the_nearest_break(seed: int, norm: str) -> None:
    draw, schema = np.random.default_rng(seed), mixed()
    x0 = mixed_rows(draw, 1)
    m = margin(draw, 6, 3, 2, mixed_cut)
    points, values = every_point(schema, m, x0[0])
    m = replace(m, base=-float(np.quantile(values, 0.9)))
    values = value(m, points)
    lifted = distances(schema, points, x0[0], norm)[values > 1e-3]
    nearest = lifted.min() if len(lifted) else np.inf
    found = nearest_bound(Verifier.of((m,), schema), schema, x0, norm, top=30.0, steps=40, gap=1e-4)
    assert found.certified <= nearest
    assert found.certified <= found.broken
    if nearest < 29 and not (np.abs(values) < 1e-3).any():
        assert found.broken == pytest.approx(nearest, rel=1e-3, abs=1e-6)
        assert found.certified == pytest.approx(nearest, rel=1e-3, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), norm=st.sampled_from(("l2", "l1", "l0", "cost")), both=st.booleans())
def test_the_bound_of_shared_budgets_holds_before_any_branch(seed: int, norm: str, both: bool) -> None:
    """Every point within the budgets, tried one by one, stays below what the root alone says."""
    draw, schema = np.random.default_rng(seed), mixed()
    x0, m = mixed_rows(draw, 1), margin(draw, 6, 8, 2, mixed_cut)
    cost = 2.0 if both and norm != "cost" else None
    radius = float(draw.choice((0.4, 1.0, 2.5)))
    points, values = every_point(schema, m, x0[0])
    inside = distances(schema, points, x0[0], norm) <= radius
    if cost is not None:
        inside &= distances(schema, points, x0[0], "cost") <= cost
    low = replace(m, base=1e-3 - float(values[inside].max()))  # something lies above zero: the root cannot close
    answer = verify(Verifier.of((low,), schema), reach(schema, x0, norm, radius, cost), 0, states=0)
    assert answer.bound >= 1e-3


def test_a_shared_budget_bounds_better_than_each_column_alone() -> None:
    """Ten columns, each one point to gain for half of the budget: two of them can move, and the root sees it."""
    n, schema = 10, Schema.box(0.0, 1.0)
    first, inner = np.repeat(3 * np.arange(n), 3), np.tile([1, 0, 0], n) > 0
    m = TreeMargin(
        feature=np.where(inner, first // 3, -1).astype(np.int32),
        threshold=np.full(3 * n, 0.5),
        left=np.where(inner, first + 1, -1).astype(np.int32),
        right=np.where(inner, first + 2, -1).astype(np.int32),
        missing_left=np.zeros(3 * n, bool),
        value=np.tile([0.0, 0.0, 1.0], n),
        root=(3 * np.arange(n)).astype(np.int32),
        base=-2.5,
        features=n,
    )
    ready = Verifier.of((m,), schema)
    answer = verify(ready, reach(schema, np.full((1, n), 0.25), "l1", 0.5), 0, states=1)
    assert answer.proof is Proof.CERTIFIED
    assert verify(ready, reach(schema, np.full((1, n), 0.25), "l1", 0.8), 0).proof is Proof.BROKEN


# -- one margin at a time -------------------------------------------------------------------------------------------


def box_margin(seed: int, trees: int = 12, depth: int = 3, d: int = 4) -> TreeMargin:
    draw = np.random.default_rng(seed)
    return margin(draw, d, trees, depth, lambda draw, q: float(draw.random()), base=-1.0)


def test_one_tree_needs_hardly_a_branch() -> None:
    schema, x0 = Schema.box(0.0, 1.0), np.full((1, 4), 0.5)
    for m in (box_margin(1, trees=1, depth=6), box_margin(2, trees=1, depth=4)):
        answer = verify(Verifier.of((m,), schema), reach(schema, x0, "linf", 0.5), 0)
        leaves = m.value[m.feature < 0]
        assert answer.states <= 3
        assert answer.proof is (Proof.BROKEN if leaves.max() - 1.0 > 0 else Proof.CERTIFIED)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), norm=st.sampled_from(NORMS), depth=st.sampled_from((1, 3)), paid=st.booleans())
def test_one_tree_has_its_nearest_break_at_once(seed: int, norm: str, depth: int, paid: bool) -> None:
    draw, schema = np.random.default_rng(seed), mixed()
    x0, m = mixed_rows(draw, 1), margin(draw, 6, 1, depth, mixed_cut, base=-0.8)
    points, values = every_point(schema, m, x0[0])
    cost = 3.0 if paid and norm != "cost" else None
    wins = (values > 0) & (distances(schema, points, x0[0], "cost") <= (cost or np.inf))
    exact = distances(schema, points, x0[0], norm)[wins].min(initial=np.inf)
    found = nearest_bound(Verifier.of((m,), schema), schema, x0, norm, top=30.0, cost=cost)
    assert found.states == 0
    assert found.certified == pytest.approx(min(exact, 30.0), rel=1e-6)
    assert found.certified <= exact
    assert found.broken == pytest.approx(exact, rel=1e-6)
    assert found.point is None or value(m, found.point[None])[0] > 0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), norm=st.sampled_from(("l2", "l1", "l0", "cost")))
def test_stumps_that_share_a_budget_are_decided_as_every_cell_says(seed: int, norm: str) -> None:
    draw, schema = np.random.default_rng(seed), mixed()
    x0, m = mixed_rows(draw, 1), margin(draw, 6, 12, 1, mixed_cut)
    points, values = every_point(schema, m, x0[0])
    best = values[distances(schema, points, x0[0], norm) <= 1.0].max()
    for base, proof in ((-best - 0.01, Proof.CERTIFIED), (-best + 0.01, Proof.BROKEN)):
        ready = Verifier.of((replace(m, base=base),), schema)
        assert verify(ready, reach(schema, x0, norm, 1.0), 0).proof is proof


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), depth=st.sampled_from((0, 1)), radius=st.sampled_from((0.4, 1.0, 2.5)))
def test_stumps_have_the_exact_bound_in_closed_form(seed: int, depth: int, radius: float) -> None:
    draw, schema = np.random.default_rng(seed), mixed()
    x0, m = mixed_rows(draw, 1), margin(draw, 6, 12, depth, mixed_cut, base=-4.0)
    points, values = every_point(schema, m, x0[0])
    best = values[distances(schema, points, x0[0], "linf") <= radius * (1 + 1e-9) + 1e-9].max()
    ready = Verifier.of((m,), schema)
    answer = verify(ready, reach(schema, x0, "linf", radius), 0)
    assert ready.stumps == (True,)
    assert answer.states == 0
    assert answer.bound == pytest.approx(best, abs=2e-4)
    assert answer.proof is (Proof.BROKEN if best > 0 else Proof.CERTIFIED)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), norm=st.sampled_from(("linf", "l2", "l1")))
def test_no_sampled_point_inside_a_certified_radius_breaks(seed: int, norm: str) -> None:
    schema, m = Schema.box(0.0, 1.0), box_margin(seed)
    draw = np.random.default_rng(seed)
    x0 = draw.random((1, 4))
    if value(m, x0)[0] >= -1e-3:
        return
    found = nearest_bound(Verifier.of((m,), schema), schema, x0, norm, top=1.0)
    step = draw.normal(size=(2000, 4)) if norm != "linf" else draw.uniform(-1, 1, (2000, 4))
    away = schema.distance(step, np.zeros_like(step), norm)
    near = np.clip(x0 + step / away[:, None] * found.certified * draw.random((2000, 1)) ** 0.2, 0, 1)
    assert value(m, near).max() <= 0
    if found.point is not None:
        assert value(m, found.point[None])[0] > 0
        assert schema.distance(found.point[None], x0, norm)[0] == pytest.approx(found.broken)


@pytest.mark.parametrize("states", [0, 1, 5, 20, 100])
def test_a_search_cut_off_says_unknown_and_its_bound_holds(states: int) -> None:
    schema, m = Schema.box(0.0, 1.0), box_margin(7, trees=40, depth=4, d=6)
    draw = np.random.default_rng(0)
    x0 = draw.random((1, 6))
    ready, box = Verifier.of((replace(m, base=-12.0),), schema), reach(schema, x0, "linf", 0.4)
    whole = verify(ready, box, 0)
    short = verify(ready, box, 0, states=states)
    near = np.clip(x0 + draw.uniform(-0.4, 0.4, (5000, 6)), 0, 1)
    assert short.bound >= value(ready.margins[0], near).max()
    assert short.proof in (whole.proof, Proof.UNKNOWN)
    assert whole.proof is not Proof.UNKNOWN
    if states == 0:
        assert short.proof is Proof.UNKNOWN
    assert short.bound <= verify(ready, box, 0, states=0).bound + 1e-9


def test_the_search_asks_whether_it_may_go_on() -> None:
    schema, m = Schema.box(0.0, 1.0), replace(box_margin(3, trees=300, depth=5, d=12), base=-330.0)
    x0 = np.random.default_rng(0).random((1, 12))
    answer = verify(Verifier.of((m,), schema), reach(schema, x0, "linf", 0.5), 0, go_on=lambda: False)
    assert answer.proof is Proof.UNKNOWN
    assert answer.states == 2_000


def test_within_rounding_of_zero_nobody_has_won() -> None:
    schema, m = Schema.box(0.0, 1.0), replace(box_margin(1, trees=1, depth=2), base=0.0)
    edge = replace(m, base=-float(m.value[m.feature < 0].max()))
    answer = verify(Verifier.of((edge,), schema), reach(schema, np.full((1, 4), 0.5), "linf", 1.0), 0)
    assert answer.proof is Proof.UNKNOWN
    clear = replace(edge, base=edge.base - 1e-3)
    assert verify(Verifier.of((clear,), schema), reach(schema, np.full((1, 4), 0.5), "linf", 1.0), 0).proof is (
        Proof.CERTIFIED
    )


def test_several_margins_are_any_or_every_one() -> None:
    schema, x0 = Schema.box(0.0, 1.0), np.full((1, 4), 0.5)
    low, high = replace(box_margin(1), base=-100.0), replace(box_margin(2), base=100.0)
    box = reach(schema, x0, "linf", 0.1)
    assert verify(Verifier.of((low, high), schema), box, 0).proof is Proof.BROKEN
    assert verify(Verifier.of((low, low), schema), box, 0).proof is Proof.CERTIFIED
    assert verify(Verifier.of((low, high), schema, every=True), box, 0).proof is Proof.CERTIFIED
    assert verify(Verifier.of((high, high), schema, every=True), box, 0).proof is Proof.BROKEN


@pytest.mark.parametrize("missing_left", [True, False])
@pytest.mark.parametrize("deeper", [True, False])
def test_a_value_gone_missing_is_followed_to_its_side(missing_left: bool, deeper: bool) -> None:
    """Every value in reach goes one way, only the missing one goes the other, where the break is."""
    schema = Schema(columns=(Column(name="gap", low=0, high=10, attacker=FREE, missing=True),))
    low, high = (-1.0, 2.0) if not missing_left else (2.0, -1.0)
    m = TreeMargin(
        feature=np.array([0, -1, -1], np.int32),
        threshold=np.array([8.0 if not missing_left else 2.0, 0.0, 0.0]),
        left=np.array([1, -1, -1], np.int32),
        right=np.array([2, -1, -1], np.int32),
        missing_left=np.array([missing_left, False, False]),
        value=np.array([0.0, low, high]),
        root=np.zeros(1, np.int32),
        base=0.0,
        features=1,
    )
    if deeper:  # the split hangs below another one, so that it is not taken for a stump
        m = replace(
            m,
            feature=np.array([0, -1, 0, -1, -1], np.int32),
            threshold=np.array([-np.inf, 0.0, m.threshold[0], 0.0, 0.0]),
            left=np.array([1, -1, 3, -1, -1], np.int32),
            right=np.array([2, -1, 4, -1, -1], np.int32),
            missing_left=np.array([False, False, missing_left, False, False]),
            value=np.array([0.0, -9.0, 0.0, low, high]),
        )
    x0, ready = np.array([[5.0]]), Verifier.of((m,), schema)
    assert verify(ready, reach(schema, x0, "l0", 0.5), 0).proof is Proof.CERTIFIED
    assert verify(ready, reach(schema, x0, "linf", 0.9), 0).proof is Proof.CERTIFIED
    broken = verify(ready, reach(schema, x0, "linf", 1.0), 0)
    assert broken.proof is Proof.BROKEN
    assert broken.point is not None
    assert np.isnan(broken.point).all()


# -- what can be reached --------------------------------------------------------------------------------------------


def derived(formula: str) -> Schema:
    return Schema(
        columns=(
            Column(name="a", low=-3, high=3, attacker=FREE),
            Column(name="b", low=-3, high=3, attacker=FREE),
            Column(name="c", attacker=Mutability.DERIVED, formula=formula),
        )
    )


FORMULAS = ("a + b", "a - 2 * b", "a * b", "a / (b + 4)", "abs(a) + exp(b)", "max(a, b) - min(a, 0)", "sqrt(a + 3)")
FORMULAS += ("log(b + 4)", "floor(a) + round(b)", "mod(a, 2)", "a > b", "was(a) * b", "a / b", "-a")


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_derived_column_stays_in_the_span_of_its_formula(formula: str) -> None:
    schema, draw = derived(formula), np.random.default_rng(3)
    x0 = np.column_stack([draw.uniform(-3, 3, (1, 2)), [5.0]])
    box = reach(schema, x0, "linf", 1.0)
    moved = np.repeat(x0, 4000, axis=0)
    moved[:, :2] = np.clip(moved[:, :2] + draw.uniform(-1, 1, (4000, 2)), -3, 3)
    with np.errstate(all="ignore"):
        there = schema.derive(moved, np.repeat(x0, 4000, axis=0))[:, 2]
    there = there[np.isfinite(there)]
    assert box.low[0, 2] <= there.min()
    assert there.max() <= box.high[0, 2]
    if formula in ("a + b", "-a"):
        assert box.high[0, 2] - box.low[0, 2] <= 4.001


def test_a_break_that_only_the_superset_has_is_unknown() -> None:
    schema = derived("a - a")
    m = TreeMargin(
        feature=np.array([2, -1, -1], np.int32),
        threshold=np.array([0.5, 0.0, 0.0]),
        left=np.array([1, -1, -1], np.int32),
        right=np.array([2, -1, -1], np.int32),
        missing_left=np.zeros(3, bool),
        value=np.array([0.0, -1.0, 1.0]),
        root=np.zeros(1, np.int32),
        base=0.0,
        features=3,
    )
    x0 = np.zeros((1, 3))
    ready, box = Verifier.of((m,), schema), reach(schema, x0, "linf", 1.0)

    def admissible(point: Any) -> Any:
        x = schema.derive(point[None], x0)
        return x[0] if schema.admits(x, x0).all() and value(m, x)[0] > 0 else None

    assert verify(ready, box, 0, confirm=admissible).proof is Proof.UNKNOWN
    assert verify(ready, box, 0).proof is Proof.BROKEN


def test_certified_broken_and_unknown_agree_with_veritas() -> None:
    veritas, xgboost = pytest.importorskip("veritas"), pytest.importorskip("xgboost")
    from temper.core.target import ScoreKind
    from temper.kernels.trees import margins

    draw = np.random.default_rng(0)
    x = draw.random((2000, 8)).astype(np.float32)
    y = (np.sin(6 * x[:, 0]) + x[:, 1] * x[:, 2] > 0.4).astype(int)
    model = xgboost.XGBClassifier(n_estimators=40, max_depth=4, random_state=0, nthread=1).fit(x, y)
    rows = x[:60]
    decided, own = model.predict(rows), veritas.get_addtree(model)
    ensemble, schema = target(model).trees(), Schema.box(0.0, 1.0)
    verdicts = {Proof.CERTIFIED: 0, Proof.BROKEN: 0, Proof.UNKNOWN: 0}
    box = reach(schema, rows.astype(float), "linf", 0.03)
    for at, truth in enumerate(decided):
        ready = Verifier.of(margins(ensemble, ScoreKind.PROBABILITIES, int(truth), 0.5), schema)
        answer = verify(ready, box, at)
        verdicts[answer.proof] += 1
        wanted = veritas_breaks(veritas, own, rows[at], int(truth), 0.03)
        assert answer.proof is (Proof.BROKEN if wanted else Proof.CERTIFIED)
        if answer.point is not None:
            assert model.predict(answer.point[None].astype(np.float32))[0] != truth
    assert verdicts[Proof.CERTIFIED] > 5
    assert verdicts[Proof.BROKEN] > 2


def veritas_breaks(veritas: Any, trees: Any, x0: Any, truth: int, radius: float) -> bool:
    """Veritas as a decision procedure: is there an output above zero in the box, of the negated trees for class 1?"""
    box = [veritas.Interval(float(v) - radius, float(np.nextafter(np.float32(v + radius), np.inf))) for v in x0]
    own = trees.prune(box)
    config = veritas.Config(veritas.HeuristicType.MAX_OUTPUT)
    config.ignore_state_when_worse_than = 0.0
    config.stop_when_num_solutions_exceeds = 1
    search = config.get_search(own.negate_leaf_values() if truth else own, box)
    while search.steps(1000) == veritas.StopReason.NONE:
        pass
    return bool(search.num_solutions() > 0)


# -- the check ------------------------------------------------------------------------------------------------------


def scene_of(model: Any, x: Any, y: Any, **more: Any) -> Scene:
    made = target(model)
    fields: dict[str, Any] = {"threshold": 0.5, "kind": made.kind, "classes": made.classes, "target": made}
    fields |= {"schema": Schema.box(0.0, 1.0), "budget": Budget(norm="linf", radius=0.03)}
    return Scene(x=x, y=y, ids=np.arange(len(x)), **(fields | more))


def forest(seed: int, classes: int = 2, **options: Any) -> tuple[Any, Any, Any]:
    ensemble = pytest.importorskip("sklearn.ensemble")
    draw = np.random.default_rng(seed)
    x = draw.random((600, 5))
    y = np.digitize(x[:, 0] + 0.3 * x[:, 1], np.linspace(0, 1.3, classes + 1)[1:-1])
    return ensemble.GradientBoostingClassifier(n_estimators=20, max_depth=3, random_state=0, **options).fit(x, y), x, y


def test_a_robust_ensemble_is_certified() -> None:
    model, x, y = forest(0)
    far = np.abs(x[:, 0] + 0.3 * x[:, 1] - 0.65) > 0.2
    done = TreeBounds().measure(scene_of(model, x[far][:60], y[far][:60]))
    share = done.measurements[0]
    assert share.name == "tree_bounds.certified_share"
    assert share.undecided == 0
    assert share.value is not None
    assert share.value > 0.9
    assert (done.certificate.radius <= 0.03).all()
    assert share.curve is not None
    assert [p.value for p in share.curve.points] == sorted((p.value for p in share.curve.points), reverse=True)


def test_a_fragile_ensemble_is_not() -> None:
    model, x, y = forest(0)
    close = np.abs(x[:, 0] + 0.3 * x[:, 1] - 0.65) < 0.015
    done = TreeBounds().measure(scene_of(model, x[close][:40], y[close][:40]))
    share, proof = done.measurements[0], done.certificate
    assert share.value is not None
    assert share.value < 0.5
    assert share.undecided == 0
    assert ((proof.radius <= proof.limit) & ((proof.limit <= 0.0301) | np.isinf(proof.limit))).all()


def test_shares_add_up_and_rows_judged_wrong_are_not_certified() -> None:
    model, x, y = forest(0)
    scene = scene_of(model, x[:60], 1 - y[:60])
    done = TreeBounds(states=1).measure(scene)
    share, accuracy = done.measurements
    assert share.count is not None
    broken = int((np.isfinite(done.certificate.limit)).sum())
    assert share.count + share.undecided + broken == share.n == 60
    assert accuracy.value is not None
    assert accuracy.value < 0.2


@pytest.mark.parametrize("norm", NORMS)
def test_several_classes_on_a_schema_hold_against_sampled_moves(norm: str) -> None:
    model, x, y = forest(1, classes=3)
    columns = [Column(name=f"c{q}", low=0, high=1, scale=0.5, attacker=COSTLY) for q in range(4)]
    schema = Schema(columns=(*columns, Column(name="fixed", low=0, high=1)))
    budget = Budget(norm=norm, radius=1.0 if norm == "l0" else 0.1)
    scene = scene_of(model, x[:20], y[:20], threshold=None, schema=schema, budget=budget)
    done = TreeBounds().measure(scene)
    held = np.flatnonzero((done.certificate.radius >= (budget.radius or 0.0)) & (done.certificate.limit > 0))
    assert norm == "l0" or len(held)
    draw = np.random.default_rng(0)
    for row in held:
        near = np.repeat(x[row : row + 1], 2000, axis=0)
        near[np.arange(2000), draw.integers(0, 4, 2000)] = draw.random(2000)
        if norm != "l0":
            near = x[row] + (near - x[row]) * np.minimum(1.0, 0.1 / schema.distance(near, x[[row]], norm))[:, None]
        assert (model.predict(near) == y[row]).all()


def test_a_value_is_certified_to_stay_within_its_tolerance() -> None:
    tree = pytest.importorskip("sklearn.tree")
    x = np.linspace(0, 1, 200)[:, None]
    model = tree.DecisionTreeRegressor(max_leaf_nodes=2).fit(x, (x[:, 0] > 0.5) * 10.0)
    scene = scene_of(model, np.array([[0.1], [0.49], [0.9]]), np.zeros(3), threshold=None, tolerance=1.0)
    assert TreeBounds().measure(scene).measurements[0].count == 2


def test_without_trees_or_a_radius_it_says_why() -> None:
    model, x, y = forest(0)
    for scene in (
        scene_of(model, x, y, budget=Budget()),
        scene_of(lambda rows: np.full((len(rows), 2), 0.5), x, y),
        scene_of(model, x[:0], y[:0]),
    ):
        only = TreeBounds().measure(scene).measurements[0]
        assert only.value is None
        assert only.reason


def test_rows_in_another_order_have_the_same_proofs() -> None:
    model, x, y = forest(0)
    scene, order = scene_of(model, x[:30], y[:30]), np.random.default_rng(0).permutation(30)
    turned = replace(scene, x=x[order], y=y[order], ids=order)
    one, two = TreeBounds(rows=12).measure(scene).certificate, TreeBounds(rows=12).measure(turned).certificate
    assert dict(zip(one.ids.tolist(), one.radius.tolist(), strict=True)) == dict(
        zip(two.ids.tolist(), two.radius.tolist(), strict=True)
    )
