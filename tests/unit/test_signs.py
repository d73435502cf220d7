"""What one may rely on in the signs demo: the same pictures from the same seed, learnable, and a folder that loads."""

import importlib

import numpy as np
import pytest

from temper.core.errors import TemperError
from temper.demos import signs
from temper.demos._sign_shapes import NAMES, SIDE, pictures
from temper.demos.tour import EXAMPLES

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
