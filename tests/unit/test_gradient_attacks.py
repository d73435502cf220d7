"""Gradient attacks at a fixed radius, and the standard ensemble: against closed forms, hand-written loops, twins."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.attacks.evasion.apgd import APGD
from temper.attacks.evasion.apgd_targeted import APGDTargeted
from temper.attacks.evasion.fab import FAB
from temper.attacks.evasion.fgsm import FGSM
from temper.attacks.evasion.pgd import PGD
from temper.attacks.evasion.square import Square
from temper.attacks.evasion.standard import Standard
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.errors import TemperError, Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind
from temper.judges.misclassified import Misclassified
from temper.kernels.slope import Aim, climb, logits, rivals
from temper.kernels.step import in_ball, sparse_move, steepest, to_plane
from temper.targets.oracle import Evidence, Oracle
from temper.testing.scenes import picture_model, picture_scene, table_scene
from temper.testing.toys import Constant

torch = pytest.importorskip("torch")
NORMS = ("linf", "l2", "l1")
ATTACKS = (FGSM(), PGD(steps=20), APGD(steps=10), APGDTargeted(steps=10), FAB(steps=10))
NAMES = [type(attack).__name__ for attack in ATTACKS]
RADII = {"linf": 0.2, "l2": 0.8, "l1": 3.2}


def struck(attack: Any, target: Any, scene: Scene, seed: int = 0) -> Evidence:
    oracle = Oracle(target, scene, Misclassified(), attack.needs)
    attack.run(oracle, scene, Draws(seed, "test", scene.ids))
    return oracle.evidence()


def ball(scene: Scene, norm: str, radius: float | None, queries: int | None = None) -> Scene:
    return replace(scene, budget=Budget(norm=norm, radius=radius, queries=queries))


# -- losses -----------------------------------------------------------------------------------------------------------


def by_hand(name: str, z: Any, y: Any, rival: Any) -> Any:
    """The published losses on torch logits."""
    rows = torch.arange(len(z))
    own, others = z[rows, y], z.clone()
    others[rows, y] = -torch.inf
    if name == "ce":
        at = y if rival is None else rival
        loss = torch.nn.functional.cross_entropy(z, at, reduction="none")
        return loss if rival is None else -loss
    gap = (others.amax(1) if rival is None else z[rows, rival]) - own
    if name == "margin":
        return gap
    ordered = z.sort(1, descending=True).values
    low = ordered[:, 2] if rival is None else 0.5 * (ordered[:, 2] + ordered[:, 3])
    return gap / (ordered[:, 0] - low + 1e-12)


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("name", ["ce", "dlr", "margin"])
@pytest.mark.parametrize("kind", [ScoreKind.LOGITS, ScoreKind.PROBABILITIES])
def test_losses_and_their_derivatives_are_those_of_automatic_differentiation(
    kind: ScoreKind, name: str, targeted: bool
) -> None:
    z = torch.as_tensor(np.random.Generator(np.random.Philox(key=1)).normal(0, 3, (40, 6)))
    y = torch.arange(40) % 6
    rival = (y + 2) % 6 if targeted else None
    scores = (z.softmax(1) if kind is ScoreKind.PROBABILITIES else z).requires_grad_(True)
    wanted = by_hand(name, scores.log() if kind is ScoreKind.PROBABILITIES else scores, y, rival)
    (slope,) = torch.autograd.grad(wanted.sum(), scores)
    aim = Aim(kind=kind, even=False)
    loss, pull = climb(name, scores.detach(), y, aim, rival)
    assert torch.allclose(loss, wanted.detach(), rtol=1e-9, atol=1e-9)
    assert torch.allclose(pull, slope, rtol=1e-7, atol=1e-9)
    plain = climb(name, scores.detach().numpy(), y.numpy(), aim, None if rival is None else rival.numpy())
    assert np.allclose(plain[0], loss.numpy())
    assert np.allclose(plain[1], pull.numpy())


@pytest.mark.parametrize("gap", [1.0, 30.0, 80.0])
def test_a_sure_model_still_has_a_slope(gap: float) -> None:
    scores = torch.tensor([[gap, 0.0, 0.0]])
    y = torch.tensor([0])
    even = climb("ce", scores, y, Aim(kind=ScoreKind.LOGITS))
    true = climb("ce", scores, y, Aim(kind=ScoreKind.LOGITS, even=False))
    assert even[1].abs().max() > 0.4
    assert true[1].abs().max() > 0
    assert torch.allclose(even[1] / even[1].abs().max(), true[1] / true[1].abs().max(), rtol=1e-4)


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=2), st.floats(0.05, 0.95), st.integers(0, 1))
def test_every_kind_of_binary_score_has_the_same_margin(z: list[float], threshold: float, truth: int) -> None:
    raw = np.array([z])
    p = np.exp(raw - raw.max()) / np.exp(raw - raw.max()).sum()
    edge = raw[:, 1:] - raw[:, :1] - np.log(threshold / (1 - threshold))
    y = np.array([truth])
    found = [
        climb("margin", scores, y, Aim(kind=kind, threshold=level))[0][0]
        for scores, kind, level in (
            (raw, ScoreKind.LOGITS, threshold),
            (p, ScoreKind.PROBABILITIES, threshold),
            (edge, ScoreKind.MARGIN, None),
        )
    ]
    assert np.allclose(found, (1 - 2 * truth) * edge[0, 0], rtol=1e-6, atol=1e-6)


def test_a_value_is_driven_away_from_its_clean_score_either_way() -> None:
    aim = Aim(kind=ScoreKind.VALUE, tolerance=0.5)
    scores, clean = np.array([[2.0], [-3.0]]), np.zeros((2, 1))
    loss, pull = climb("ce", scores, np.zeros(2), aim, None, clean)
    assert loss.tolist() == [1.5, 2.5]
    assert pull.tolist() == [[1.0], [-1.0]]
    with pytest.raises(TemperError, match="clean"):
        climb("ce", scores, np.zeros(2), aim)


def test_rivals_are_the_likeliest_others_or_the_goal() -> None:
    scores, y = np.array([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3]]), np.array([1, 1])
    aim = Aim(kind=ScoreKind.PROBABILITIES)
    assert rivals(scores, y, aim, 9).tolist() == [[2, 0], [0, 2]]
    assert rivals(scores, y, replace(aim, goal=2), 9).tolist() == [[2], [2]]
    assert logits(np.array([[0.0, 1.0]]), ScoreKind.PROBABILITIES).min() > -100


# -- steps ------------------------------------------------------------------------------------------------------------

WIDTH = 7
rows_of = st.lists(st.floats(-3, 3), min_size=WIDTH, max_size=WIDTH).map(lambda v: np.array([v]))


@settings(max_examples=60, deadline=None)
@given(rows_of, st.floats(0.01, 5), st.integers(0, 10))
def test_the_sparse_move_is_the_nearest_one_in_ball_and_box(move: Any, radius: float, seed: int) -> None:
    rng = np.random.Generator(np.random.Philox(key=seed))
    below, above = rng.random((2, 1, WIDTH))
    found = sparse_move(move, radius, below, above)
    assert np.abs(found).sum() <= radius * (1 + 1e-9)
    assert ((found >= -below - 1e-12) & (found <= above + 1e-12)).all()
    low, high = 0.0, 10.0  # the shift by bisection, as an independent reference
    for _ in range(200):
        shift = (low + high) / 2
        other = np.clip(np.sign(move) * np.maximum(np.abs(move) - shift, 0), -below, above)
        low, high = (shift, high) if np.abs(other).sum() > radius else (low, shift)
    assert np.allclose(found, other, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(rows_of, st.floats(-4, 4), st.sampled_from(NORMS), st.integers(0, 5))
def test_the_move_to_a_plane_arrives_and_none_is_shorter(slope: Any, value: float, norm: str, seed: int) -> None:
    rng = np.random.Generator(np.random.Philox(key=seed))
    x = rng.random((1, WIDTH))
    move = to_plane(x, slope, np.array([value]), 0.0, 1.0, norm)
    assert ((x + move >= -1e-9) & (x + move <= 1 + 1e-9)).all()
    room = np.where(np.sign(slope) * -np.sign(value) > 0, 1 - x, x)
    most = (np.abs(slope) * room).sum()
    left = abs(value + (slope * move).sum())
    assert left <= max(abs(value) - most, 0) + 1e-3 * abs(value) + 1e-9
    size = {"linf": lambda d: np.abs(d).max(), "l2": lambda d: np.sqrt((d**2).sum()), "l1": lambda d: np.abs(d).sum()}
    for other in rng.uniform(0, 1, (200, WIDTH)) - x:
        if value and (value + (slope * other).sum()) * np.sign(value) <= 0:
            assert size[norm](other) >= size[norm](move) * (1 - 1e-3)


@pytest.mark.parametrize("norm", NORMS)
def test_random_starts_fill_the_ball(norm: str) -> None:
    like = np.zeros((4_000, 3))
    draw = in_ball(Draws(0, "ball"), np.arange(4_000), 0, like, norm)
    order = {"linf": np.inf, "l2": 2, "l1": 1}[norm]
    far = np.linalg.norm(draw, ord=order, axis=1)
    assert far.max() <= 1 + 1e-12
    assert abs((far**3).mean() - 0.5) < 0.02  # volume grows with the third power
    assert np.abs(draw.mean(axis=0)).max() < 0.03


@pytest.mark.parametrize("norm", NORMS)
def test_a_step_has_unit_length_and_torch_takes_the_same(norm: str) -> None:
    slope = np.random.Generator(np.random.Philox(key=2)).normal(size=(5, 200)) * 1e-25
    step = steepest(slope, norm)
    order = {"linf": np.inf, "l2": 2, "l1": 1}[norm]
    assert np.allclose(np.linalg.norm(step, ord=order, axis=1), 1)
    assert np.allclose(steepest(torch.as_tensor(slope), norm).numpy(), step)


# -- attacks on a model with a known answer ---------------------------------------------------------------------------


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
def test_a_linear_model_breaks_exactly_where_its_boundary_is_in_reach(attack: Any, norm: str) -> None:
    """The distance to the boundary of |w| = 4 in 16 pixels is logit / 64, / 16 or / 4 in linf, l2 and l1."""
    reach = {"linf": 64.0, "l2": 16.0, "l1": 4.0}[norm]
    scene = picture_scene(8, distance=0.5)
    near = struck(attack, picture_model(), ball(scene, norm, 0.5 / reach * 1.2))
    assert (near.verdicts == "broken").all()
    assert (near.distance <= 0.5 / reach * 1.2 + 1e-6).all()
    far = struck(attack, picture_model(), ball(scene, norm, 0.5 / reach * 0.95))
    assert (far.verdicts == "held").all()


@pytest.mark.parametrize("norm", NORMS)
def test_fab_comes_as_near_as_a_linear_model_allows(norm: str) -> None:
    reach = {"linf": 64.0, "l2": 16.0, "l1": 4.0}[norm]
    scene = replace(ball(picture_scene(8, distance=0.5), norm, None), mode="nearest")
    found = struck(FAB(steps=20), picture_model(), scene)
    assert (found.distance >= 0.5 / reach * (1 - 1e-9)).all()
    assert (found.distance <= 0.5 / reach * 1.06).all()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
def test_a_radius_of_zero_asks_about_the_clean_row_only(attack: Any, norm: str) -> None:
    if isinstance(attack, FAB):
        pytest.skip("FAB looks for the boundary wherever it is; only points in the ball count")
    asked: list[Any] = []

    class Watched(Oracle):
        def _charge(self, rows: Any) -> Any:
            return super()._charge(rows)

        def gradient(self, x: Any, rows: Any, cotangent: Any) -> Any:
            asked.append((x, rows))
            return super().gradient(x, rows, cotangent)

    scene = ball(picture_scene(4), norm, 0.0)
    oracle = Watched(picture_model(), scene, Misclassified(), attack.needs)
    attack.run(oracle, scene, Draws(0, "test", scene.ids))
    assert asked
    assert all((x == scene.x[rows]).all() for x, rows in asked)
    assert (oracle.evidence().verdicts == "held").all()


def test_a_smaller_budget_leaves_rows_untried() -> None:
    scene = ball(picture_scene(6), "linf", 1e-4, queries=8)
    for attack in (*ATTACKS[1:], Standard()):
        found = struck(attack, picture_model(), scene)
        assert (found.verdicts == "untried").all(), attack
        assert found.queries.max() <= 8


def test_what_they_cannot_do_is_said_with_what_to_use_instead() -> None:
    scene = table_scene()
    with pytest.raises(Unsupported, match="without columns") as refused:
        struck(PGD(), picture_model(), scene)
    assert "evasion.capgd" in refused.value.fix
    with pytest.raises(Unsupported, match="radius"):
        struck(APGD(), picture_model(), ball(picture_scene(), "linf", None))
    with pytest.raises(Unsupported, match="l0"):
        struck(APGD(), picture_model(), ball(picture_scene(), "l0", 3))
    with pytest.raises(TemperError, match="loss"):
        struck(PGD(loss="hinge"), picture_model(), picture_scene())
    with pytest.raises(TemperError, match="version"):
        struck(Standard(version="quick"), picture_model(), picture_scene())


# -- attacks on nets --------------------------------------------------------------------------------------------------


@cache
def blobs() -> tuple[Any, Any]:
    """Pictures of five blurred corners and a middle, hard to tell apart."""
    rng = np.random.Generator(np.random.Philox(key=3))
    y = rng.integers(0, 5, 1_200)
    centres = rng.random((5, 1, 8, 8))
    x = np.clip(0.5 + 0.35 * (centres[y] - 0.5) + rng.normal(0, 0.12, (1_200, 1, 8, 8)), 0, 1)
    return torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y)


@cache
def net(radius: float = 0.0, noise: float = 0.0) -> Any:
    """A small net, trained on noisy rows; `noise` makes it answer at random."""
    from torch import nn

    class Noisy(nn.Module):
        def forward(self, x: Any) -> Any:
            return x + noise * torch.randn_like(x) if noise else x

    x, y = blobs()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            Noisy(), nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 5)
        )
        adam = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(60):
            adam.zero_grad()
            point = x[:800] + radius * torch.empty_like(x[:800]).uniform_(-1, 1).sign()
            nn.functional.cross_entropy(model(point), y[:800]).backward()
            adam.step()
    return model.eval().requires_grad_(False)


def net_scene(model: Any, n: int = 60, norm: str = "linf", radius: float = 0.03, **more: Any) -> Scene:
    x, y = blobs()
    good = model(x[800:]).argmax(1) == y[800:]
    x, y = x[800:][good][:n], y[800:][good][:n]
    more = {"kind": ScoreKind.LOGITS, "classes": 5} | more
    return Scene(
        x=x, y=y, ids=np.arange(len(x)), schema=Schema.box(0.0, 1.0), budget=Budget(norm=norm, radius=radius), **more
    )


def on_net(attack: Any, model: Any, scene: Scene, stochastic: bool = False) -> Evidence:
    from temper.targets.torch import Torch

    return struck(attack, Torch(model=model, classes=5, stochastic=stochastic), scene)


def count(found: Evidence) -> int:
    return int((found.verdicts == "broken").sum())


def test_pgd_breaks_the_rows_that_a_hand_written_loop_breaks() -> None:
    model = net()
    scene = net_scene(model, radius=0.06)
    rng = replace(Draws(0, "test", scene.ids), like=scene.x).child("restart 0")
    r = scene.budget.radius
    x = (scene.x + r * rng.uniform(scene.ids, 0, (1, 8, 8), -1, 1).float()).clamp(0, 1)
    x = torch.minimum(torch.maximum(x, scene.x - r), scene.x + r)
    wrong = model(x).argmax(1) != scene.y
    for _ in range(20):
        x.requires_grad_(True)
        (slope,) = torch.autograd.grad(torch.nn.functional.cross_entropy(model(x), scene.y, reduction="sum"), x)
        x = (scene.x + (x.detach() + 2.5 * r / 20 * slope.sign() - scene.x).clamp(-r, r)).clamp(0, 1)
        wrong |= model(x).argmax(1) != scene.y
    found = on_net(PGD(steps=20), model, scene)
    assert 5 < count(found) < 55
    assert ((found.verdicts == "broken") == wrong.numpy()).mean() >= 59 / 60


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
def test_points_that_count_lie_in_ball_and_box(attack: Any, norm: str) -> None:
    scene = net_scene(net(), norm=norm, radius=RADII[norm] / 2)
    found = on_net(attack, net(), scene)
    assert count(found) > 10
    gap = (found.x_adv - scene.x).flatten(1).double()
    far = torch.linalg.vector_norm(gap, {"linf": torch.inf, "l2": 2, "l1": 1}[norm], dim=1)
    assert far.max() <= RADII[norm] / 2 + 1e-6
    assert 0 <= found.x_adv.min() <= found.x_adv.max() <= 1
    with torch.no_grad():
        assert (net()(found.x_adv).argmax(1) != scene.y).numpy()[found.verdicts == "broken"].all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_more_of_an_attack_breaks_no_less(norm: str) -> None:
    scene = net_scene(net(0.1), 120, norm, RADII[norm] / 3)
    one, pgd, apgd, targeted = (
        count(on_net(attack, net(0.1), scene))
        for attack in (FGSM(), PGD(steps=30), APGD(steps=30), APGDTargeted(steps=30, targets=4))
    )
    assert 0 < one <= pgd <= apgd <= targeted + 1


def test_arrays_and_tensors_give_the_same_result() -> None:
    scene = net_scene(net())
    arrays = replace(scene, x=scene.x.double().numpy(), y=scene.y.numpy())
    for attack in ATTACKS:
        one, two = on_net(attack, net(), scene), on_net(attack, net(), arrays)
        assert (one.verdicts == two.verdicts).mean() >= 57 / 60, attack


def test_restarts_see_survivors_only() -> None:
    scene = net_scene(net(0.1), 80, radius=0.06)
    found = on_net(PGD(steps=5, restarts=4), net(0.1), scene)
    broken = found.verdicts == "broken"
    assert 0 < broken.sum() < 80
    assert (found.queries[~broken] == 4 * 6).all()
    assert found.queries[broken].max() <= 4 * 6 + 1
    assert count(on_net(PGD(steps=5), net(0.1), scene)) <= broken.sum()


def test_averaged_gradients_are_asked_for_as_often_as_said() -> None:
    """A row that a random model takes back when asked again is not held: it was not tried to the end."""
    model = net(noise=0.15)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        scene = net_scene(model, 40, radius=1e-5)
        found = on_net(PGD(steps=5, eot=4), model, scene, stochastic=True)
        held = found.verdicts == "held"
        assert held.any()
        lucky = found.queries[held] - (5 * 4 + 1)  # five more for every hit that was taken back at once
        assert (lucky % 5 == 0).all()
        assert (lucky == 0).any()
        wide = replace(scene, budget=Budget(norm="linf", radius=0.2))
        assert (on_net(PGD(steps=20, eot=8), model, wide, stochastic=True).verdicts == "held").sum() <= 4


def test_a_goal_is_reached_and_not_merely_any_other_class() -> None:
    scene = net_scene(net(), 120, radius=0.15, goal=3)
    keep = (scene.y != 3).numpy()
    scene = replace(scene, x=scene.x[keep], y=scene.y[keep], ids=scene.ids[keep.nonzero()[0]])
    for attack in (PGD(), APGD(steps=30, loss="dlr"), APGDTargeted(steps=30), FAB(steps=30)):
        rows = replace(scene, ids=np.arange(len(scene.x)))
        found = on_net(attack, net(), rows)
        broken = found.verdicts == "broken"
        assert broken.mean() > 0.3, attack
        assert (net()(found.x_adv).argmax(1) == 3).numpy()[broken].all()


def test_flat_and_broken_gradients_are_said_and_never_stop_the_attack() -> None:
    class Flat(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            total = (x * 8).round().flatten(1).sum(1, keepdim=True) / 8 + 0.0 * x.flatten(1).sum(1, keepdim=True)
            return torch.cat([total, 2 - total], 1)

    class Sharp(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            total = x.flatten(1).sum(1, keepdim=True) + (x * 0).abs().sqrt().flatten(1).sum(1, keepdim=True)
            return torch.cat([total, 8 - total], 1)

    from temper.targets.torch import Torch

    scene = replace(picture_scene(6), x=torch.full((6, 1, 4, 4), 0.4), y=torch.zeros(6, dtype=torch.long))
    scene = ball(replace(scene, kind=ScoreKind.LOGITS, threshold=None), "linf", 0.1)
    for model, note in ((Flat(), "zero_gradient"), (Sharp(), "bad_gradient")):
        found = struck(APGD(steps=10), Torch(model=model.eval()), scene)
        assert (found.notes[note] == 1).all(), note
    assert set(found.notes) >= {"zero_gradient", "bad_gradient", "first_loss", "best_loss", "last_loss"}


# -- the ensemble -----------------------------------------------------------------------------------------------------


def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ensemble at a fifth of its length."""
    import temper.attacks.evasion.standard as module

    steps = (APGD(steps=20), APGDTargeted(steps=20), FAB(steps=20), Square(steps=100))
    monkeypatch.setattr(module, "_stages", lambda version: zip(("a", "b", "c", "d"), steps, strict=True))


def test_the_ensemble_breaks_whatever_one_of_its_attacks_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch)
    scene = net_scene(net(0.1), 80, radius=0.05)
    found = on_net(Standard(), net(0.1), scene)
    broken = found.verdicts == "broken"
    for attack in (APGD(steps=20), APGDTargeted(steps=20), FAB(steps=20)):
        assert count(on_net(attack, net(0.1), scene)) <= broken.sum() + 1
    assert 0 < broken.sum() < 80
    held = found.verdicts == "held"
    assert (held | broken).all()
    assert (found.queries[held] == 1 + 21 + 4 * 21 + 4 * 40 + 100).all()
    assert (found.notes["random_scores"] == 0).all()
    assert (found.notes["zero_gradient"][held] == 0).all()


def test_the_published_line_up_is_what_runs() -> None:
    from temper.attacks.evasion.standard import _stages

    assert [attack for _, attack in _stages("standard")] == [
        APGD(steps=100, restarts=1, loss="ce"),
        APGDTargeted(steps=100, targets=9, restarts=1, loss="dlr"),
        FAB(steps=100, targets=9, restarts=1),
        Square(steps=5_000, restarts=1, first_share=0.8),
    ]
    assert [attack for _, attack in _stages("rand")] == [APGD(eot=20), APGD(loss="dlr", eot=20)]


def test_the_ensemble_says_that_a_model_answers_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch)
    model = net(noise=0.15)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = on_net(Standard(), model, net_scene(model, 10, radius=1e-5), stochastic=True)
    assert (found.notes["random_scores"] > 0).all()


WEAK = (*ATTACKS, Standard())


@pytest.mark.parametrize("attack", WEAK, ids=[*NAMES, "Standard"])
def test_a_weak_net_is_caught(attack: Any) -> None:
    found = on_net(attack, net(), net_scene(net(), 40, radius=0.2))
    assert count(found) >= 36


@pytest.mark.parametrize("attack", WEAK, ids=[*NAMES, "Standard"])
def test_a_model_that_answers_everything_alike_holds(attack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch)
    flat = Constant()
    found = struck(attack, flat, ball(picture_scene(target=flat), "linf", 0.5))
    assert (found.verdicts == "held").all()
    assert Access.GRADIENTS in attack.needs
