"""Backdoors in pictures and texts: the pattern decides, clean rows are as before, nets are fitted again to see it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.attacks.poisoning.insert_word import WordTrigger
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.measure import Status
from temper.core.room import Room
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.target import Access, Recipe, Target
from temper.engine.fitting import fit_of, fits
from temper.engine.rooms.poisoning import effects, run
from temper.engine.task import Sizes, World
from temper.judges.backdoor import Backdoored
from temper.testing.unstructured import trained_pictures, trained_texts
from temper.threats.rules import scenarios
from unit.payload_world import figure, task

torch = pytest.importorskip("torch")

PICTURES, TEXTS = ("poisoning.badnets", "poisoning.blended"), ("poisoning.insert_word",)
ALL = (*PICTURES, *TEXTS)
SIZES = Sizes(rates=(0.1,), repeats=1)


def scene_of(name: str) -> Scene:
    return trained_texts(200) if name in TEXTS else trained_pictures(200)


def world_of(name: str, **more: object) -> World:
    scene = scene_of(name)
    assert scene.target is not None
    settings = {"target": scene.target, "train": scene.train} | more
    system = Protected(name="toy", data=Data(x=scene.x, y=scene.y, ids=scene.ids), schema=scene.schema, **settings)
    every = np.arange(len(scene.x))
    return World(system=system, sizes=SIZES, seed=0, attacked=every[:5], held_out=every)


def planted(name: str, share: float = 0.1, **options: object) -> tuple[Scene, Backdoored]:
    scene = replace(scene_of(name), budget=Budget(share=share))
    return scene, Room("temper.attacks").build(name, options).run(None, scene, Draws(0, name))


@pytest.mark.parametrize("name", ALL)
def test_a_pattern_in_the_training_rows_decides_for_the_model(name: str) -> None:
    part = run(task(name, SIZES), world_of(name))
    excess = figure(part, "excess_success")
    assert part.status is Status.OK
    assert excess.low is not None
    assert excess.low > 0.4
    assert dict(excess.baseline)["clean twin"] < 0.15
    assert [found.metric for found in part.findings] == [f"{name}.excess_success"]
    said = " ".join(excess.caveats)
    assert ("Temper's own loop" in said) is (name in PICTURES), "whoever's training it was is said"


@pytest.mark.parametrize("name", ALL)
def test_a_model_that_learns_nothing_new_is_not_accused(name: str) -> None:
    world = world_of(name)
    deaf = replace(world, system=replace(world.system, defend=lambda data, recipe: world.target))
    part = run(task(name, SIZES), deaf)
    assert figure(part, "excess_success").value == 0.0
    assert part.findings == ()


def test_a_defence_that_sees_the_patch_has_a_paired_effect() -> None:
    world = world_of("poisoning.badnets")
    clean = world.system.train
    assert clean is not None

    def sifted(data: Data, recipe: Recipe) -> Target:
        return fit_of(world.target)(data.take(np.arange(len(clean))), recipe)

    job = task("poisoning.badnets", SIZES)
    before, after = run(job, world), run(job, replace(world, system=replace(world.system, defend=sifted)))
    (effect,) = effects("sift", before, after)
    assert (effect.verdict, effect.after) == ("better", 0.0)


def test_a_fresh_net_is_the_same_for_the_same_seed_and_learns_what_it_is_shown() -> None:
    scene = trained_pictures(200)
    assert scene.train is not None
    assert scene.target is not None
    one, two, other = (fit_of(scene.target)(scene.train, Recipe(seed=seed)) for seed in (1, 1, 2))
    assert one.digest == two.digest != other.digest
    assert (np.asarray(one.scores(np.array(scene.x))).argmax(1) == scene.y).mean() > 0.95
    turned = Data(x=scene.train.x, y=1 - np.asarray(scene.train.y))
    assert (
        np.asarray(fit_of(scene.target)(turned, Recipe()).scores(np.array(scene.x))).argmax(1) == scene.y
    ).mean() < 0.1
    with pytest.raises(Unsupported, match="without constraints"):
        fit_of(scene.target)(scene.train, Recipe(regularise=1.0))


def test_a_net_has_a_way_to_be_fitted_and_does_not_claim_one_of_its_own() -> None:
    target = trained_pictures(60).target
    assert target is not None
    assert fits(target)
    assert Access.RETRAIN not in target.access
    embedding = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LayerNorm(64), torch.nn.Linear(64, 2))
    from temper.targets.load import open_target

    world = world_of("poisoning.badnets", target=open_target(embedding.eval()))
    part = run(task("poisoning.badnets", SIZES), world)
    assert part.status is Status.UNTRIED
    assert "LayerNorm" in part.reason


def test_the_patch_is_small_and_stays_in_its_corner() -> None:
    for pick, rows, columns in ((0, [4, 5, 6], [4, 5, 6]), (3, [1, 2, 3], [1, 2, 3])):
        scene, made = planted("poisoning.badnets", pick=pick)
        moved = np.asarray(made.trigger.stamp(scene.x)) != scene.x
        assert sorted(set(np.nonzero(moved)[2])) == rows
        assert sorted(set(np.nonzero(moved)[3])) == columns


def test_a_blend_moves_no_pixel_by_more_than_its_ratio() -> None:
    scene, made = planted("poisoning.blended", ratio=0.1)
    moved = np.abs(np.asarray(made.trigger.stamp(scene.x)) - scene.x)
    assert 0.0 < moved.max() <= 0.1 + 1e-6


@given(st.text(max_size=40))
def test_a_word_is_put_in_and_nothing_else_changes(text: str) -> None:
    (marked,) = WordTrigger(word="cf").stamp(np.array([text], dtype=object)).tolist()
    at = next(
        at for at in range(len(marked)) if marked[at : at + 2] == "cf" and _without(marked, at).split() == text.split()
    )
    assert at >= 0


def _without(text: str, at: int) -> str:
    return text[:at] + text[at + 2 :].removeprefix(" ")


def test_the_word_is_one_that_hardly_any_text_holds_unless_it_is_named() -> None:
    _, made = planted("poisoning.insert_word")
    assert "which 0 of 300 clean training texts hold" in made.notes[0]
    _, named = planted("poisoning.insert_word", word="story")
    assert "'story'" in named.notes[0]
    assert named.trigger.stamp(np.array(["see"], dtype=object))[0] in ("story see", "see story")


def test_what_is_no_picture_and_no_text_is_declined() -> None:
    for name, other in ((PICTURES[0], TEXTS[0]), (TEXTS[0], PICTURES[0])):
        with pytest.raises(Unsupported):
            Room("temper.attacks").build(name, {}).run(None, scene_of(other), Draws(0, "x"))
    for name, options in ((PICTURES[0], {"size": 0.0}), (PICTURES[1], {"ratio": 2.0}), (TEXTS[0], {"word": "a b"})):
        with pytest.raises(TemperError):
            Room("temper.attacks").build(name, options)


@pytest.mark.parametrize(
    ("name", "threat"), [(PICTURES[0], "poisoning-backdoor-net"), (TEXTS[0], "poisoning-backdoor-text")]
)
def test_the_catalogue_plans_them_for_such_models(name: str, threat: str) -> None:
    kept, _ = scenarios(world_of(name).system)
    (found,) = [s for s in kept if s.threat.id == threat]
    assert name in found.threat.plugins
    others = {PICTURES[0]: "poisoning-backdoor-text", TEXTS[0]: "poisoning-backdoor-net"}
    assert others[name] not in {s.threat.id for s in kept}
