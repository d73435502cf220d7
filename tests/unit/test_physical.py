"""Attacks that hold outside the ball: transformed images, paint, one move for many rows, a copy taught by labels."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.attacks.evasion._nearest import Ground
from temper.attacks.evasion._places import SHAPES, places
from temper.attacks.evasion._student import fitted
from temper.attacks.evasion.colour import Colour
from temper.attacks.evasion.patch import Patch
from temper.attacks.evasion.spatial import Spatial
from temper.attacks.evasion.transfer import Transfer
from temper.attacks.evasion.universal import Universal
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.data import Array, Data
from temper.core.errors import Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access
from temper.judges.misclassified import Misclassified
from temper.kernels.loss import decide
from temper.kernels.tone import tinted, toned
from temper.kernels.warp import Warp, blurred, window_sums
from temper.targets.oracle import Evidence, Oracle
from temper.testing.scenes import picture_model, picture_scene, table, table_model, table_scene
from temper.testing.toys import Constant, Linear

SIDE = 12


def images(n: int = 6, channels: int = 1, seed: int = 0) -> Array:
    return Draws(seed, "images").uniform(np.arange(n), 0, (channels, SIDE, SIDE), 0.2, 0.8)


def half() -> Linear:
    """Compares the left half of the image with the right one."""
    weight = np.where(np.arange(SIDE) < SIDE / 2, 1.0, -1.0) / SIDE
    return Linear(weights=tuple(np.broadcast_to(weight, (SIDE, SIDE)).ravel().tolist()))


def scene_of(x: Array, model: Any, budget: Budget | None = None) -> Scene:
    y = np.asarray(decide(model.scores(x), model.kind, 0.5))
    return Scene(
        x=x,
        y=y,
        ids=np.arange(len(x)),
        schema=Schema.box(0.0, 1.0),
        budget=budget or Budget(queries=400),
        threshold=0.5,
        mode="nearest",
    )


def struck(attack: Any, scene: Scene, target: Any) -> Evidence:
    mode = getattr(attack, "mode", "nearest")
    oracle = Oracle(target, replace(scene, mode=mode), Misclassified(), attack.needs)
    attack.run(oracle, replace(scene, mode=mode), Draws(0, "test", scene.ids))
    return oracle.evidence()


# -- warps ----------------------------------------------------------------------------------------------------------


def pose(n: int, angle: float = 0.0, scale: float = 1.0, down: float = 0.0, right: float = 0.0) -> Array:
    return np.tile([angle, scale, down, right], (n, 1))


def test_no_motion_is_the_image_itself() -> None:
    x = images()
    np.testing.assert_array_equal(Warp.of(x, pose(6)).image(x), x)


def test_a_quarter_turn_is_that_of_numpy() -> None:
    x = images(2, 3)
    turned = Warp.of(x, pose(2, math.pi / 2)).image(x)
    assert any(np.allclose(turned, np.rot90(x, k, axes=(2, 3)), atol=1e-9) for k in (1, 3))


@pytest.mark.parametrize(("down", "right"), [(2, 0), (0, 3), (-1, 2)])
def test_a_shift_by_whole_pixels_is_a_roll_without_the_wrap(down: int, right: int) -> None:
    x = np.zeros((1, 1, SIDE, SIDE))
    x[0, 0, 5, 6] = 1.0
    moved = Warp.of(x, pose(1, down=down, right=right), edge=False).image(x)
    assert np.argwhere(moved[0, 0] > 0.5).tolist() == [[5 + down, 6 + right]]


@given(st.integers(0, 200), st.booleans())
def test_the_way_back_is_the_transpose(seed: int, edge: bool) -> None:
    x, slope = images(2, 2, seed), images(2, 2, seed + 1)
    draw = Draws(seed, "pose").uniform(np.arange(2), 0, (4,), -1.0, 1.0) * [1.0, 0.4, 3.0, 3.0] + [0.0, 1.0, 0.0, 0.0]
    warp = Warp.of(x, draw, edge=edge)
    assert math.isclose((warp.image(x) * slope).sum(), (x * warp.back(slope)).sum(), rel_tol=1e-9)


def test_tensors_are_warped_and_pulled_back_like_arrays() -> None:
    torch = pytest.importorskip("torch")
    x, where = images(3, 2), pose(3, 0.3, 1.1, 1.5, -0.5)
    plain, moved = Warp.of(x, where), Warp.of(torch.as_tensor(x), torch.as_tensor(where))
    np.testing.assert_allclose(moved.image(torch.as_tensor(x)).numpy(), plain.image(x), atol=1e-12)
    np.testing.assert_allclose(moved.back(torch.as_tensor(x)).numpy(), plain.back(x), atol=1e-12)


def test_a_blur_keeps_a_flat_image_and_lowers_a_peak() -> None:
    flat, peak = np.ones((1, 1, 5, 5)), np.zeros((1, 1, 5, 5))
    peak[0, 0, 2, 2] = 9.0
    np.testing.assert_allclose(blurred(flat, 1.0), flat)
    np.testing.assert_allclose(blurred(peak, 1.0)[0, 0, 1:4, 1:4], np.ones((3, 3)))


def test_window_sums_are_those_of_a_loop() -> None:
    x = images(2)[:, 0]
    sums = window_sums(x, 3, 4)
    assert sums.shape == (2, SIDE - 2, SIDE - 3)
    assert math.isclose(sums[1, 2, 5], x[1, 2:5, 5:9].sum())


# -- colours --------------------------------------------------------------------------------------------------------


def test_no_change_of_colour_is_the_image_itself() -> None:
    x, zero = images(4, 3), np.zeros(4)
    ground = Ground.of(scene_of(images(1), half()), "test")
    np.testing.assert_allclose(tinted(x, zero, zero), x, atol=1e-12)
    np.testing.assert_allclose(toned(x, ground.low, ground.high, zero, zero, np.zeros((4, 5))), x, atol=1e-12)


@given(st.floats(-3.0, 3.0), st.floats(-1.0, 1.0))
def test_hue_and_saturation_leave_greys_and_the_light_of_colours(hue: float, saturation: float) -> None:
    x, ones = images(2, 3), np.ones(2)
    grey = np.repeat(images(2), 3, axis=1)
    light = np.array([0.299, 0.587, 0.114])[:, None, None]
    np.testing.assert_allclose(tinted(grey, hue * ones, saturation * ones), grey, atol=2e-3)
    moved = tinted(x, hue * ones, saturation * ones)
    np.testing.assert_allclose((moved * light).sum(1), (x * light).sum(1), atol=5e-3)


# -- spatial and colour ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", [Spatial(shift=0.3), Colour(), Patch(area=0.2), Transfer(), Universal()])
def test_a_sound_model_is_not_accused(attack: Any) -> None:
    flat = Constant()
    radius = {"radius": 0.1} if isinstance(attack, Universal) else {}
    found = struck(attack, scene_of(images(), flat, Budget(queries=100, **radius)), flat)
    assert (found.verdicts == "held").all()


def test_a_model_that_looks_at_sides_is_caught_by_motion_and_not_by_light() -> None:
    x = images(8) * 0.2
    x[:, :, :, : SIDE // 2] += np.linspace(0.0, 0.3, SIDE // 2)  # bright in the middle, on the left
    model = half()
    found = struck(Spatial(rotation=180.0), scene_of(x, model), model)
    assert (found.verdicts == "broken").all()
    light = struck(Colour(contrast=0.0, curve=0.0), scene_of(x, model), model)
    assert (light.verdicts == "held").all()


def test_a_model_that_looks_at_light_is_caught_by_colour() -> None:
    bright = Linear(weights=(1.0 / SIDE,) * (SIDE * SIDE), bias=-0.5 * SIDE)
    found = struck(Colour(), scene_of(images(8), bright), bright)
    assert (found.verdicts == "broken").all()


@pytest.mark.parametrize("attack", [Spatial(), Colour()])
def test_what_lies_outside_a_radius_is_not_asked_and_does_not_read_as_held(attack: Any) -> None:
    model = half()
    found = struck(attack, scene_of(images(), model, Budget(radius=1e-4, queries=100)), model)
    assert (found.verdicts == "untried").all()
    assert found.queries.max() == 0


@pytest.mark.parametrize("attack", [Spatial(), Colour(), Patch()])
def test_rows_that_are_no_images_are_declined(attack: Any) -> None:
    flat = scene_of(images().reshape(6, -1), half())
    with pytest.raises(Unsupported, match="channels first"):
        struck(attack, flat, half())


# -- patch ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_paint_covers_about_its_area_where_the_slope_is(shape: str) -> None:
    weight = np.full((2, 40, 40), 1e-3)
    weight[0, 12:18, 20:26] = 1.0
    weight[1, 24:30, 14:20] = 1.0
    parts, centre = places(weight, shape, 0.05)
    covered = parts.sum(1)
    assert covered.max() == 1.0
    assert (np.abs(covered.mean((1, 2)) - 0.05) < 0.015).all()
    assert ((covered * weight).sum((1, 2)) > 0.6 * 36).all()
    if shape == "stickers":
        row, column = np.nonzero(covered[0])
        assert ((row - 19.5) ** 2 + (column - 19.5) ** 2 <= (0.4 * 40) ** 2 + 1).all()
    else:
        assert abs(centre[0, 0] - 14.5) <= 2
        assert abs(centre[0, 1] - 22.5) <= 2


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shared", [False, True])
def test_paint_breaks_a_model_that_a_few_pixels_decide_and_survives_other_views(shape: str, shared: bool) -> None:
    middle = np.zeros((SIDE, SIDE))
    middle[4:8, 4:8] = 1.0
    model = Linear(weights=tuple(middle.ravel().tolist()), bias=-8.0)
    scene = scene_of(images(8) * 0.5, model)
    found = struck(Patch(shape=shape, area=0.15, shared=shared), scene, model)
    assert (found.verdicts == "broken").all()
    assert found.notes["survives"].min() > 0.5
    assert (found.x_adv != scene.x).reshape(8, -1).mean(1).max() < 0.35


def test_less_paint_never_breaks_more() -> None:
    model = half()
    scene = scene_of(images(10), model)
    broken = [(struck(Patch(area=area), scene, model).verdicts == "broken").sum() for area in (0.01, 0.1, 0.4)]
    assert broken == sorted(broken)
    assert broken[0] < broken[-1]


def test_an_unknown_shape_is_named() -> None:
    with pytest.raises(Unsupported, match="square, circle, stickers"):
        struck(Patch(shape="star"), scene_of(images(), half()), half())


# -- universal ------------------------------------------------------------------------------------------------------


def test_one_move_for_a_class_breaks_rows_it_was_not_fitted_on() -> None:
    model = picture_model()
    scene = picture_scene(60, distance=4.0)
    found = struck(Universal(), replace(scene, budget=Budget(norm="linf", radius=0.1, queries=50)), model)
    unseen = found.notes["fitted"] == 0
    assert 10 < unseen.sum() < 50
    assert found.notes["universal"][unseen].mean() > 0.9


def test_one_move_for_all_cannot_push_two_ways() -> None:
    scene = replace(picture_scene(40, distance=4.0), budget=Budget(norm="linf", radius=0.1, queries=50))
    found = struck(Universal(per_class=False), scene, picture_model())
    assert found.notes["universal"].mean() <= 0.5


@pytest.mark.parametrize("budget", [Budget(), Budget(norm="l0", radius=3.0)])
def test_a_universal_move_needs_a_radius(budget: Budget) -> None:
    with pytest.raises(Unsupported, match="radius"):
        struck(Universal(), replace(picture_scene(), budget=budget), picture_model())


# -- transfer -------------------------------------------------------------------------------------------------------


def test_the_slope_of_the_copy_is_its_derivative() -> None:
    x = Draws(0, "x").normal(np.arange(40), 0, (5,))
    copy = fitted(x, (x[:, 0] > 0).astype(int), 2, 8, 50, np.random.Generator(np.random.Philox(key=0)))
    pull, step = np.array([[1.0, -2.0]]), 1e-6
    for at in range(5):
        move = np.zeros((1, 5))
        move[0, at] = step
        rise = ((copy.logits(x[:1] + move) - copy.logits(x[:1] - move)) * pull).sum() / (2 * step)
        assert math.isclose(copy.slope(x[:1], pull)[0, at], rise, rel_tol=1e-5, abs_tol=1e-7)


def test_the_copy_learns_what_it_is_taught() -> None:
    x = Draws(1, "x").normal(np.arange(600), 0, (4,))
    y = ((x[:, 0] > 0) ^ (x[:, 1] > 0)).astype(int)
    copy = fitted(x[:500], y[:500], 2, 32, 400, np.random.Generator(np.random.Philox(key=0)))
    assert (copy.logits(x[500:]).argmax(1) == y[500:]).mean() > 0.9


def test_labels_alone_break_more_than_random_points_do() -> None:
    from temper.attacks.evasion.noise import Noise

    scene = replace(picture_scene(60, distance=6.0), budget=Budget(radius=0.2, queries=60))
    random = (struck(Noise(), scene, picture_model()).verdicts == "broken").mean()
    assert Transfer.needs is Access.LABELS
    assert (struck(Transfer(), scene, picture_model()).verdicts == "broken").mean() > random + 0.3


def test_rows_the_attacker_holds_teach_the_copy_of_a_table() -> None:
    own = np.nan_to_num(table(100, 9))
    held = Data(x=own, y=np.asarray(decide(table_model().scores(own), table_model().kind, 0.5)), ids=np.arange(100))
    scene = replace(table_scene(40, distance=1.0), reference=held, budget=Budget(norm="cost", cost=4.0, queries=60))
    found = struck(Transfer(), scene, table_model())
    broken = found.verdicts == "broken"
    assert broken.mean() > 0.5
    assert (found.cost[broken] <= 4.0 + 1e-6).all()
