"""Square, HopSkipJump and Boundary: against closed forms of linear models, on tables, images and tensors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.attacks.evasion._corners import TableMoves
from temper.attacks.evasion._start import started
from temper.attacks.evasion._walk import Ground
from temper.attacks.evasion.boundary import Boundary
from temper.attacks.evasion.coordinate import Coordinate
from temper.attacks.evasion.hopskipjump import HopSkipJump
from temper.attacks.evasion.moeva import MOEVA
from temper.attacks.evasion.noise import Noise
from temper.attacks.evasion.random_search import RandomSearch
from temper.attacks.evasion.square import Square, _moves
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.data import Array, Data
from temper.core.errors import TemperError, Unsupported
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind
from temper.judges.misclassified import Misclassified
from temper.kernels.decision import bisect
from temper.kernels.loss import margin
from temper.targets.oracle import Evidence, Oracle
from temper.testing.scenes import picture_model, picture_scene, schema, table_model, table_scene
from temper.testing.toys import Linear

WEIGHTS = np.array([2.0, -1.0, 0.5, 3.0, -0.2, 1.5])


def struck(attack: Any, target: Any, scene: Scene, access: Access | None = None, seed: int = 0) -> Evidence:
    oracle = Oracle(target, scene, Misclassified(), access or attack.needs)
    attack.run(oracle, scene, Draws(seed, "test", scene.ids))
    return oracle.evidence()


def free(width: int) -> Schema:
    columns = (Column(name=f"c{at}", low=-50, high=50, attacker=Mutability.FREE) for at in range(width))
    return Schema(columns=tuple(columns))


def line(n: int = 12, **more: Any) -> tuple[Linear, Scene, Array]:
    """A linear model over free numbers, rows on either side of it, and their logits."""
    model = Linear(weights=tuple(WEIGHTS))
    x = Draws(1, "rows").uniform(np.arange(n), 0, (6,), -2, 2)
    logit = model.logit(x)
    fields: dict[str, Any] = {"budget": Budget(norm="l2"), "mode": "nearest", "threshold": 0.5} | more
    scene = Scene(x=x, y=(logit >= 0).astype(np.int64), ids=np.arange(n), schema=free(6), **fields)
    return model, scene, np.abs(logit)


# -- kernels ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0.01, 0.99), min_size=1, max_size=8), st.floats(1e-4, 0.2))
def test_bisection_ends_just_above_every_threshold(edges: list[float], width: float) -> None:
    edge = np.array(edges)
    low, high = bisect(np.zeros(len(edge)), np.ones(len(edge)), width, lambda t, rows: t >= edge[rows])
    assert (high >= edge).all()
    assert (low < edge).all()
    assert (high - low <= width).all()


def test_a_refused_answer_ends_a_bisection_where_it_stood() -> None:
    low, high = bisect(np.zeros(2), np.ones(2), 0.01, lambda t, rows: np.where(rows == 0, -1, t >= 0.5))
    assert (low[0], high[0]) == (0.0, 1.0)
    assert high[1] - low[1] <= 0.01


def test_the_margin_of_a_value_is_what_of_the_tolerance_is_left() -> None:
    found = margin(
        np.array([[3.0], [1.0]]), np.zeros(2), ScoreKind.VALUE, clean=np.array([[1.0], [1.5]]), tolerance=1.5
    )
    assert found.tolist() == [-0.5, 1.0]
    with pytest.raises(TemperError, match="clean values"):
        margin(np.zeros((1, 1)), np.zeros(1), ScoreKind.VALUE)


# -- Square -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("shape", [(3, 12, 10), (12, 12, 3), (9, 7), (20,)])
def test_square_asks_the_same_of_tensors_as_of_arrays_and_stays_in_ball_and_box(
    norm: str, shape: tuple[int, ...]
) -> None:
    torch = pytest.importorskip("torch", reason="torch is an extra")
    x = Draws(0, "pixels").uniform(np.arange(4), 0, shape)
    scene = replace(picture_scene(4), x=x, schema=Schema.box(0, 1), budget=Budget(norm=norm, radius=0.5))
    here, there = (_moves(replace(scene, x=rows), Draws(0, "a", scene.ids)) for rows in (x, torch.as_tensor(x)))
    rows, share = np.array([0, 2, 3]), np.array([0.3, 0.1, 0.02])
    point, tensor = here.start(rows, 0), there.start(rows, 0)
    for step in range(1, 5):
        assert np.allclose(point, tensor.numpy())
        assert np.asarray(scene.schema.distance(point, x[rows], norm)).max() <= 0.5 + 1e-9
        assert point.min() >= 0
        assert point.max() <= 1
        point, tensor = here.move(rows, step, share, point), there.move(rows, step, share, tensor)


def test_square_changes_one_window_of_an_image_per_step() -> None:
    x = np.full((1, 1, 20, 20), 0.5)
    scene = replace(picture_scene(1), x=x, schema=Schema.box(0, 1), budget=Budget(norm="linf", radius=0.1))
    moved = _moves(scene, Draws(0, "a", scene.ids)).move(np.array([0]), 1, np.array([0.09]), x)
    rows, columns = np.nonzero(moved[0, 0] != 0.5)
    assert (np.ptp(rows), np.ptp(columns), len(rows)) == (5, 5, 36)
    assert len(np.unique(moved[0, 0, rows, columns])) == 1


def test_square_breaks_exactly_what_corners_can_break() -> None:
    model, scene, logit = line(40, budget=Budget(norm="linf", radius=0.25), mode="first")
    found = struck(Square(steps=400), model, scene)
    breakable = logit < 0.25 * np.abs(WEIGHTS).sum()
    assert 5 < breakable.sum() < 35
    assert ((found.verdicts == "broken") == breakable).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1_000), st.sampled_from(["linf", "l2", "cost", "l0"]))
def test_square_asks_only_admissible_points_of_a_table(seed: int, norm: str) -> None:
    scene = replace(table_scene(6, seed=seed), budget=Budget(norm=norm, radius=2.0))
    moves = TableMoves.on(scene, Draws(seed, "a", scene.ids))
    rows = np.arange(6)
    x = moves.start(rows, 0)
    for step in range(1, 4):
        assert scene.schema.reason(x, scene.x) == ""
        assert np.asarray(scene.schema.distance(x, scene.x, norm)).max() <= 2.0 + 1e-6
        x = moves.move(rows, step, np.array([0.8, 0.5, 0.3, 0.2, 0.1, 0.01]), x)


def test_square_says_what_it_lacks_where_there_is_no_ball() -> None:
    scene = replace(picture_scene(2), schema=Schema(), budget=Budget(norm="linf"))
    with pytest.raises(Unsupported, match="ends of their range"):
        struck(Square(), picture_model(), scene)


def test_square_breaks_tensors_on_their_own_target() -> None:
    torch = pytest.importorskip("torch", reason="torch is an extra")
    from temper.targets.torch import open_torch

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 3)).eval()
    x = torch.rand((10, 3, 4, 4))
    scene = Scene(
        x=x,
        y=net(x).argmax(1),
        ids=np.arange(10),
        schema=Schema.box(0, 1),
        budget=Budget(norm="linf", radius=0.3, queries=200),
        kind=ScoreKind.LOGITS,
        classes=3,
    )
    found = struck(Square(steps=200), open_torch(net, ScoreKind.LOGITS, 3, False), scene)
    assert (found.verdicts == "broken").mean() >= 0.9


# -- decisions alone --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("norm", "dual"), [("l2", 2), ("linf", 1)])
def test_hopskipjump_finds_the_distance_to_a_plane(norm: str, dual: int) -> None:
    model, scene, logit = line(budget=Budget(norm=norm, queries=6_000))
    found = struck(HopSkipJump(steps=25), model, scene)
    exact = logit / np.linalg.norm(WEIGHTS, dual)
    assert (found.verdicts == "broken").all()
    assert (found.distance >= exact - 1e-9).all()
    assert np.median(found.distance / exact) < 1.05


def test_boundary_finds_the_distance_to_a_plane() -> None:
    model, scene, logit = line(budget=Budget(norm="l2", queries=3_000))
    found = struck(Boundary(), model, scene)
    exact = logit / np.linalg.norm(WEIGHTS)
    assert (found.distance >= exact - 1e-9).all()
    assert np.median(found.distance / exact) < 1.1


def test_hopskipjump_walks_on_images_as_arrays_and_as_tensors() -> None:
    torch = pytest.importorskip("torch", reason="torch is an extra")
    from temper.targets.torch import open_torch

    torch.manual_seed(0)
    layer = torch.nn.Linear(32, 2)
    net = torch.nn.Sequential(torch.nn.Flatten(), layer).eval()
    x = torch.rand((6, 2, 4, 4)) * 0.2 + 0.4
    logits = net(x).detach()
    weight = (layer.weight[1] - layer.weight[0]).detach().numpy()
    exact = np.abs((logits[:, 1] - logits[:, 0]).numpy()) / np.linalg.norm(weight)
    shared = {"ids": np.arange(6), "schema": Schema.box(0, 1), "kind": ScoreKind.LOGITS, "mode": "nearest"}
    budget = Budget(norm="l2", queries=4_000)
    for rows in (x, x.numpy()):
        scene = Scene(x=rows, y=np.asarray(logits.argmax(1)), budget=budget, **shared)
        found = struck(HopSkipJump(steps=20), open_torch(net, ScoreKind.LOGITS, 2, False), scene)
        assert np.median(found.distance / exact) < 1.1


@pytest.mark.parametrize("attack", [HopSkipJump(), Boundary()])
def test_a_row_without_a_start_is_untried_and_stops_nobody(attack: Any) -> None:
    x = np.column_stack([line(8)[1].x, np.arange(8) == 3])
    model = Linear(
        weights=(*WEIGHTS, 1_000.0)
    )  # the last column decides alone where it is set, and nobody can change it
    columns = (*free(6).columns, Column(name="stuck"))
    y = (model.logit(x) >= 0).astype(np.int64)
    budget = Budget(norm="l2", queries=300)
    scene = Scene(
        x=x, y=y, ids=np.arange(8), schema=Schema(columns=columns), budget=budget, mode="nearest", threshold=0.5
    )
    found = struck(attack, model, scene)
    assert found.verdicts[3] == "untried"
    assert (np.delete(found.verdicts, 3) == "broken").all()


@pytest.mark.parametrize("attack", [HopSkipJump(), Boundary()])
def test_a_model_whose_decision_lies_beyond_the_radius_holds(attack: Any) -> None:
    model, scene, logit = line(20, budget=Budget(norm="l2", queries=1_500, radius=0.2))
    far = logit / np.linalg.norm(WEIGHTS) > 0.21
    found = struck(attack, model, scene)
    assert far.sum() > 5
    assert (found.verdicts[far] == "held").all()


@pytest.mark.parametrize("attack", [HopSkipJump(), Boundary()])
def test_a_model_whose_decision_lies_within_the_radius_breaks(attack: Any) -> None:
    model, scene, logit = line(20, budget=Budget(norm="l2", queries=1_500, radius=0.5))
    near = logit / np.linalg.norm(WEIGHTS) < 0.4
    found = struck(attack, model, scene)
    assert near.sum() > 5
    assert (found.verdicts[near] == "broken").all()


def test_the_attackers_own_rows_of_the_other_class_are_the_first_starts() -> None:
    model, scene, _ = line(10, budget=Budget(norm="l2", queries=50))
    others = Draws(2, "held").uniform(np.arange(200), 0, (6,), -2, 2)
    held = Data(x=others, y=(model.logit(others) >= 0).astype(np.int64), ids=np.arange(200))
    oracle = Oracle(model, replace(scene, reference=held), Misclassified(), Access.LABELS)
    x, found = started(Ground.of(oracle, replace(scene, reference=held)), Draws(0, "start", scene.ids))
    assert found.all()
    assert (50 - 1 - oracle.left == 1).all()  # one paid question each
    far = np.linalg.norm(x - scene.x, axis=1)
    for row in range(10):
        other = others[held.y != scene.y[row]]
        assert far[row] == pytest.approx(np.linalg.norm(other - scene.x[row], axis=1).min())


@pytest.mark.parametrize("attack", [HopSkipJump(), Boundary()])
@pytest.mark.parametrize("norm", ["l2", "linf", "cost"])
def test_decision_attacks_beat_random_points_on_every_kind_of_column(attack: Any, norm: str) -> None:
    scene = replace(table_scene(20, distance=2.0), budget=Budget(norm=norm, queries=1_000), mode="nearest")
    found, random = (struck(a, table_model(), scene) for a in (attack, Noise(draws=1_000)))
    broken = found.verdicts == "broken"
    assert broken.mean() >= 0.9
    assert scene.schema.reason(found.x_adv[broken], scene.x[broken]) == ""
    assert found.distance.mean() < 0.9 * random.distance.mean()


def test_switched_columns_are_put_back_where_they_are_not_needed() -> None:
    scene = replace(table_scene(20, distance=0.5), budget=Budget(norm="l2", queries=2_000), mode="nearest")
    found = struck(HopSkipJump(), table_model(), scene)
    kind = schema().index("kind")
    assert (found.x_adv[:, kind] == scene.x[:, kind]).mean() >= 0.8


# -- regression -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Value:
    """w x: a value, not a decision."""

    access: Access = Access.LABELS | Access.SCORES
    name: str = "value"
    kind: ScoreKind = ScoreKind.VALUE
    classes: int = 1
    stochastic: bool = False
    digest: str = ""

    def scores(self, x: Array) -> Array:
        """Values (n, 1)."""
        return (x @ WEIGHTS)[:, None]


SEARCHES = [Square(), MOEVA(), RandomSearch(), Coordinate(), Noise(), HopSkipJump(), Boundary()]


@pytest.mark.parametrize("attack", SEARCHES, ids=lambda attack: type(attack).__name__)
@pytest.mark.parametrize(("share", "breaks"), [(0.5, True), (1.02, False)])
def test_a_regression_is_broken_by_a_shift_beyond_the_tolerance(attack: Any, share: float, breaks: bool) -> None:
    most = 0.5 * np.abs(WEIGHTS).sum()  # the largest shift the ball allows
    _, scene, _ = line(6, budget=Budget(norm="linf", radius=0.5, queries=600), mode="first")
    scene = replace(scene, kind=ScoreKind.VALUE, classes=1, threshold=None, tolerance=share * most, y=scene.x @ WEIGHTS)
    found = struck(attack, _Value(), scene, attack.needs)
    assert (found.verdicts == ("broken" if breaks else "held")).all() or (
        not breaks and isinstance(attack, HopSkipJump | Boundary)
    )
    assert (found.verdicts == "broken").any() == breaks
