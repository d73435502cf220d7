"""Each membership attack on its own, what they share, and what a defence changes in their figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.attacks.inversion._choice import strongest
from temper.attacks.inversion._signals import Answers, gather, halves
from temper.attacks.inversion._statistics import learned, likelihood, ratio
from temper.core.data import Data
from temper.core.measure import Status
from temper.core.room import Room
from temper.core.seed import Draws
from temper.core.target import Access, Recipe
from temper.engine.rooms.inversion import effects, run
from temper.engine.task import Part, World
from temper.judges._members import at_rate, called, chance_ends, groups, more_often, p_values, roc
from temper.judges.advantage import TWIN
from temper.kernels.ranking import auc
from temper.kernels.several import discoveries, holm
from unit.payload_world import SOUND, Boosted, figure, rows, task, world

# How far each must at least see into a model that memorises: without references less is to be seen.
ATTACKS = {"label_only": 0.57, "learned": 0.65, "lira": 0.62, "loss": 0.55, "quantile": 0.6, "ratio": 0.65}


def audit(name: str, **settings: object) -> Part:
    train = rows(2_000, 1)
    return run(task(f"inversion.{name}"), world(Boosted.fitted(train, **settings), train, rows(1_100, 2)))


@pytest.mark.parametrize("name", ATTACKS)
def test_a_memorising_model_is_caught_by_each(name: str) -> None:
    assert figure(audit(name, n_estimators=100), "auc").low > ATTACKS[name]


@pytest.mark.parametrize("name", ATTACKS)
def test_a_restrained_model_is_accused_by_none(name: str) -> None:
    part = audit(name, **SOUND)
    assert figure(part, "auc").high < 0.62
    assert figure(part, "tpr_at_1pct").high < 0.05


def test_attacks_without_references_need_no_refit() -> None:
    train, others = rows(600, 1), rows(600, 2)
    fixed = replace(Boosted.fitted(train), access=Access.SCORES | Access.LABELS)
    for name in ("loss", "quantile"):
        assert figure(run(task(f"inversion.{name}"), world(fixed, train, others)), "auc").low > 0.55


def test_few_held_out_rows_give_one_per_cent_and_refuse_a_tenth() -> None:
    part = audit("ratio", n_estimators=20)
    assert figure(part, "tpr_at_1pct").value is not None
    rare = figure(part, "tpr_at_01pct")
    assert rare.status is Status.UNTRIED
    assert "takes 10,000" in rare.reason


def test_all_attacks_of_a_run_meet_the_same_references() -> None:
    train, others = rows(400, 1), rows(200, 2)
    here = world(Boosted.fitted(train, **SOUND), train, others)
    room = Room("temper.attacks")
    seen = [
        room.build(f"inversion.{name}").run(None, here.scene(task(f"inversion.{name}")), Draws(3, name)).references
        for name in ("ratio", "lira")
    ]
    assert np.array_equal(*seen)


def test_the_twin_is_never_judged_by_its_own_complement() -> None:
    train, others = rows(300, 1), rows(200, 2)
    here = world(Boosted.fitted(train, **SOUND), train, others)
    signals = gather(here.scene(task("inversion.ratio")), Draws(0, "x"), 4)
    assert signals.twin is not None
    assert np.array_equal(signals.twin.own, signals.answers.references[0])
    assert np.array_equal(signals.twin.references, signals.answers.references[2:])


def test_fits_at_a_time_are_the_fits_one_by_one() -> None:
    train = rows(500, 1)
    here = world(Boosted.fitted(train, n_estimators=10), train, rows(100, 2))
    subsets = [train.take(np.arange(start, 500)) for start in (0, 100, 200, 300)]
    together = here.fit(subsets, Recipe(seed=5))
    for model, subset in zip(together, subsets, strict=True):
        assert np.array_equal(model.scores(train.x), here.fit([subset], Recipe(seed=5))[0].scores(train.x))


# -- statistics ---------------------------------------------------------------------------------------------------


def played(n: int = 4_000, k: int = 8, gain: float = 1.0, noise: float = 0.3) -> tuple[Answers, np.ndarray]:
    """Answers of a made-up world: logits of rows plus `gain` where a model was fitted on them, plus noise."""
    rng = np.random.default_rng(0)
    inside, member = halves(n, k, Draws(0, "played")), rng.random(n) < 0.5
    hard = rng.normal(size=n) * 2

    def told(where: np.ndarray) -> np.ndarray:
        return 1.0 / (1.0 + np.exp(-(hard + gain * where + noise * rng.normal(size=where.shape))))

    return Answers(own=told(member), references=told(inside), inside=inside), member


def test_the_likelihood_ratio_is_near_the_best_where_its_assumption_holds() -> None:
    seen, member = played(k=32)
    best = 0.9908  # of the true densities: the area of two normals `gain` apart, Phi(1 / (0.3 sqrt 2))
    assert auc(member, likelihood(seen)) > best - 0.01
    assert auc(member, ratio(seen)) > 0.9
    assert auc(member, seen.own) < 0.72


def test_a_learned_attack_needs_no_truth_about_the_model_it_attacks() -> None:
    seen, member = played(k=4)
    assert auc(member, learned(seen, np.random.default_rng(0))) > 0.95


def test_nothing_is_found_where_nothing_leaks() -> None:
    seen, member = played(gain=0.0, k=4)
    for score in (ratio(seen), likelihood(seen), learned(seen, np.random.default_rng(0))):
        assert abs(auc(member, score) - 0.5) < 0.03


def test_choosing_among_noise_flatters_nobody() -> None:
    rng = np.random.default_rng(1)
    member = np.arange(4_000) % 2 == 0
    areas = []
    for seed in range(20):
        attacks = {str(at): rng.normal(size=4_000) for at in range(10)}
        areas.append(auc(member, strongest(attacks, member, np.random.default_rng(seed))[0]))
    assert abs(np.mean(areas) - 0.5) < 0.006  # the best of ten picked on the same rows would average 0.514
    best = max(auc(member, score) for score in attacks.values())
    assert best > 0.51


def test_the_stronger_attack_is_chosen_and_named() -> None:
    rng = np.random.default_rng(2)
    member = np.arange(3_000) % 2 == 0
    attacks = {"weak": rng.normal(size=3_000), "strong": rng.normal(size=3_000) + 2.0 * member}
    score, names = strongest(attacks, member, rng)
    assert names == ("strong",)
    assert score is attacks["strong"]


def test_halves_that_disagree_share_one_scale() -> None:
    rng = np.random.default_rng(3)
    member = np.arange(4_000) % 2 == 0
    attacks = {"a": rng.normal(size=4_000), "b": 1e6 + rng.normal(size=4_000)}
    for seed in range(12):
        score, names = strongest(attacks, member, np.random.default_rng(seed))
        if len(names) == 2:
            assert 0.0 <= score.min() <= score.max() <= 1.0
            return
    pytest.fail("no split of noise ever disagreed")


@given(st.integers(0, 30), st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=24, max_size=24))
def test_shuffled_labels_are_counted_as_the_rate_itself_is(seed: int, values: list[float]) -> None:
    """The fast permutation null gives what `at_rate` and `auc` give for the same permutations."""
    score, member = np.array(values), np.arange(24) % 3 == 0
    ends = chance_ends(member, score, Draws(seed, "null"))
    generator = Draws(seed, "null").generator(0)
    slow: dict[str, list[float]] = {"auc": [], "tpr_at_1pct": []}
    for _ in range(200):
        shuffled = generator.permutation(member)
        hits, n, _, _ = at_rate(shuffled, score, 0.01)
        slow["tpr_at_1pct"].append(hits / n)
        slow["auc"].append(auc(shuffled, score))
    for metric, drawn in slow.items():
        assert ends[metric] == pytest.approx(np.quantile(drawn, 0.975))


def test_the_curve_rises_and_starts_where_ten_others_can_show_it() -> None:
    rng = np.random.default_rng(0)
    member = np.arange(6_000) % 2 == 0
    points = roc(member, rng.normal(size=6_000) + member).points
    assert points[0].at == 0.01
    assert [p.value for p in points] == sorted(p.value for p in points)
    assert points[-1].value == 1.0
    assert all(p.low <= p.value <= p.high for p in points)


def test_p_values_of_members_are_uniform_when_nothing_leaks() -> None:
    rng = np.random.default_rng(0)
    member = np.arange(20_000) % 2 == 0
    p = p_values(member, rng.normal(size=20_000))
    assert abs(np.mean(p < 0.05) - 0.05) < 0.01
    assert len(discoveries(p)) == 0


def test_holm_and_discoveries_against_published_examples() -> None:
    p = [0.01, 0.04, 0.03, 0.005]  # Holm 1979 by hand: 4p, 3p, 2p, p, made monotone
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    published = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719]
    published += [0.6528, 0.7590, 1.0000]  # Benjamini & Hochberg 1995, section 4.1: four rejected at 5 %
    assert len(discoveries(published)) == 4


def test_a_group_that_is_remembered_more_is_named_with_its_p_value() -> None:
    found = np.zeros(200, dtype=bool)
    found[:30] = True
    assert more_often(np.arange(200) < 40, found) < 1e-15
    assert more_often(np.arange(200) >= 160, found) == 1.0


def test_rare_values_make_single_outs() -> None:
    x = np.zeros((400, 3))
    x[:8, 0] = np.arange(1, 9)
    who = groups(x, np.arange(400) % 5 == 0)
    assert set(np.flatnonzero(who["rarest 5%"])) == set(range(8))
    assert who["class 1"].sum() == 80


# -- what a defence changes ---------------------------------------------------------------------------------------


def hardened(here: World, **settings: object) -> World:
    """The same world behind a defence that fits with these settings."""

    def defend(data: Data, recipe: object) -> Boosted:
        return Boosted.fitted(data, 0, **settings)

    assert here.system.train is not None
    target = defend(here.system.train, None)
    return replace(here, system=replace(here.system, target=target, defend=defend))


def test_a_defence_is_measured_on_the_same_rows_and_found_to_help() -> None:
    train = rows(2_000, 1)
    here = world(Boosted.fitted(train, n_estimators=100), train, rows(1_100, 2))
    before, after = (run(task("inversion.membership"), side) for side in (here, hardened(here, **SOUND)))
    found = {effect.metric: effect for effect in effects("shallow", before, after)}
    for metric in ("tpr_at_1pct", "auc"):
        for words in ("", f" [{TWIN}]"):
            effect = found[f"inversion.membership.{metric}{words}"]
            assert effect.verdict == "better", effect
            assert effect.high < 0
    rate = found["inversion.membership.tpr_at_1pct"]
    assert rate.before == figure(before, "tpr_at_1pct").value
    assert rate.after == figure(after, "tpr_at_1pct").value
    assert rate.p_value is not None
    assert rate.p_value < 1e-6


def test_a_placebo_changes_nothing() -> None:
    train = rows(1_000, 1)
    here = world(Boosted.fitted(train), train, rows(1_100, 2))
    before, after = (run(task("inversion.ratio"), side) for side in (here, hardened(here)))
    assert {effect.verdict for effect in effects("placebo", before, after)} == {"no clear change"}


def test_called_rows_are_those_the_rate_counts() -> None:
    rng = np.random.default_rng(0)
    member, score = rng.random(500) < 0.5, rng.integers(0, 40, 500).astype(float)
    hits, _, wrong, _ = at_rate(member, score, 0.1)
    found = called(member, score, 0.1)
    assert (found[member].sum(), found[~member].sum()) == (hits, wrong)


def test_what_is_taught_has_the_answered_shares() -> None:
    """Systematic sampling: of four copies, a row answered with 0.25 gets class 1 once, whatever its start."""
    data = rows(200, 1)
    defence = Room("temper.hardening").build("self_distillation", {})
    taught = np.column_stack([np.full(200, 0.75), np.full(200, 0.25)])
    copied = defence._copied(data, taught, Draws(0, "copies"))
    assert np.array_equal(copied.y.reshape(4, 200).sum(axis=0), np.ones(200))
    assert np.array_equal(copied.x[:200], data.x)
    assert np.array_equal(copied.x[600:], data.x)


@pytest.mark.slow
def test_out_of_fold_answers_leave_little_to_remember() -> None:
    train = rows(2_000, 1)
    here = world(Boosted.fitted(train, n_estimators=60), train, rows(1_100, 2))
    defence = Room("temper.hardening").build("self_distillation", {"strength": 0.0})

    def defend(data: Data, recipe: Recipe) -> object:
        return defence.apply(here.target, data, Draws(recipe.seed, "defend"))

    target = defend(train, Recipe(seed=1))
    there = replace(here, system=replace(here.system, target=target, defend=defend))
    found = effects("self_distillation", *(run(task("inversion.membership"), side) for side in (here, there)))
    rate = next(effect for effect in found if effect.metric == "inversion.membership.tpr_at_1pct")
    assert rate.verdict == "better", rate
