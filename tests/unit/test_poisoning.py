"""Poisoning: what is flipped, what the twins show, and what is not called damage."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.measure import Status
from temper.core.room import Room
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.engine.rooms._poisoning_twins import shares
from temper.engine.rooms.poisoning import run
from temper.engine.task import Sizes
from unit.payload_world import SOUND, Boosted, figure, rows, schema, task, world

RANDOM, TARGETED = "poisoning.label_flip_random", "poisoning.label_flip_targeted"
SIZES = Sizes(doses=(0.02, 0.1), repeats=2)


def scene(data: Data, share: float, classes: int = 2) -> Scene:
    return Scene(
        x=data.x, y=data.y, ids=data.ids, schema=schema(), train=data, classes=classes, budget=Budget(share=share)
    )


def poison(name: str, data: Data, share: float, classes: int = 2, **options: Any) -> Data:
    plugin = Room("temper.attacks").build(name, options)
    return plugin.run(None, scene(data, share, classes), Draws(0, name))


@given(st.floats(0.0, 1.0), st.sampled_from([RANDOM, TARGETED]), st.integers(2, 5))
def test_the_payload_is_the_training_data_with_that_share_of_other_labels(
    share: float, name: str, classes: int
) -> None:
    y = np.random.default_rng(0).integers(0, classes, 60)
    data = Data(x=np.zeros((60, 12)), y=y.copy())
    poisoned = poison(name, data, share, classes)
    flipped = int((poisoned.y != y).sum())
    limit = 60 if name == RANDOM else int(0.8 * (y == 1).sum())
    assert flipped == min(round(share * 60), limit)
    assert poisoned.x is data.x
    assert np.array_equal(data.y, y), "the input was written to"
    assert set(np.unique(poisoned.y)) <= set(range(classes))


def test_a_targeted_poisoner_touches_one_class_only() -> None:
    data = rows(500, 1)
    poisoned = poison(TARGETED, data, 0.05)
    moved = poisoned.y != data.y
    assert set(data.y[moved]) == {1}
    assert set(poisoned.y[moved]) == {0}


@pytest.mark.parametrize("name", [RANDOM, TARGETED])
def test_a_larger_dose_contains_every_smaller_one(name: str) -> None:
    data = rows(500, 1)
    small, large = (np.flatnonzero(poison(name, data, share).y != data.y) for share in (0.02, 0.1))
    assert set(small) < set(large)


@pytest.mark.parametrize("name", [RANDOM, TARGETED])
def test_another_seed_poisons_other_rows(name: str) -> None:
    data = rows(500, 1)
    plugin = Room("temper.attacks").build(name)
    one, again, other = (plugin.run(None, scene(data, 0.05), Draws(seed, name)).y for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_impossible_settings_are_refused_with_the_fix() -> None:
    with pytest.raises(TemperError, match="both class 1"):
        Room("temper.attacks").build(TARGETED, {"into": 1})
    with pytest.raises(TemperError, match="share between 0 and 1"):
        Room("temper.attacks").build(TARGETED, {"most": 1.0})
    with pytest.raises(TemperError, match="training rows"):
        Room("temper.attacks").build(RANDOM).run(None, replace(scene(rows(9, 1), 0.1), train=None), Draws(0, "x"))


def test_targeted_flips_show_in_recall_at_the_threshold_and_hardly_in_auc() -> None:
    train = rows(1_500, 1)
    part = run(task(TARGETED, SIZES), world(Boosted.fitted(train), train, rows(1_500, 2)))
    loss, area = figure(part, "recall_loss_at_threshold"), figure(part, "auc_loss")
    assert loss.low > 0.05
    assert loss.value > 3 * area.value
    assert [point.at for point in loss.curve.points] == [0.02, 0.1]
    assert loss.curve.points[1].value > loss.curve.points[0].value
    assert dict(loss.baseline)["poisoned recall"] == pytest.approx(dict(loss.baseline)["clean recall"] - loss.value)
    assert any(f.metric.endswith("recall_loss_at_threshold") for f in part.findings)
    assert part.status is Status.OK


def test_a_model_that_ignores_its_labels_loses_nothing() -> None:
    train = rows(800, 1)
    stubborn = Stubborn(model=Boosted.fitted(train, **SOUND).model)
    part = run(task(RANDOM, SIZES), world(stubborn, train, rows(800, 2)))
    for metric in ("recall_loss", "recall_loss_at_threshold", "auc_loss"):
        assert figure(part, metric).value == 0.0
    assert figure(part, "recall_loss").low < 0.0 < figure(part, "recall_loss").high
    assert part.findings == ()


class Stubborn(Boosted):
    """The weak twin of every poisoner: a refit that changes nothing."""

    def refit(self, data: Data, recipe: Recipe) -> Target:
        return self


class Fixed(Boosted):
    """Says it can be refitted and cannot."""

    def refit(self, data: Data, recipe: Recipe) -> Target:
        raise Unsupported("this model forgot its parameters")


class Tossing(Boosted):
    """A refit that is another model for every seed and takes no notice of the labels."""

    def refit(self, data: Data, recipe: Recipe) -> Target:
        return Boosted.fitted(rows(150, recipe.seed), n_estimators=20)


def test_what_refitting_alone_does_stands_beside_the_loss() -> None:
    train = rows(800, 1)
    part = run(
        task(RANDOM, replace(SIZES, repeats=3)), world(Tossing(model=Boosted.fitted(train).model), train, rows(800, 2))
    )
    loss = figure(part, "recall_loss")
    assert loss.value == 0.0, "both twins of a repeat are fitted with the same seed"
    assert dict(loss.baseline)["refit noise"] > 0.0
    assert part.findings == ()


def test_a_rare_class_caps_the_dose_and_says_so() -> None:
    train = rows(600, 1)
    few = train.take(np.sort(np.r_[np.flatnonzero(train.y == 0), np.flatnonzero(train.y == 1)[:20]]))
    sizes = replace(SIZES, doses=(0.01, 0.1, 0.2))
    part = run(task(TARGETED, sizes), world(Boosted.fitted(few, **SOUND), few, rows(600, 2)))
    assert {m.slice for m in part.measurements} == {"all", "dose 0.01", "dose 0.1"}, "0.2 is the same poison as 0.1"
    assert "16 of" in figure(part, "auc_loss").caveats[1]
    assert "20 rows in the attacked class" in figure(part, "auc_loss").caveats[1]


def test_doses_stop_at_the_attackers_budget() -> None:
    assert shares(task(RANDOM, budget=Budget(share=0.015)), Sizes().doses) == (0.005, 0.01, 0.015)
    assert shares(task(RANDOM), Sizes().doses) == (0.005, 0.01, 0.02, 0.05)


def test_what_cannot_be_tried_is_untried_for_every_metric() -> None:
    train, others = rows(200, 1), rows(200, 2)
    target = Boosted.fitted(train, **SOUND)
    cases = (
        (world(target, None, others), "no training data"),
        (world(replace(target, access=Access.SCORES), train, others), "retrain"),
        (world(replace(target, kind=ScoreKind.VALUE), train, others), "predicts a value"),
        (world(Fixed(model=target.model), train, others), "forgot its parameters"),
    )
    for here, reason in cases:
        part = run(task(RANDOM, SIZES), here)
        assert part.status is Status.UNTRIED
        assert reason in part.reason
        assert {m.metric for m in part.measurements} == {"recall_loss", "recall_loss_at_threshold", "auc_loss"}
        assert all(m.status is Status.UNTRIED and m.value is None for m in part.measurements)


def test_a_run_cut_off_keeps_whole_repeats_and_says_how_many() -> None:
    train = rows(300, 1)
    part = run(
        task(RANDOM, replace(SIZES, repeats=50), seconds=0.0),
        world(Boosted.fitted(train, **SOUND), train, rows(300, 2)),
    )
    assert part.status is Status.INCONCLUSIVE
    assert part.reason == "out of time after 1 of 50 repeats"


def test_progress_rises_to_one() -> None:
    train, heard = rows(200, 1), []
    here = world(Boosted.fitted(train, **SOUND), train, rows(200, 2))

    class Listening(type(here)):  # type: ignore[misc]
        def scene(self, job: Any, chosen: Any = None, **more: Any) -> Scene:
            return super().scene(job, chosen, progress=heard.append, **more)

    listening = Listening(**{f: getattr(here, f) for f in here.__dataclass_fields__})
    run(task(RANDOM, SIZES), listening)
    assert heard == sorted(heard)
    assert heard[-1] == 1.0
