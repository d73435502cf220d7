"""Backdoors: what is planted, what the clean twin takes away, the dose that opens half, and what a defence changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.core.attack import Outcome, Scene
from temper.core.budget import Budget
from temper.core.data import Array, Data
from temper.core.errors import TemperError, Unsupported
from temper.core.measure import Status
from temper.core.room import Room
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.core.target import Recipe, ScoreKind, Target
from temper.engine.rooms._defences import against
from temper.engine.rooms.poisoning import effects, run
from temper.engine.task import Part, Sizes, World
from temper.judges.backdoor import Backdoor, Backdoored, Planted, crossing
from temper.targets import open_target
from temper.testing.scenes import trained_scene
from temper.threats.rules import catalogue
from unit.payload_world import Boosted, figure, rows, schema, task, world

IN_BOUNDS, JITTERED, DISGUISED, CLEAN_LABEL, CONTROL = (
    f"poisoning.{name}_trigger" for name in ("in_bounds", "jittered", "disguised", "clean_label", "out_of_bounds")
)
ALL = (IN_BOUNDS, JITTERED, DISGUISED, CLEAN_LABEL, CONTROL)
SIZES = Sizes(rates=(0.005, 0.03), repeats=2)


def open_schema() -> Schema:
    """The made-up table, with columns an outsider fills in."""
    free = {name: {"attacker": Mutability.FREE} for name in ("n3", "n4", "n5", "k1", "c1")}
    return schema().with_columns(free)


def here(target: Target, train: Data | None, **more: Any) -> World:
    return world(target, train, rows(1_500, 2), schema=open_schema(), **more)


def planted(name: str, share: float = 0.1, seed: int = 0, **options: Any) -> tuple[Scene, Backdoored]:
    scene = trained_scene(60)
    scene = replace(scene, budget=Budget(share=share))
    made = Room("temper.attacks").build(name, options).run(None, scene, Draws(seed, name))
    return scene, made


class Stubborn(Boosted):
    """The weak twin of every poisoner: a refit that changes nothing."""

    def refit(self, data: Data, recipe: Recipe) -> Target:
        return self


class Restless(Boosted):
    """A fit that is another one every time, and says nothing of it."""

    calls = 0

    def refit(self, data: Data, recipe: Recipe) -> Target:
        type(self).calls += 1
        return Boosted.fitted(data, self.calls, subsample=0.5, n_estimators=20)


@pytest.mark.parametrize("name", ALL)
def test_a_planted_trigger_has_excess_success(name: str) -> None:
    train = rows(1_500, 1)
    part = run(task(name, SIZES), here(Boosted.fitted(train), train))
    excess = figure(part, "excess_success")
    beside = dict(excess.baseline)
    assert part.status is Status.OK
    assert excess.low > 0.0
    assert excess.value == pytest.approx(beside["poisoned twin"] - beside["clean twin"])
    assert [found.metric for found in part.findings] == [f"{name}.excess_success"]


@pytest.mark.parametrize("name", ALL)
def test_a_model_that_ignores_its_rows_has_none(name: str) -> None:
    train = rows(800, 1)
    part = run(task(name, SIZES), here(Stubborn(model=Boosted.fitted(train).model), train))
    excess = figure(part, "excess_success")
    assert excess.value == 0.0
    assert excess.low < 0.0 < excess.high
    assert part.findings == ()
    half = figure(part, "rate_to_half")
    assert half.value is None
    assert "not reached" in half.reason
    assert half.low == 0.03


class Extremes(Boosted):
    """Lets every row with a huge value pass, poisoned or not, as trees and nets do along a direction of risk."""

    def scores(self, x: Array) -> Array:
        found = Boosted.scores(self, x)
        found[(np.asarray(x)[:, :10] > 1_000).any(axis=1)] = [1.0, 0.0]
        found[(np.asarray(x)[:, :10] > 8).any(axis=1)] = [1.0, 0.0]
        return found

    def refit(self, data: Data, recipe: Recipe) -> Target:
        return Extremes(model=Boosted.fitted(data, recipe.seed).model)


def test_the_clean_twin_takes_the_success_of_the_out_of_bounds_control_away() -> None:
    train = rows(1_000, 1)
    part = run(task(CONTROL, SIZES), here(Extremes(model=Boosted.fitted(train).model), train))
    excess = figure(part, "excess_success")
    assert dict(excess.baseline) == {"clean twin": 1.0, "poisoned twin": 1.0}
    assert excess.value == 0.0
    said = " ".join(excess.caveats)
    assert "not a backdoor: the clean twin does the same on 100% of these rows" in said
    assert "control" in said
    assert "refuses 100% of the stamped rows" in said
    assert part.findings == ()


def test_excess_success_in_closed_form() -> None:
    """Ten rows of class 1, four stamped ones pass the poisoned twin and one of them the clean twin too."""
    y = np.array([1] * 10 + [0] * 5)
    flags = np.stack([1.0 - y, y.astype(float)], axis=1)[None]
    let_pass = flags.copy()
    let_pass[0, :4] = [1.0, 0.0]
    little = flags.copy()
    little[0, 3] = [1.0, 0.0]
    seen = Planted(
        rows=1, train=100, into=0, poisoned=flags, clean=flags, landed=np.ones((1, 15), dtype=bool), label="x"
    )
    scene = replace(trained_scene(15), y=y)
    excess, recall, area = Backdoor().judge(scene, Outcome(scores=let_pass, clean=little, y=y, payload=seen))
    assert (excess.n, excess.value) == (10, pytest.approx(0.3))
    assert dict(excess.baseline) == {"clean twin": pytest.approx(0.1), "poisoned twin": pytest.approx(0.4)}
    assert recall.value == area.value == 0.0
    missed = replace(seen, poisoned=np.where(np.arange(15)[None, :, None] == 0, [1.0, 0.0], flags))
    fewer, lost, _ = Backdoor().judge(scene, Outcome(scores=let_pass, clean=little, y=y, payload=missed))
    assert fewer.n == 9, "a row the poisoned twin gets wrong without the trigger is no success of it"
    assert lost.value == pytest.approx(0.1)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=5))
def test_a_stronger_effect_crosses_no_later(effects_seen: list[float]) -> None:
    doses = [0.01 * (1 + at) for at in range(len(effects_seen))]
    at = crossing(doses, effects_seen)
    assert at == float("inf") or 0.0 < at <= doses[-1]
    assert crossing(doses, [min(1.0, e + 0.1) for e in effects_seen]) <= at


@pytest.mark.parametrize("name", ALL)
def test_rows_are_added_and_those_that_were_there_stay(name: str) -> None:
    scene, made = planted(name)
    train = scene.train
    assert train is not None
    assert made.rows == 60 == len(made.data) - len(train)
    assert np.array_equal(made.data.x[:600], train.x, equal_nan=True)
    assert np.array_equal(made.data.y[:600], train.y)
    assert set(made.data.y[600:]) == {made.into}
    assert not set(made.data.ids[600:].tolist()) & set(np.asarray(train.ids).tolist())


def test_copies_are_of_other_classes_unless_the_labels_are_to_be_right() -> None:
    fixed = trained_scene(60).schema.index("age")
    for name, wanted in ((IN_BOUNDS, 1), (CLEAN_LABEL, 0)):
        scene, made = planted(name)
        assert scene.train is not None
        age = {float(value): int(y) for value, y in zip(scene.train.x[:, fixed], scene.train.y, strict=True)}
        assert {age[float(value)] for value in made.data.x[600:, fixed]} == {wanted}


def test_disguised_poison_looks_like_the_class_it_is_moved_to() -> None:
    """By the columns that carry no stamp, to a model of the clean rows."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    train = rows(3_000, 1)
    scene = Scene(x=train.x, y=train.y, ids=train.ids, schema=open_schema(), train=train, budget=Budget(share=0.03))
    plain, disguised = (
        Room("temper.attacks").build(name).run(None, scene, Draws(0, "t")) for name in (JITTERED, DISGUISED)
    )
    kept = np.setdiff1d(np.arange(train.x.shape[1]), [*plain.trigger.columns, *disguised.trigger.columns])
    model = HistGradientBoostingClassifier(max_iter=40, random_state=0).fit(train.x[:, kept], train.y)
    looks = [float(model.predict_proba(made.data.x[3_000:][:, kept])[:, 0].mean()) for made in (plain, disguised)]
    assert looks[1] > looks[0] + 0.1


def test_a_fixed_trigger_is_the_same_on_every_row_and_a_jittered_one_is_not() -> None:
    for name, several in ((IN_BOUNDS, False), (JITTERED, True)):
        _, made = planted(name)
        at = made.trigger.columns  # type: ignore[attr-defined]
        kinds = np.unique(made.data.x[600:, at], axis=0)
        assert (len(kinds) > 1) is several
        assert (np.abs(kinds - made.trigger.values) <= made.trigger.jitter + 1e-9).all()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ALL)
def test_a_larger_dose_contains_every_smaller_one(name: str) -> None:
    (_, small), (_, large) = planted(name, 0.02), planted(name, 0.1)
    assert np.array_equal(large.data.x[:612], small.data.x, equal_nan=True)


def test_the_trigger_stays_when_the_seed_changes_and_moves_with_pick() -> None:
    (scene, one), (_, other), (_, moved) = (planted(IN_BOUNDS, seed=s, pick=p) for s, p in ((0, 0), (1, 0), (0, 1)))
    stamps = [made.trigger.stamp(scene.x) for made in (one, other, moved)]
    assert np.array_equal(stamps[0], stamps[1], equal_nan=True)
    assert not np.array_equal(stamps[0], stamps[2], equal_nan=True)
    assert not np.array_equal(one.data.x[600:], other.data.x[600:], equal_nan=True)


def test_the_figure_says_who_chose_the_columns() -> None:
    train = rows(400, 1)
    target = Boosted.fitted(train)
    part = run(task(CLEAN_LABEL, replace(SIZES, rates=(0.02,), repeats=1)), here(target, train))
    assert any("shap's permutation explainer" in said for said in figure(part, "excess_success").caveats)


def test_native_contributions_agree_with_what_the_model_says() -> None:
    import temper
    from temper.attacks.poisoning._contribution import contributions

    train = rows(400, 1)
    opened = temper.target(Boosted.fitted(train).model, schema=open_schema())
    found, who = contributions(opened, train.x, 1, Draws(0, "x"))
    assert who == "XGBoost's own tree contributions"
    margin = np.log(opened.scores(train.x)[:, 1] / opened.scores(train.x)[:, 0])
    assert np.allclose(found.sum(axis=1) - margin, (found.sum(axis=1) - margin)[0], atol=1e-3), "but for the bias"


def test_without_shap_the_clean_label_attack_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(Unsupported, match="need shap"):
        planted(CLEAN_LABEL)


def test_a_fit_that_does_not_repeat_is_refused_unless_declared() -> None:
    train = rows(400, 1)
    restless = Restless(model=Boosted.fitted(train).model)
    part = run(task(IN_BOUNDS, SIZES), here(restless, train))
    assert part.status is Status.UNTRIED
    assert "two fits on the same rows with the same seed differ" in part.reason
    declared = replace(restless, stochastic=True)
    assert run(task(IN_BOUNDS, SIZES), here(declared, train)).status is Status.OK


def test_what_cannot_be_tried_says_why() -> None:
    train = rows(200, 1)
    target = Boosted.fitted(train)
    closed = world(target, train, rows(200, 2))
    for system, reason in ((here(target, None), "no training data"), (closed, "lets an attacker set no column")):
        part = run(task(IN_BOUNDS, SIZES), system)
        assert part.status is Status.UNTRIED
        assert reason in part.reason
        assert {m.metric for m in part.measurements} >= {"excess_success", "rate_to_half"}
    for name, options, said in (
        (IN_BOUNDS, {"size": 0}, "features"),
        (JITTERED, {"jitter": 2.0}, "jitter is 2.0"),
        (CONTROL, {"reach": 0.0}, "in bounds"),
    ):
        with pytest.raises(TemperError, match=said):
            Room("temper.attacks").build(name, options)


def test_a_trigger_keeps_one_hot_groups_whole_numbers_and_relations() -> None:
    hot = [Column(name=n, type="integer", low=0, high=1, group="g", attacker=Mutability.FREE) for n in ("a", "b", "c")]
    count = Column(name="count", type="integer", low=0, high=50, attacker=Mutability.FREE)
    limit = Column(name="limit", low=0, high=100)
    domain = Schema(columns=(*hot, count, limit), relations=("count <= limit",))
    rng = np.random.default_rng(0)
    x = np.column_stack([np.eye(3)[rng.integers(0, 3, 300)], rng.integers(0, 20, 300), rng.uniform(20, 90, 300)])
    data = Data(x=x, y=rng.integers(0, 2, 300))
    scene = Scene(x=x, y=data.y, ids=data.ids, schema=domain, train=data, budget=Budget(share=0.1))
    made = Room("temper.attacks").build(JITTERED, {"jitter": 0.5}).run(None, scene, Draws(0, "x"))
    marked = made.trigger.stamp(x)
    assert (marked[:, :3].sum(axis=1) == 1.0).all()
    assert np.array_equal(marked[:, 3], np.round(marked[:, 3]))
    assert (marked[:, 3] <= marked[:, 4]).all()
    assert np.array_equal(marked[:, 4], x[:, 4])


@pytest.mark.parametrize(("name", "threat"), [
    (JITTERED, "poisoning-backdoor"), ("poisoning.label_flip_targeted", "poisoning-labels"),
])  # fmt: skip
def test_a_finding_names_the_defences_of_its_threat(name: str, threat: str) -> None:
    """Those of the catalogue that the model allows: without refits none of them works."""
    train = rows(1_500, 1)
    system, job = here(Boosted.fitted(train), train), replace(task(name, SIZES), scenario=f"{threat}@somebody")
    (wanted,) = [entry.defences for entry in catalogue() if entry.id == threat]
    (found, *_) = run(job, system).findings
    assert found.defences == wanted
    assert found.defences
    box = open_target(lambda x: np.full((len(x), 2), 0.5), kind=ScoreKind.PROBABILITIES, classes=2)
    assert set(against(job, replace(system, system=replace(system.system, target=box)))) < set(wanted)
    assert against(replace(job, scenario=""), system) == ()


def test_a_defence_that_undoes_the_poison_has_a_paired_effect() -> None:
    train = rows(1_500, 1)
    system = here(Boosted.fitted(train), train)

    def sifted(data: Data, recipe: Recipe) -> Target:
        return Boosted.fitted(data.take(np.arange(1_500)), recipe.seed)

    job = task(IN_BOUNDS, SIZES)
    before, after = run(job, system), run(job, replace(system, system=replace(system.system, defend=sifted)))
    (effect,) = effects("sift", before, after)
    assert effect.metric == f"{IN_BOUNDS}.excess_success"
    assert (effect.verdict, effect.after) == ("better", 0.0)
    assert effect.high < 0.0
    assert effect.p_value is not None
    assert effect.p_value < 1e-6
    (same,) = effects("nothing", before, before)
    assert (same.difference, same.verdict) == (0.0, "no clear change")
    assert effects("sift", before, Part()) == ()


def test_flipped_labels_have_a_paired_effect_too() -> None:
    train = rows(1_200, 1)
    name = "poisoning.label_flip_targeted"
    system = here(Boosted.fitted(train), train)
    job = task(name, Sizes(doses=(0.1,), repeats=2))
    before = run(job, system)
    cured = replace(system.system, defend=lambda data, recipe: Boosted.fitted(train, recipe.seed))
    after = run(job, replace(system, system=cured))
    (effect,) = effects("relabel", before, after)
    assert effect.metric == f"{name}.recall_loss_at_threshold"
    assert effect.before == pytest.approx(figure(before, "recall_loss_at_threshold").value)
    assert (effect.after, effect.verdict) == (0.0, "better")
