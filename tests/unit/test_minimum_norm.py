"""Minimum-distance attacks: the closed-form distance of a linear model, the same numbers for arrays and tensors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from temper.attacks.evasion._nearest import LEAST, Ground
from temper.attacks.evasion.carlini_wagner import CarliniWagner
from temper.attacks.evasion.ddn import DDN
from temper.attacks.evasion.deepfool import DeepFool
from temper.attacks.evasion.fmn import FMN, _projected
from temper.attacks.evasion.sigma_zero import SigmaZero
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.errors import Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind
from temper.judges.misclassified import Misclassified
from temper.targets.oracle import Evidence, Oracle
from temper.testing.scenes import picture_model, picture_scene, table_model, table_scene
from temper.testing.toys import Constant, Linear

LOGIT = 2.0
ATTACKS = (FMN(), DDN(), DeepFool(), CarliniWagner(searches=6, steps=150), SigmaZero())
NAMES = [type(attack).__name__ for attack in ATTACKS]


def struck(attack: Any, scene: Scene, target: Any) -> Evidence:
    oracle = Oracle(target, scene, Misclassified(), attack.needs)
    attack.run(oracle, scene, Draws(0, "test", scene.ids))
    return oracle.evidence()


def pictures(norm: str, *, wide: bool = True, **budget: Any) -> Scene:
    """Rows at logit 2 of a model with 16 weights of size 4, far from the ends of the box unless told otherwise."""
    scene = picture_scene(8, distance=LOGIT)
    box = Schema.box(-10.0, 10.0) if wide else scene.schema
    return replace(scene, schema=box, budget=Budget(norm=norm, **budget), mode="nearest")


@pytest.mark.parametrize(
    ("attack", "norm", "truth", "slack"),
    [
        (FMN(), "linf", LOGIT / 64, 1.01),
        (FMN(), "l2", LOGIT / 16, 1.01),
        (FMN(), "l1", LOGIT / 4, 1.02),
        (FMN(), "l0", 1, 1.0),
        (DDN(steps=300), "l2", LOGIT / 16, 1.02),
        (DeepFool(), "linf", LOGIT / 64, 1.02),
        (DeepFool(), "l2", LOGIT / 16, 1.02),
        (SigmaZero(), "l0", 1, 1.0),
    ],
)
def test_the_distance_to_a_plane_is_found(attack: Any, norm: str, truth: float, slack: float) -> None:
    found = struck(attack, pictures(norm), picture_model())
    assert (found.verdicts == "broken").all()
    assert (found.distance >= truth * (1 - 1e-6)).all()
    assert (found.distance <= truth * slack).all(), found.distance / truth


def test_carlini_and_wagner_find_the_distance_to_a_plane_inside_the_box() -> None:
    found = struck(CarliniWagner(searches=6, steps=200), pictures("l2", wide=False), picture_model())
    assert (found.distance <= LOGIT / 16 * 1.03).all(), found.distance * 16 / LOGIT


@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_the_unit_of_the_box_does_not_matter(attack: Any, scale: float) -> None:
    scene = pictures("l0" if isinstance(attack, SigmaZero) else "l2", wide=False)
    stretched = replace(scene, x=scene.x * scale, schema=Schema.box(0.0, scale))
    model = Linear(weights=tuple(w / scale for w in picture_model().weights))
    found = struck(attack, stretched, model)
    truth = 2.0 if isinstance(attack, SigmaZero) else scale * LOGIT / 16
    assert (found.distance <= truth * 1.05).all(), found.distance / truth


@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
def test_broken_rows_lie_within_a_radius_in_linf_whatever_the_attack_looks_for(attack: Any) -> None:
    scene = pictures("linf", wide=False, radius=0.1)
    found = struck(attack, scene, picture_model())
    assert (found.verdicts == "broken").all()
    assert (found.distance <= 0.1 + 1e-9).all()


@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
def test_a_sound_model_is_not_accused(attack: Any) -> None:
    flat = Constant()
    scene = replace(picture_scene(target=flat), budget=Budget(norm="l2"), mode="nearest")
    assert (struck(attack, scene, flat).verdicts == "held").all()


@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
def test_a_weak_model_is_caught(attack: Any) -> None:
    scene = picture_scene(20, distance=0.1)
    assert (struck(attack, scene, picture_model()).verdicts == "broken").mean() >= 0.9


@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
def test_a_schedule_cut_to_nothing_is_not_a_row_that_holds(attack: Any) -> None:
    flat = Constant()
    budget = Budget(norm="l2", queries=LEAST // 2)
    scene = replace(picture_scene(target=flat), budget=budget)
    assert (struck(attack, scene, flat).verdicts == "untried").all()


@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
def test_a_table_is_declined_with_the_way_out(attack: Any) -> None:
    with pytest.raises(Unsupported, match=r"fix: use evasion\.capgd"):
        struck(attack, table_scene(), table_model())


@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
def test_tensors_give_what_arrays_give(attack: Any) -> None:
    torch = pytest.importorskip("torch")
    from temper.targets.torch import Torch

    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3))
    with torch.no_grad():
        for at, part in enumerate(net.parameters()):
            part.copy_(torch.as_tensor(Draws(at, "net").generator().normal(size=tuple(part.shape))) * 0.8)
    target = Torch(model=net.eval().requires_grad_(False), classes=3)
    x = picture_scene(6).x.astype(np.float32)
    y = target.scores(x).argmax(1)
    steps = {"searches": 2, "steps": 40} if isinstance(attack, CarliniWagner) else {"steps": 30}
    scene = Scene(
        x=x, y=y, ids=np.arange(6), schema=Schema.box(0, 1), budget=Budget(norm="l2"), kind=ScoreKind.LOGITS, classes=3
    )
    scene = replace(scene, mode="nearest")
    plain = struck(replace(attack, **steps), scene, target)
    tensors = replace(scene, x=torch.as_tensor(x), y=torch.as_tensor(y))
    moved = struck(replace(attack, **steps), tensors, target)
    assert np.isfinite(plain.distance).any()
    np.testing.assert_allclose(plain.distance, moved.distance, rtol=2e-2)


def test_a_goal_class_is_reached_and_no_other_counts() -> None:
    torch = pytest.importorskip("torch")
    from temper.targets.torch import Torch

    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 4))
    with torch.no_grad():
        net[1].weight.copy_(torch.as_tensor(Draws(1, "net").generator().normal(size=(4, 16))))
        net[1].bias.zero_()
    target = Torch(model=net.eval().requires_grad_(False), classes=4)
    x = picture_scene(8).x.astype(np.float32)
    y = target.scores(x).argmax(1)
    keep = y != 2
    scene = Scene(
        x=x[keep],
        y=y[keep],
        ids=np.arange(int(keep.sum())),
        schema=Schema.box(-5, 5),
        budget=Budget(norm="l2"),
        kind=ScoreKind.LOGITS,
        classes=4,
        mode="nearest",
        goal=2,
    )
    for attack in (FMN(), DDN(), DeepFool()):
        found = struck(attack, scene, target)
        assert (target.scores(found.x_adv).argmax(1) == 2).all()


def test_deepfool_asks_fewer_questions_than_the_others_for_nearly_the_same_distance() -> None:
    scene = pictures("l2")
    quick, thorough = struck(DeepFool(), scene, picture_model()), struck(FMN(), scene, picture_model())
    assert quick.queries.max() < thorough.queries.min() / 5
    assert (quick.distance <= thorough.distance * 1.05).all()


def test_without_an_end_of_the_box_carlini_and_wagner_decline() -> None:
    scene = replace(pictures("l2"), schema=Schema())
    with pytest.raises(Unsupported, match="finite box"):
        struck(CarliniWagner(), scene, picture_model())


def test_an_unknown_norm_is_declined() -> None:
    with pytest.raises(Unsupported, match="no distance in cost"):
        struck(FMN(), pictures("cost"), picture_model())


@pytest.mark.parametrize("count", [1, 3, 16])
def test_the_projection_in_l0_keeps_the_largest_moves(count: int) -> None:
    delta = Draws(0, "l0").normal(np.arange(5), 0, (1, 4, 4))
    from array_api_compat import array_namespace

    kept = _projected(array_namespace(delta), delta, np.full(5, float(count)), "l0").reshape(5, 16)
    flat = np.abs(delta).reshape(5, 16)
    for row in range(5):
        largest = set(np.argsort(-flat[row])[:count].tolist())
        assert set(np.flatnonzero(kept[row]).tolist()) == largest


def test_a_slope_into_the_wall_is_no_way_down() -> None:
    scene = pictures("l2", wide=False)
    ground = Ground.of(scene, "test")
    x, slope = np.array([[0.0, 0.0, 1.0, 1.0, 0.5]]), np.array([[1.0, -1.0, 1.0, -1.0, 1.0]])
    assert ground.free(x, slope).tolist() == [[0.0, -1.0, 1.0, 0.0, 1.0]]


def test_only_gradients_and_scores_are_needed() -> None:
    assert {attack.needs for attack in ATTACKS} == {Access.GRADIENTS | Access.SCORES}
