"""The oracle: what is asked is charged, what counts is judged here, and tensors are treated as arrays are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.data import Array
from temper.core.errors import ContractError, Unsupported
from temper.core.schema import Column, Mutability, Schema
from temper.core.target import Access, ScoreKind
from temper.judges.misclassified import Misclassified
from temper.targets.oracle import Meter, Oracle

ALL = Access.LABELS | Access.SCORES | Access.GRADIENTS
FREE = Mutability.FREE
TWO = Schema(columns=(Column(name="a", low=0, high=9, attacker=FREE), Column(name="b", low=0, high=9)))


@dataclass(kw_only=True)
class Slope:
    """Logits (b, w * a): class 1 while w * a > b. Fails on a > 100, answers infinity on a > 8. Counts its rows."""

    weight: float = 1.0
    stochastic: bool = False
    rows: int = 0
    name: str = "slope"
    access: Access = ALL
    kind: ScoreKind = ScoreKind.LOGITS
    classes: int = 2
    digest: str = ""

    def scores(self, x: Array) -> Array:
        self.rows += len(x)
        if (x[:, 0] > 100).any():
            raise RuntimeError("too large")
        top = self.weight * x[:, 0] + np.where(x[:, 0] > 8, np.inf, 0.0)
        return np.stack([x[:, 1], top], axis=1)

    def gradient(self, x: Array, cotangent: Any) -> tuple[Array, Array]:
        scores = self.scores(x)
        weights = cotangent(scores)
        return scores, np.stack([self.weight * weights[:, 1], weights[:, 0]], axis=1)


def scene(n: int = 4, **more: Any) -> Scene:
    """Rows (5, 3), judged 1; the decision is at a = 3."""
    budget = Budget(norm="linf", radius=4.0, queries=10)
    x = np.tile([5.0, 3.0], (n, 1))
    given: dict[str, Any] = {"budget": budget, "schema": TWO, "kind": ScoreKind.LOGITS, "threshold": 0.5} | more
    return Scene(x=x, y=np.ones(n, dtype=np.int64), ids=np.arange(n), **given)


def opened(case: Scene | None = None, target: Any = None, access: Access = ALL) -> Oracle:
    return Oracle(target or Slope(), case or scene(), Misclassified(), access)


def points(*a: float) -> Array:
    return np.column_stack([a, np.full(len(a), 3.0)])


# -- charging -------------------------------------------------------------------------------------------------------


def test_every_door_charges_one_query_a_row_and_only_gradients_count_as_gradients() -> None:
    oracle, rows = opened(), np.array([0, 1])
    for ask in (oracle.scores, oracle.labels, oracle.propose):
        ask(points(4, 4), rows)
    oracle.gradient(points(4, 4), rows, lambda scores, _: scores)
    found = oracle.evidence()
    assert found.queries.tolist() == [4, 4, 0, 0]
    assert found.gradients == 2


@given(asked=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=12), max_size=8), queries=st.integers(1, 9))
def test_no_row_is_sent_more_often_than_its_budget(asked: list[list[int]], queries: int) -> None:
    target = Slope()
    oracle = opened(scene(budget=Budget(norm="linf", radius=4.0, queries=queries)), target)
    opening = target.rows
    for rows in asked:
        oracle.scores(points(*([4.0] * len(rows))), rows)
    wanted = np.minimum(np.bincount(np.concatenate([*asked, []]).astype(int), minlength=4), queries - 1)
    assert oracle.evidence().queries.tolist() == wanted.tolist()
    assert target.rows - opening == wanted.sum()


def test_a_query_is_kept_back_for_the_second_look_at_a_winner() -> None:
    oracle = opened(scene(1, budget=Budget(norm="linf", radius=4.0, queries=3)))
    assert oracle.left.tolist() == [2]
    oracle.scores(points(2, 2, 2), [0, 0, 0])
    assert oracle.evidence().queries.tolist() == [3]


def test_a_row_without_budget_gets_no_number_label_or_gradient() -> None:
    oracle = opened(scene(2, budget=Budget(norm="linf", radius=4.0, queries=2)))
    oracle.scores(points(4), [0])
    assert np.isnan(oracle.scores(points(4, 4), [0, 1])).all(axis=1).tolist() == [True, False]
    assert oracle.labels(points(4), [0]).tolist() == [-1]
    scores, slope = oracle.gradient(points(4), [0], lambda scores, _: scores)
    assert np.isnan(scores).all()
    assert np.isnan(slope).all()


def test_access_that_was_not_declared_is_refused_by_name() -> None:
    oracle = opened(access=Access.LABELS)
    with pytest.raises(Unsupported, match="asked for scores and declares only labels"):
        oracle.scores(points(4), [0])
    with pytest.raises(Unsupported, match="gradients"):
        oracle.gradient(points(4), [0], lambda scores, _: scores)


# -- judging --------------------------------------------------------------------------------------------------------


def test_only_an_admissible_point_in_the_ball_that_changes_the_decision_breaks_a_row() -> None:
    case = scene(5, budget=Budget(norm="linf", radius=2.5, queries=10))
    oracle = opened(case)
    x = points(2.5, 2.4, -0.5, 4.0, 2.5)
    x[4, 1] = 3.5  # the second column is not the attacker's
    oracle.scores(x, np.arange(5))
    oracle.done(np.arange(5))
    assert oracle.evidence().verdicts.tolist() == ["broken", "held", "held", "held", "held"]


def test_a_move_dearer_than_the_budget_is_charged_and_does_not_count() -> None:
    costly = TWO.with_columns({"a": {"attacker": Mutability.COSTLY, "cost": 2.0}})
    case = scene(2, schema=costly, budget=Budget(norm="linf", radius=9.0, cost=5.0, queries=9))
    oracle = opened(case)
    oracle.scores(points(2.5, 2.4), [0, 1])
    found = oracle.evidence()
    assert found.verdicts.tolist() == ["broken", "untried"]
    assert found.queries.tolist() == [2, 1]
    assert found.cost[0] == pytest.approx(5.0)


def test_first_mode_lets_go_of_a_broken_row_and_nearest_mode_looks_for_a_nearer_point() -> None:
    first, nearest = opened(scene(2, mode="first")), opened(scene(2, mode="nearest"))
    for oracle in (first, nearest):
        oracle.scores(points(1.5, 4.0), [0, 1])
        oracle.scores(points(2.5, 4.0), [0, 1])
    assert first.active.tolist() == [1]
    assert nearest.active.tolist() == [0, 1]
    assert first.evidence().distance[0] == pytest.approx(3.5)
    assert nearest.evidence().distance[0] == pytest.approx(2.5)


def test_the_nearest_of_several_candidates_is_kept_with_the_number_of_the_first_that_broke() -> None:
    oracle = opened(scene(2, mode="nearest"))
    oracle.scores(points(4.0, 1.5, 2.5, 2.0), [1, 1, 1, 1])
    found = oracle.evidence()
    assert found.x_adv[1].tolist() == [2.5, 3.0]
    assert found.broken_at.tolist() == [-1, 2]
    assert found.score[1] < 0.5 < found.clean_score[1]


def test_the_untouched_row_is_no_attack_even_where_the_model_is_wrong_about_it() -> None:
    free = replace(scene(2), y=np.zeros(2, dtype=np.int64))
    oracle = opened(replace(free, budget=Budget(norm="cost", cost=1.0, queries=9)))  # moving `a` costs nothing here
    oracle.scores(points(5.0, 5.5), [0, 1])
    assert oracle.evidence().verdicts.tolist() == ["untried", "broken"]


def test_a_regression_target_is_broken_by_a_shift_beyond_the_tolerance() -> None:
    target = Slope(kind=ScoreKind.VALUE, classes=1)
    target.scores = lambda x: x[:, :1] * 1.0  # type: ignore[method-assign]
    oracle = opened(scene(2, kind=ScoreKind.VALUE, classes=1, threshold=None, tolerance=1.5), target)
    oracle.scores(points(3.6, 3.4), [0, 1])
    assert oracle.evidence().verdicts.tolist() == ["untried", "broken"]


def test_of_a_regression_the_label_tells_whether_its_value_has_moved_too_far() -> None:
    target = Slope(kind=ScoreKind.VALUE, classes=1)
    target.scores = lambda x: x[:, :1] * 1.0  # type: ignore[method-assign]
    far = scene(2, kind=ScoreKind.VALUE, classes=1, threshold=None, tolerance=1.5, budget=Budget(queries=2))
    oracle = Oracle(target, far, Misclassified(), Access.LABELS)
    assert oracle.labels(points(3.6, 3.4), [0, 1]).tolist() == [0, 1]
    assert oracle.labels(points(3.6), [0]).tolist() == [-1]
    with pytest.raises(Unsupported):
        oracle.scores(points(3.6), [0])


def test_a_goal_class_is_reached_or_not() -> None:
    oracle = opened(scene(2, goal=0))
    oracle.scores(points(2.5, 4.0), [0, 1])
    assert oracle.evidence().verdicts.tolist() == ["broken", "untried"]


# -- verdicts -------------------------------------------------------------------------------------------------------


def test_rows_say_why_nobody_knows_about_them() -> None:
    oracle = opened(scene(3, budget=Budget(norm="linf", radius=1.0, queries=2)))
    oracle.scores(points(4.5, 4.5), [0, 1])
    oracle.done([1, 2])
    found = oracle.evidence()
    assert found.verdicts.tolist() == ["untried", "held", "untried"]
    assert found.reasons == (
        "query budget spent before the strategy had finished",
        "",
        "the attack found nothing to ask",
    )


def test_nothing_is_asked_when_the_budget_only_pays_the_second_look() -> None:
    oracle = opened(scene(1, budget=Budget(norm="linf", radius=4.0, queries=1)))
    assert not len(oracle.active)
    assert oracle.evidence().reasons == ("no query budget",)


def test_no_row_is_open_after_the_time_is_up() -> None:
    oracle = opened(scene(2, budget=Budget(norm="linf", radius=4.0, seconds=0.0)))
    assert np.isnan(oracle.scores(points(2.5, 2.5), [0, 1])).all()
    assert set(oracle.evidence().reasons) == {"time"}


# -- rows the target fails on ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", ["scores", "gradient"])
def test_a_crash_costs_only_the_row_that_caused_it(door: str) -> None:
    oracle = opened(scene(5))
    x, rows = points(2.5, 4.0, 500.0, 2.5, 4.0), np.arange(5)
    if door == "scores":
        answers = oracle.scores(x, rows)
    else:
        answers, slope = oracle.gradient(x, rows, lambda scores, _: np.ones_like(scores))
        np.testing.assert_array_equal(slope[[0, 1, 3, 4]], np.ones((4, 2)))
        assert np.isnan(slope[2]).all()
    np.testing.assert_array_equal(answers[[0, 1, 3, 4]], [[3, 2.5], [3, 4], [3, 2.5], [3, 4]])
    oracle.done(rows)
    found = oracle.evidence()
    assert found.verdicts.tolist() == ["broken", "held", "error", "broken", "held"]
    assert found.reasons[2] == "the target failed: RuntimeError: too large"


@pytest.mark.parametrize("door", ["scores", "gradient"])
def test_an_answer_that_is_not_finite_is_an_error_and_never_a_success(door: str) -> None:
    oracle = opened(replace(scene(2), y=np.zeros(2, dtype=np.int64)))
    x, rows = points(8.5, 5.5), np.arange(2)
    ask = {"scores": oracle.scores, "gradient": lambda x, rows: oracle.gradient(x, rows, lambda scores, _: scores)}
    ask[door](x, rows)
    found = oracle.evidence()
    assert found.verdicts.tolist() == ["error", "broken"]
    assert "not finite" in found.reasons[0]
    assert np.isinf(found.distance[0])


def test_a_mistake_of_the_attack_is_not_blamed_on_the_target() -> None:
    oracle = opened()
    with pytest.raises(ContractError, match="the attack's cotangent failed: IndexError"):
        oracle.gradient(points(4, 4), [0, 1], lambda scores, _: scores[:, 9])


def test_a_target_that_drops_rows_is_a_broken_contract() -> None:
    target = Slope()
    oracle = opened(target=target)
    target.scores = lambda x: np.zeros((1, 2))  # type: ignore[method-assign]
    with pytest.raises(ContractError, match="1 scores for 2 rows"):
        oracle.scores(points(4, 4), [0, 1])


# -- the second look ------------------------------------------------------------------------------------------------


def test_a_winner_that_does_not_win_again_is_an_error_unless_the_target_is_declared_stochastic() -> None:
    for stochastic, verdict in ((False, "error"), (True, "untried")):
        target = Slope(stochastic=stochastic)
        oracle = opened(scene(1), target)
        oracle.scores(points(2.5), [0])
        target.weight = 2.0  # from now on the point is judged as it should be
        found = oracle.evidence()
        assert found.verdicts.tolist() == [verdict]
        assert found.queries.tolist() == [1 + (5 if stochastic else 1)]


# -- tensors --------------------------------------------------------------------------------------------------------


def pictures(rng: np.random.Generator, n: int) -> Array:
    return rng.random((n, 1, 3, 3)).astype(np.float32)


def network(torch: Any) -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(9, 3)).eval()


def steps(oracle: Oracle, case: Scene, radius: float) -> None:
    """Signed gradient steps to the edge of the ball, the same words for arrays and tensors."""
    x = case.x
    for _ in range(4):
        rows = oracle.active
        if not len(rows):
            break
        _, slope = oracle.gradient(x[rows], rows, lambda scores, rows: scores * 0 + 1.0 - 2.0 * (scores > 0))
        moved = x[rows] + radius * np.sign(slope) if isinstance(x, np.ndarray) else x[rows] + radius * slope.sign()
        step = (moved - case.x[rows]).clip(-radius, radius)
        x = x.copy() if isinstance(x, np.ndarray) else x.clone()
        x[rows] = (case.x[rows] + step).clip(0, 1)
        oracle.scores(x[rows], rows)
    oracle.done(np.arange(len(case.x)))


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("mode", ["first", "nearest"])
def test_tensors_give_the_evidence_that_arrays_give(norm: str, mode: str) -> None:
    torch = pytest.importorskip("torch")
    from temper.targets import open_target

    target = open_target(network(torch))
    x = pictures(np.random.default_rng(5), 30)
    y = target.scores(x).argmax(1)
    found = []
    for rows, truth in ((x, y), (torch.from_numpy(x), torch.from_numpy(y)), (torch.from_numpy(x), y)):
        budget = Budget(norm=norm, radius={"linf": 0.2, "l2": 0.5, "l1": 1.5}[norm], queries=7)
        case = Scene(x=rows, y=truth, ids=np.arange(30), schema=Schema.box(0, 1), budget=budget, mode=mode)
        case = replace(case, kind=target.kind, classes=3)
        oracle = Oracle(target, case, Misclassified(), ALL)
        steps(oracle, case, 0.2)
        found.append(oracle.evidence())
    array = found[0]
    assert {"broken", "held"} <= set(array.verdicts)
    for tensor in found[1:]:
        assert tensor.verdicts.tolist() == array.verdicts.tolist()
        assert tensor.queries.tolist() == array.queries.tolist()
        assert tensor.gradients == array.gradients
        np.testing.assert_allclose(tensor.distance, array.distance, rtol=1e-5)
        np.testing.assert_allclose(np.asarray(tensor.x_adv), array.x_adv, atol=1e-6)


@pytest.mark.parametrize(("norm", "radius"), [("linf", 8 / 255), ("l2", 0.5), ("l1", 3.0)])
def test_a_single_precision_point_on_the_edge_of_the_ball_is_inside_it(norm: str, radius: float) -> None:
    """x0 + radius cannot be held exactly in 32 bits; refusing it would call a breakable model strong."""
    rng = np.random.default_rng(0)
    x0 = pictures(rng, 200)
    direction = rng.choice([-1.0, 1.0], size=x0.shape).astype(np.float32)
    size = {"linf": 1.0, "l2": 3.0, "l1": 9.0}[norm]
    x = x0 + np.float32(radius / size) * direction
    far = x0 + np.float32(radius * 1.001 / size) * direction
    inside, outside = (_all_wrong(x0, points, norm, radius) for points in (x, far))
    assert inside.all()
    assert not outside.any()


def _all_wrong(x0: Array, x: Array, norm: str, radius: float) -> Any:
    """Which rows break on a target that judges every point but the clean ones wrongly."""
    from temper.targets import open_target

    clean = {row.tobytes() for row in x0}
    target = open_target(
        lambda rows: np.eye(2)[[int(row.astype(np.float32).tobytes() in clean) for row in rows]] * 0.8 + 0.1,
        kind=ScoreKind.PROBABILITIES,
        classes=2,
    )
    n = len(x0)
    case = Scene(x=x0, y=np.ones(n, int), ids=np.arange(n), schema=Schema.box(-1, 2), budget=Budget(norm=norm))
    oracle = Oracle(target, replace(case, budget=Budget(norm=norm, radius=radius, queries=5)), Misclassified(), ALL)
    oracle.scores(x, np.arange(n))
    return oracle.evidence().verdicts == "broken"


# -- the meter ------------------------------------------------------------------------------------------------------


def test_the_meter_sends_what_is_paid_for_and_answers_nan_beyond_it() -> None:
    target = Slope()
    meter = Meter(target, 3)
    answers = np.concatenate([meter.scores(points(4, 5)), meter.scores(points(6, 7)), meter.scores(points(8))])
    assert np.isnan(answers).all(axis=1).tolist() == [False, False, False, True, True]
    assert (target.rows, meter.spent) == (3, 3)
