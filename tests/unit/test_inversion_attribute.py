"""Attribute inference: what memorisation gives away is found; what anybody could guess is not called a leak."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from temper.attacks.inversion._attribute import hidden, likelihood
from temper.core.attack import Outcome
from temper.core.data import Data
from temper.core.errors import SchemaError, TemperError, Unsupported
from temper.core.measure import Status
from temper.core.room import Room
from temper.core.schema import Column, Schema
from temper.core.target import Access
from temper.engine.rooms.inversion import effects, run
from temper.engine.task import Part, Task, World
from temper.judges._macro import area_of, difference, paired
from temper.judges.advantage import TWIN
from temper.judges.attribute import Attribute, Attributes, Guessed
from temper.kernels.ranking import auc
from unit.payload_world import SOUND, Boosted, figure, rows, schema, task, world

NAME = "inversion.attribute"


def asked(*columns: str) -> Task:
    return task(NAME, options=(("columns", columns),), scenario="attribute@somebody")


def here(train: Data, others: Data, **settings: object) -> World:
    return world(Boosted.fitted(train, **settings), train, others)


def audit(*columns: str, **settings: object) -> Part:
    return run(asked(*columns), here(rows(2_000, 1), rows(1_500, 2), **settings))


def test_a_memorising_model_gives_a_column_away_that_nothing_else_tells() -> None:
    part = audit("c1")
    area, leak, gain = (figure(part, name) for name in ("auc", "leak", "gain"))
    assert area.low > 0.54
    assert leak.low > 0.03
    assert gain.low > 0.03
    assert abs(dict(area.baseline)["imputation"] - 0.5) < 0.03
    assert abs(dict(area.baseline)["on others"] - 0.5) < 0.03
    assert part.findings[0].defences == ("regularise", "self_distillation", "ebm", "dp_ebm")
    assert "c1" in part.findings[0].title


def test_a_restrained_model_gives_nothing_away() -> None:
    part = audit("c1", **SOUND)
    assert figure(part, "auc").high < 0.55
    assert part.findings == ()


def imputable(n: int, seed: int) -> Data:
    """The code follows from the first number but for one row in fifty."""
    data = rows(n, seed)
    x = data.x.copy()
    noise = np.random.default_rng(seed).random(n) < 0.02
    x[:, 11] = (x[:, 0] > 0) ^ noise
    return replace(data, x=x)


def test_a_column_that_follows_from_the_others_is_guessed_and_is_no_leak() -> None:
    part = run(asked("c1"), here(imputable(2_000, 1), imputable(1_500, 2), **SOUND))
    area, gain = figure(part, "auc"), figure(part, "gain")
    assert area.value > 0.97
    assert dict(area.baseline)["imputation"] > 0.97
    assert gain.low <= 0.0
    assert part.findings == ()


def test_what_a_sound_model_teaches_of_everybody_is_no_leak() -> None:
    """c0 decides the label, so label and score tell it: of members and of others alike."""
    held = {"n_estimators": 100, "max_depth": 4, "learning_rate": 0.1, "min_child_weight": 60, "subsample": 0.5}
    part = run(asked("c0"), here(rows(4_000, 1), rows(4_000, 2), **held))
    leak = figure(part, "leak")
    assert figure(part, "gain").low > 0.01
    assert leak.low <= 0.0
    assert part.findings == ()


def test_rows_that_differ_without_the_model_are_refused_as_evidence() -> None:
    train, later = imputable(2_000, 1), rows(1_500, 2)
    part = run(asked("c1"), here(train, replace(later, x=np.column_stack([later.x[:, :11], later.x[:, 11] > 1]))))
    leak = figure(part, "leak")
    assert leak.status is Status.INCONCLUSIVE
    assert "without the model" in leak.reason
    assert figure(part, "leak", TWIN).status is Status.OK
    assert not any("column:c1" in effect.metric for effect in effects("x", part, part) if TWIN not in effect.metric)


def test_a_number_is_guessed_by_eighths_and_a_one_hot_group_as_one() -> None:
    x = np.column_stack([np.linspace(0, 1, 400), np.eye(4)[np.arange(400) % 4]])
    hot = [Column(name=f"h{i}", type="integer", low=0, high=1, group="colour") for i in range(4)]
    columns = Schema(columns=(Column(name="n"), *hot))
    number = hidden(columns, "n", x, 10)
    assert number.values.shape == (8, 1)
    assert np.bincount(number.truth).tolist() == [50] * 8
    group = hidden(columns, "h2", x, 10)
    assert group.name == "colour"
    assert sorted(group.shown) == ["h0", "h1", "h2", "h3"]
    assert np.array_equal(group.values[group.truth], x[:, 1:])


def test_rare_values_and_gaps_are_left_out() -> None:
    x = np.array([[0.0]] * 40 + [[1.0]] * 30 + [[2.0]] * 5 + [[np.nan]] * 5)
    found = hidden(Schema(columns=(Column(name="c", type="integer"),)), "c", x, 10)
    assert found.values.ravel().tolist() == [0.0, 1.0]
    assert np.count_nonzero(found.truth < 0) == 10
    with pytest.raises(Unsupported, match="two values"):
        hidden(Schema(columns=(Column(name="c", type="integer"),)), "c", x[:40], 10)
    with pytest.raises(SchemaError, match="no column"):
        hidden(schema(), "salary", rows(50, 0).x, 10)


def test_no_sensitive_column_or_no_schema_is_untried_with_the_reason() -> None:
    train, others = rows(300, 1), rows(300, 2)
    part = run(task(NAME), here(train, others, **SOUND))
    assert part.status is Status.UNTRIED
    assert "sensitive" in part.reason
    assert {m.metric for m in part.measurements} == {"auc", "leak", "gain", "precision_at_2pct"}
    fixed = replace(Boosted.fitted(train, **SOUND), access=Access.LABELS)
    assert "scores" in run(asked("c1"), world(fixed, train, others)).reason


def test_it_needs_no_refit_and_counts_its_questions() -> None:
    train, others = rows(400, 1), rows(400, 2)
    fixed = replace(Boosted.fitted(train), access=Access.SCORES | Access.LABELS)
    part = run(asked("c0", "c1"), world(fixed, train, others))
    assert part.queries == 2 * 4 * 800
    assert {m.slice for m in part.measurements} == {"all", "column:c0", "column:c1"}
    assert "corrected for 2 columns" in figure(part, "leak", "column:c1").caveats[1]


def test_fredriksons_likelihood_by_hand() -> None:
    found = likelihood(np.array([[0.8, 0.2, 0.5]]), np.array([0.5, 0.25, 0.25]))
    assert found[0] == pytest.approx([0.4 / 0.575, 0.05 / 0.575, 0.125 / 0.575])


def test_no_row_takes_part_in_what_is_learned_about_it() -> None:
    """Shuffling one half's truth changes nothing in that half's guesses."""
    from temper.attacks.inversion._attribute import guessed

    rng = np.random.default_rng(0)
    truth, member, fold = rng.integers(0, 2, 800), np.arange(800) < 400, np.arange(800) % 2
    told = np.clip(0.5 + 0.2 * np.eye(2)[truth] + 0.1 * rng.normal(size=(800, 2)), 0.05, 0.95)
    plain = np.full((800, 2), 0.5)
    before = guessed(plain, told, truth, member, fold)
    other = np.where(fold == 0, rng.permutation(truth), truth)
    after = guessed(plain, told, other, member, fold)
    assert np.array_equal(before[fold == 0], after[fold == 0])
    assert not np.array_equal(before[fold == 1], after[fold == 1])


# -- the judge ----------------------------------------------------------------------------------------------------


def test_the_area_of_two_values_is_the_area_and_its_interval_is_delongs() -> None:
    from temper.judges._pooled import area

    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 400)
    score = truth + rng.normal(size=400)
    told = area_of(truth, np.column_stack([-score, score]))
    value, low, high = area(truth, score)
    assert told.value == pytest.approx(value)
    assert told.value == pytest.approx(auc(truth, score))
    assert told.interval(0.95) == pytest.approx((low, high), abs=2e-3)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Nothing is known, so leak and gain are zero: 19 in 20 intervals hold it."""
    rng = np.random.default_rng(1)
    held = np.zeros(2)
    for _ in range(400):
        truth = rng.integers(0, 3, 240)
        one, other = (area_of(truth, rng.random((240, 3))) for _ in range(2))
        elsewhere = area_of(rng.integers(0, 3, 240), rng.random((240, 3)))
        found = (difference(one, elsewhere, 0.95), paired(one, other, 0.95))
        held += [low <= 0.0 <= high for _, low, high in found]
    assert (held / 400 > 0.915).all()
    assert (held / 400 < 0.985).all()


def test_the_judge_asks_for_its_own_evidence() -> None:
    with pytest.raises(TemperError, match="attribute attack"):
        Attribute().judge(None, Outcome(scores=None, y=None, payload=3))


def test_the_worst_column_stands_at_the_head() -> None:
    rng = np.random.default_rng(2)

    def column(name: str, told: float) -> Guessed:
        truth, member = rng.integers(0, 2, 1_000), np.arange(1_000) < 500
        score = np.eye(2)[truth] * told * member[:, None] + rng.random((1_000, 2))
        return Guessed(
            column=name, shown=("a", "b"), ids=np.arange(1_000), member=member, truth=truth, attack=score,
            imputation=rng.random((1_000, 2)),
        )  # fmt: skip

    seen = Attributes(columns=(column("quiet", 0.0), column("loud", 1.0)))
    found = Attribute().judge(None, Outcome(scores=None, y=None, payload=seen))
    assert found[0].slice == "all"
    assert found[0].caveats[0] == "the worst column: loud"
    by = {(m.metric, m.slice): m for m in found}
    assert by["leak", "column:loud"].low > 0.2
    assert by["gain", "column:quiet"].low <= 0.0


# -- what a defence changes ---------------------------------------------------------------------------------------


def test_restraining_the_fit_is_measured_on_the_same_members() -> None:
    train, others = rows(2_000, 1), rows(1_000, 2)
    sides = [here(train, others), here(train, others, **SOUND)]
    before, after = (run(asked("c1"), side) for side in sides)
    (effect, recipe) = sorted(effects("regularise", before, after), key=lambda e: len(e.metric))
    assert effect.metric == f"{NAME}.auc [column:c1]"
    assert recipe.metric == f"{NAME}.auc [{TWIN}, column:c1]"
    assert recipe.verdict == "better"
    assert effect.before == figure(before, "auc").value
    assert effect.verdict == "better"
    assert effect.high < -0.05
    assert {same.verdict for same in effects("nothing", before, before)} == {"no clear change"}


def test_same_seed_same_guesses() -> None:
    side = here(rows(300, 1), rows(300, 2), n_estimators=5)
    plugin = Room("temper.attacks").build(NAME, {"columns": ("c1",)})
    one, two, other = (
        plugin.run(None, side.scene(t), side.rng(t)) for t in (asked(), asked(), replace(asked(), seed=1))
    )
    assert np.array_equal(one.columns[0].attack, two.columns[0].attack)
    assert not np.array_equal(one.columns[0].attack, other.columns[0].attack)
