"""What one may rely on in the signs demo: the same pictures from the same seed, learnable, and a folder that loads."""

import importlib

import numpy as np
import pytest

import temper
from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.errors import TemperError
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.demos import held_out_signs, signs
from temper.demos._sign_shapes import NAMES, SIDE, pictures
from temper.demos.tour import EXAMPLES
from temper.hardening.madry import Madry
from temper.kernels.rate import mcnemar

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def album():
    return signs.generate(seed=1, count=960)


def test_pictures_fill_the_box_they_are_declared_to_live_in(album):
    assert album.x.shape == (960, 3, SIDE, SIDE)
    assert album.x.dtype == np.float32
    assert album.x.min() >= 0.0
    assert album.x.max() <= 1.0


def test_every_kind_of_sign_is_equally_frequent(album):
    names, times = np.unique(album.y, return_counts=True)
    assert tuple(names) == NAMES
    assert set(times) == {120}


def test_class_names_are_sorted_so_that_numbers_agree_with_the_networks_outputs():
    assert tuple(sorted(NAMES)) == NAMES


def test_the_same_seed_gives_the_same_pictures_and_another_seed_others():
    first, again, other = (signs.generate(seed=seed, count=32) for seed in (3, 3, 4))
    assert np.array_equal(first.x, again.x)
    assert np.array_equal(first.y, again.y)
    assert not np.array_equal(first.x, other.x)


@pytest.mark.parametrize(
    ("name", "strong", "weak"),
    [("stop", 0, 2), ("no entry", 0, 1), ("ahead only", 2, 0), ("priority road", 0, 2)],
)
def test_a_sign_has_its_own_colour_off_its_middle(name, strong, weak):
    kinds = np.full(200, NAMES.index(name))
    x = pictures(kinds, np.random.Generator(np.random.Philox(0)))
    ring = x[:, :, 10:13, 13:19].mean(axis=(0, 2, 3)) if name in ("stop", "no entry") else x.mean(axis=(0, 2, 3))
    if name == "priority road":
        ring = x[:, :, 14:18, 14:18].mean(axis=(0, 2, 3))
    assert ring[strong] > ring[weak]


def test_a_short_training_reads_new_photographs_far_better_than_chance(album):
    known, fresh = signs.split(album)
    model = signs.train(known, epochs=5)
    assert signs.accuracy(model, fresh) > 0.8


def test_training_is_repeatable_and_leaves_the_global_random_state_alone(album):
    few = signs.Album(x=album.x[:128], y=album.y[:128])
    before = torch.get_rng_state()
    one, two = (signs.train(few, seed=5, epochs=1) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    for left, right in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(left, right)


def test_too_few_images_are_refused_with_what_to_do():
    with pytest.raises(TemperError) as refused:
        signs.generate(count=3)
    assert refused.value.fix


def test_a_folder_is_written_that_loads_with_names_for_classes_and_is_never_overwritten(tmp_path):
    import temper

    path = signs.write(tmp_path, count=160, epochs=1)
    system = temper.load(path)
    assert system.classes == NAMES
    assert len(system.data) == 32
    assert system.simulated
    assert system.target.scores(system.data.x[:3]).shape == (3, len(NAMES))
    with pytest.raises(TemperError, match="already there"):
        signs.write(tmp_path, count=160, epochs=1)


def test_without_torch_one_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(signs, "find_spec", lambda name: None)
    with pytest.raises(TemperError, match="PyTorch is not installed") as refused:
        signs.write(tmp_path / "new")
    assert "temper-ml[torch]" in refused.value.fix
    assert not (tmp_path / "new").exists()


def test_every_example_of_the_tour_has_a_module_that_writes_it():
    for example in EXAMPLES.values():
        assert callable(importlib.import_module(example.module).write)


def style(x):
    """How an image is drawn, whatever it shows: colour, sharpness along and across, in its corners and at large."""
    corners = np.concatenate([x[:, :, :6, :6], x[:, :, -6:, -6:]], axis=3)
    parts = []
    for part in (x, corners):
        steps = [np.abs(np.diff(part, axis=axis)).mean(axis=(2, 3)) for axis in (2, 3)]
        parts += [part.mean(axis=(2, 3)), part.std(axis=(2, 3)), *steps]
    return np.concatenate(parts, axis=1)


@pytest.mark.slow
def test_the_held_out_make_shows_the_same_signs_in_another_style(album):
    from sklearn.ensemble import RandomForestClassifier

    other = held_out_signs.generate(seed=1, count=240)
    assert other.x.shape == (240, 3, SIDE, SIDE)
    assert other.x.dtype == np.float32
    assert (other.x.min(), other.x.max()) >= (0.0, 0.5)
    assert other.x.max() <= 1.0
    assert dict(zip(*np.unique(other.y, return_counts=True), strict=True)) == dict.fromkeys(NAMES, 30)
    x = np.concatenate([style(album.x[:240]), style(other.x)])
    make = np.repeat([0, 1], 240)
    forest = RandomForestClassifier(100, random_state=0).fit(x[::2], make[::2])
    assert forest.score(x[1::2], make[1::2]) >= 0.8
    known = signs.train(album, epochs=8)
    assert signs.accuracy(known, other) >= 0.6  # one in eight by chance


@pytest.mark.slow
@pytest.mark.campaign
def test_hardening_on_the_demos_signs_helps_on_the_held_out_make_too():
    album, other = signs.generate(seed=0, count=2_500), held_out_signs.generate(seed=0, count=200)
    truth, ball = np.searchsorted(NAMES, other.y), Budget(norm="linf", radius=0.03, queries=60)
    known = Data(x=album.x, y=np.searchsorted(NAMES, album.y))
    plain = temper.target(signs.train(album))
    hard = Madry(schema=Schema.box(0, 1), budget=ball, epochs=4, steps=4).apply(plain, known, Draws(0, "held out"))
    stands = []
    for target in (plain, hard):
        found = temper.attack(target, "evasion.pgd", other.x, truth, budget=ball, schema=Schema.box(0, 1))
        right = np.asarray(target.scores(other.x)).argmax(1) == truth
        stands.append(right & (found.verdicts == "held"))
    lost, won = int((stands[0] & ~stands[1]).sum()), int((stands[1] & ~stands[0]).sum())
    assert won > lost
    assert mcnemar(lost, won) < 0.01
