"""Extraction: queries stay in the domain and in the budget, copies get better, and guessing is not called theft."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.attacks._queries import invent, open_schema
from temper.attacks.extraction._student import fit_student, from_line
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.data import Array, Data
from temper.core.errors import TemperError, Unsupported
from temper.core.measure import Status
from temper.core.room import Room
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.core.system import Exposure
from temper.core.target import Access, ScoreKind
from temper.core.threat import Actor
from temper.engine.rooms.extraction import effects, run, split
from temper.engine.task import Sizes
from temper.judges.agreement import on_line
from temper.kernels.loss import decide
from temper.targets.answers import Decided
from unit.payload_world import SOUND, Boosted, figure, movable, rows, schema, task, world

NAME = "extraction.surrogate"
QUICK = Sizes(students=100, replicates=200)


@dataclass
class Watched:
    """A door that remembers what was asked and refuses beyond its budget."""

    target: Any
    left: int
    asked: list[Array]

    def scores(self, x: Array) -> Array:
        self.asked.append(x)
        answers = self.target.scores(x)
        answers[self.left :] = np.nan
        self.left = max(0, self.left - len(x))
        return answers


def scene(known: Data, **more: Any) -> Scene:
    held = rows(50, 9)
    return Scene(x=held.x, y=held.y, ids=held.ids, schema=schema(), reference=known, threshold=0.5, **more)


def test_a_copy_shares_the_flags_of_the_victim_far_beyond_a_model_made_without_queries() -> None:
    part = run(task(NAME), world(Boosted.fitted(rows(3_000, 1)), None, rows(2_000, 2)))
    close = figure(part, "f1")
    assert close.low > dict(close.baseline)["own labels, no queries"]
    assert close.value > 0.6
    assert [point.at for point in close.curve.points] == [100, 300, 1000]
    assert close.curve.points[-1].value > close.curve.points[0].value
    assert figure(part, "auc_ratio").value > 0.9
    assert figure(part, "logit_r2").value > 0.5
    assert close.queries == 1_000
    assert part.queries == 1_000 + 20, "20 of them are asked again"
    assert close.n == 1_800, "the rows the attacker held are not judged"
    assert part.findings[0].metric == "extraction.surrogate.f1"


def test_a_model_of_nothing_cannot_be_copied_and_is_not_accused() -> None:
    part = run(task(NAME, QUICK), world(Hashed(model=None), None, rows(1_000, 2)))
    assert figure(part, "f1").value < 0.5
    assert figure(part, "kappa").value < 0.15
    assert part.findings == ()


@pytest.mark.slow
def test_natural_rows_make_a_copy() -> None:
    part = run(task("extraction.natural"), world(Boosted.fitted(rows(3_000, 1)), None, rows(6_000, 2)))
    close = figure(part, "f1")
    assert close.low > dict(close.baseline)["own labels, no queries"]
    assert figure(part, "auc_ratio").value > 0.9


@dataclass(frozen=True, kw_only=True, eq=False)
class Lined(Boosted):
    """Logistic in numbers and in categories, each code with a weight of its own."""

    def scores(self, x: Array) -> Array:
        line = x[:, :10] @ np.linspace(-1.0, 1.3, 10) - 0.4
        line = line + np.array([0.0, 1.1, -0.7, 0.2])[x[:, 10].astype(int)] + 0.3 * (x[:, 11] == 2)
        p = 1.0 / (1.0 + np.exp(-line))
        return np.column_stack([1.0 - p, p])


def test_a_linear_model_is_solved_exactly() -> None:
    part = run(task("extraction.equation_solving"), world(Lined(model=None), None, rows(2_000, 2)))
    needed = 10 + 2 * 3 + 2
    assert figure(part, "f1").queries == needed, "one per number, one per further category, the base and the check"
    assert part.queries == 2 * needed, "every row is asked again"
    assert figure(part, "logit_r2").value > 0.9999
    assert figure(part, "f1").value == 1.0
    assert part.findings


def test_a_model_that_is_not_linear_is_not_solved() -> None:
    part = run(task("extraction.equation_solving"), world(Boosted.fitted(rows(3_000, 1)), None, rows(1_000, 2)))
    assert part.status is Status.UNTRIED
    assert "not linear" in part.reason


@pytest.mark.slow
def test_rows_made_to_evade_the_copy_evade_the_model_more_often_than_random_ones() -> None:
    columns = schema()
    free = {c.name: {"attacker": Mutability.FREE, "direction": ""} for c in columns.columns}
    here = world(
        Boosted.fitted(rows(3_000, 1)),
        None,
        rows(2_000, 2),
        schema=columns.with_columns(free),
        actors=(Actor(name="thief", cost=3.0),),
    )
    decided = np.asarray(here.target.scores(here.system.data.x)).argmax(1)
    right = np.flatnonzero((decided == 1) & (here.system.data.y == 1))[:60]
    part = run(task(NAME), replace(here, attacked=right))
    passed = figure(part, "transfer")
    assert passed.value > 2 * dict(passed.baseline)["one random move each"]
    assert passed.n == 60


def test_what_a_defence_does_to_a_copy_is_paired_over_the_same_rows() -> None:
    here = world(Boosted.fitted(rows(3_000, 1)), None, rows(2_000, 2))
    before = run(task(NAME, QUICK), here)
    served = Decided(inner=here.target, threshold=0.5)
    after = run(task(NAME, QUICK), replace(here, system=replace(here.system, target=served)))
    found = effects("label_only", before, after)
    assert [effect.metric for effect in found] == [f"{NAME}.f1", f"{NAME}.auc"]
    assert found[0].before == figure(before, "f1").value
    assert all(effect.low <= effect.difference <= effect.high for effect in found)
    again = effects("nothing", before, before)
    assert again[0].difference == 0.0
    assert again[0].verdict == "no clear change"


def test_the_queries_to_a_level_lie_on_the_curve() -> None:
    part = run(task(NAME), world(Boosted.fitted(rows(3_000, 1)), None, rows(2_000, 2)))
    need = figure(part, "queries_to_lift")
    assert need.low <= need.value <= need.high <= 1_000


class Hashed(Boosted):
    """Scores that jump with every row: a few hundred answers say nothing about the next."""

    def scores(self, x: Array) -> Array:
        jumpy = np.modf(np.abs(np.sin(x @ np.arange(1.0, 13.0) * 1e4)) * 1e3)[0]
        p = np.where(jumpy < 0.3, 0.9, 0.1)
        return np.stack([1 - p, p], axis=1)


def test_decisions_alone_are_used_where_the_system_returns_no_scores() -> None:
    here = world(Boosted.fitted(rows(1_500, 1)), None, rows(800, 2), exposure=Exposure(returns="label"))
    part = run(task(NAME, QUICK), here)
    assert "decisions only" in figure(part, "f1").caveats[0]
    assert not [m for m in part.measurements if m.metric == "logit_r2"]
    labels_only = replace(here.target, access=Access.LABELS)
    again = run(task(NAME, QUICK), world(labels_only, None, rows(800, 2)))
    assert figure(again, "f1").value == figure(part, "f1").value


def test_bare_copies_depend_on_nothing_but_decisions() -> None:
    known, target = rows(60, 3), Boosted.fitted(rows(800, 1), **SOUND)
    plugin = Room("temper.attacks").build(NAME, {"queries": 60, "bare": True})
    soft = plugin.run(Watched(target, 60, []), scene(known), Draws(0, "t"))
    hard = plugin.run(Watched(Rounded(model=target.model), 60, []), scene(known), Draws(0, "t"))
    assert np.array_equal(soft.answers, hard.answers)
    assert set(np.unique(soft.answers)) <= {0.0, 1.0}


class Rounded(Boosted):
    """The same decisions as one-hot scores."""

    def scores(self, x: Array) -> Array:
        return np.eye(2)[decide(super().scores(x), ScoreKind.PROBABILITIES, 0.5)]


@pytest.mark.parametrize("budget", [1, 50, 120, 150])
def test_queries_beyond_the_budget_are_not_learnt_from(budget: int) -> None:
    target = Boosted.fitted(rows(500, 1), **SOUND)
    door = Watched(target, budget, [])
    copies = Room("temper.attacks").build(NAME, {"queries": 150}).run(door, scene(rows(60, 3)), Draws(0, "t"))
    assert len(copies.x) == len(copies.answers) == budget
    assert copies.steps[-1][0] == budget
    assert not np.isnan(copies.answers).any()
    assert sum(map(len, door.asked)) <= 150


def test_no_budget_at_all_is_unsupported_not_a_crash() -> None:
    with pytest.raises(Unsupported, match="not a single row"):
        Room("temper.attacks").build(NAME).run(
            Watched(Boosted.fitted(rows(99, 1)), 0, []), scene(rows(60, 3)), Draws(0, "t")
        )


def test_the_labels_of_the_rows_an_attacker_holds_are_not_used() -> None:
    known, target = rows(60, 3), Boosted.fitted(rows(500, 1), **SOUND)
    plugin = Room("temper.attacks").build(NAME, {"queries": 60})
    told = plugin.run(Watched(target, 60, []), scene(known), Draws(0, "t"))
    blind = plugin.run(Watched(target, 60, []), scene(replace(known, y=np.full(60, -1))), Draws(0, "t"))
    assert np.array_equal(told.x, blind.x)


def test_half_of_later_rounds_lies_near_the_threshold() -> None:
    target, door = Boosted.fitted(rows(2_000, 1)), []
    Room("temper.attacks").build(NAME, {"queries": 300}).run(
        Watched(target, 300, door), scene(rows(200, 3)), Draws(0, "t")
    )
    first, last = (on_line(target.scores(x)[:, 1], ScoreKind.PROBABILITIES) for x in (door[0], door[-1]))
    near = len(last) // 2
    assert np.median(np.abs(last[near:])) < 0.6 * np.median(np.abs(first))


def test_same_seed_same_queries_and_another_seed_others() -> None:
    target = Boosted.fitted(rows(500, 1), **SOUND)
    plugin = Room("temper.attacks").build(NAME, {"queries": 40})
    one, again, other = (plugin.run(Watched(target, 40, []), scene(rows(60, 3)), Draws(s, "t")).x for s in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


@given(st.integers(0, 2**32 - 1), st.floats(100.0, 1e6))
def test_wide_values_fall_into_every_gap_of_a_column_that_is_mostly_nought(seed: int, end: float) -> None:
    """Nineteen of twenty known rows are nought and the range is a thousand times what is known: evenly over the range
    next to nothing would lie where the model has its steps.
    """
    known = np.r_[np.zeros(19), 1.0][:, None]
    domain = Schema(columns=(Column(name="gain", low=0.0, high=end),))
    made = invent(domain, known, 400, np.random.default_rng(seed), wide=1.0)[:, 0]
    assert 0.3 < np.mean(made < 1.0) < 0.7
    assert made.min() >= 0.0
    assert made.max() <= end
    if end > 200.0:
        assert made.max() > 0.5 * end


def test_wide_values_of_a_whole_number_are_whole_and_need_no_range() -> None:
    domain = Schema(columns=(Column(name="count", type="integer"),))
    made = invent(domain, np.array([[0.0], [3.0], [50.0]]), 300, np.random.default_rng(0), wide=1.0)[:, 0]
    assert np.array_equal(made, np.round(made))
    assert len(np.unique(made)) > 20, "values between the known ones are asked too"


TIED = Schema(
    columns=(
        Column(name="amount", low=0, high=100),
        Column(name="limit", low=0, high=100, attacker=Mutability.FREE, direction="rise"),
        Column(name="count", type="integer", low=0, high=9),
        Column(name="kind", type="category", categories=("a", "b", "c")),
        Column(name="h1", type="boolean", group="h"),
        Column(name="h2", type="boolean", group="h"),
        Column(name="maybe", low=-1, high=1, missing=True),
        Column(name="per", attacker=Mutability.DERIVED, formula="amount / (count + 1)"),
    ),
    relations=("amount <= limit",),
)


def tied(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    limit = rng.uniform(10, 100, n)
    amount = limit * rng.random(n)
    count = rng.integers(0, 10, n).astype(float)
    hot = rng.integers(0, 2, n).astype(float)
    maybe = np.where(rng.random(n) < 0.3, np.nan, rng.uniform(-1, 1, n))
    kind = rng.integers(0, 3, n).astype(float)
    return np.stack([amount, limit, count, kind, hot, 1 - hot, maybe, amount / (count + 1)], axis=1)


@given(st.integers(0, 10_000), st.integers(2, 40))
def test_every_made_up_row_lies_in_the_domain(seed: int, known: int) -> None:
    made = invent(TIED, tied(known, seed), 30, np.random.default_rng(seed))
    amount, limit, count, kind, first, second, maybe, per = made.T
    assert len(made) == 30
    assert (amount <= limit * (1 + 1e-6)).all()
    assert (made[:, :2] >= 0).all()
    assert (made[:, :2] <= 100).all()
    assert set(count) <= set(range(10))
    assert set(kind) <= {0.0, 1.0, 2.0}
    assert (first + second == 1).all()
    assert per == pytest.approx(amount / (count + 1), rel=1e-4, abs=1e-6)
    assert (np.isnan(maybe) | (np.abs(maybe) <= 1)).all()


def test_made_up_rows_keep_each_columns_distribution_and_break_their_ties() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=(200, 1))
    known = np.hstack([base, base, np.zeros((200, 10))])
    made = invent(schema(), known, 2_000, rng)
    assert made[:, 0].mean() == pytest.approx(known[:, 0].mean(), abs=0.1)
    assert made[:, 0].std() == pytest.approx(known[:, 0].std(), rel=0.1)
    assert abs(np.corrcoef(made[:, 0], made[:, 1])[0, 1]) < 0.1


def test_what_an_attacker_may_change_does_not_limit_what_he_may_submit() -> None:
    known = rows(50, 1).x
    one, other = (invent(s, known, 40, np.random.default_rng(0)) for s in (schema(), movable(schema())))
    assert np.array_equal(one, other)
    assert not open_schema(TIED).columns[1].direction
    assert open_schema(TIED).columns[7].attacker is Mutability.DERIVED


def test_relations_no_made_up_row_satisfies_are_said_not_ignored() -> None:
    columns = tuple(Column(name=name, low=0, high=1) for name in "ab")
    known = np.random.default_rng(0).random((50, 1)).repeat(2, axis=1)
    with pytest.raises(Unsupported, match="relations"):
        invent(Schema(columns=columns, relations=("a * 1 = b * 1",)), known, 20, np.random.default_rng(0))


@given(st.floats(1e-4, 1 - 1e-4))
def test_the_line_of_scores_can_be_walked_back(p: float) -> None:
    there = on_line(np.array([p]), ScoreKind.PROBABILITIES)
    assert from_line(there, ScoreKind.PROBABILITIES) == pytest.approx([p])
    assert from_line(on_line(np.array([p]), ScoreKind.MARGIN), ScoreKind.MARGIN) == pytest.approx([p])


def test_a_victim_that_always_says_the_same_is_copied_as_that() -> None:
    copy = fit_student(
        np.zeros((5, 2)),
        np.full(5, 0.3),
        ScoreKind.PROBABILITIES,
        0.0,
        bare=False,
        categorical=np.zeros(2, bool),
        seed=0,
    )
    assert copy.scores(np.ones((2, 2))) == pytest.approx([0.3, 0.3])
    assert not copy.flags(np.ones((2, 2))).any()


def test_the_attacker_holds_rows_outside_the_judged_ones_when_there_are_any() -> None:
    everything = rows(1_000, 2)
    here = world(Boosted.fitted(rows(200, 1), **SOUND), None, everything)
    own, judged = split(here, Draws(0, "t"))
    assert not set(own.ids) & set(everything.ids[judged])
    assert len(judged) == 900
    own, judged = split(replace(here, held_out=np.arange(500)), Draws(0, "t"))
    assert set(own.ids) <= set(range(500, 1_000))
    assert len(judged) == 500


def test_what_cannot_be_tried_is_untried_with_the_reason() -> None:
    target, others = Boosted.fitted(rows(200, 1), **SOUND), rows(300, 2)
    cases = (
        (world(replace(target, kind=ScoreKind.VALUE), None, others), "predicts a value"),
        (world(target, None, rows(50, 2)), "too few"),
        (world(replace(target, access=Access.NONE), None, others), "labels"),
        (world(target, None, others, schema=Schema.box(0, 1)), "column by column"),
    )
    for here, reason in cases:
        part = run(task(NAME, QUICK), here)
        assert part.status is Status.UNTRIED
        assert reason in part.reason


def test_queries_per_attacked_row_are_not_the_budget_of_a_copy() -> None:
    here = world(Boosted.fitted(rows(200, 1), **SOUND), None, rows(300, 2))
    assert figure(run(task(NAME, QUICK, budget=Budget(queries=7)), here), "f1").queries == 100
    assert figure(run(task(NAME, QUICK, options=(("queries", 30),)), here), "f1").queries == 30


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(TemperError, match="near"):
        Room("temper.attacks").build(NAME, {"near": 1.5})
