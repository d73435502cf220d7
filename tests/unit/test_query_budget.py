"""A query budget per client: the thief gets no more than it answers, many identities undo it, honest clients pay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.core.errors import TemperError, Unsupported
from temper.core.measure import Status
from temper.core.seed import Draws
from temper.core.target import Recipe, ScoreKind
from temper.engine.harden_goal import besiege, harden_goal
from temper.engine.rooms._extraction_budget import _cut
from temper.engine.rooms.extraction import effects, run
from temper.engine.task import Part, Sizes, World
from temper.hardening.query_budget import QueryBudget
from temper.targets.answers import Rounded
from temper.targets.budgeted import Budgeted, budget_of
from temper.testing.toys import Linear
from unit.payload_world import Boosted, figure, rows, task, world

NAME = "extraction.surrogate"
SMALL = Sizes(students=400, replicates=200)
HONEST = (5, 8, 12, 20, 40)


@pytest.fixture(scope="module")
def here() -> World:
    train = rows(2_000, 1)
    return world(Boosted.fitted(train), train, rows(1_500, 2))


def behind(here: World, defence: QueryBudget) -> World:
    target = defence.apply(here.target, rows(10, 1), Draws(0, "t"))
    return replace(here, system=replace(here.system, target=target))


@pytest.fixture(scope="module")
def before(here: World) -> Part:
    return run(task(NAME, SMALL), here)


def changed(before: Part, after: Part) -> dict[str, Any]:
    return {effect.metric: effect for effect in effects("query_budget", before, after)}


@pytest.mark.slow
def test_a_thief_with_few_identities_gets_a_worse_copy_and_no_honest_client_is_cut(here: World, before: Part) -> None:
    after = run(task(NAME, SMALL), behind(here, QueryBudget(rows=50, clients=1, volumes=HONEST)))
    assert figure(after, "f1").queries == 50
    assert after.status is Status.OK, "fewer queries are the service's doing, not a weakness of the attack"
    found = changed(before, after)
    assert next(iter(found)) == "extraction.any.f1"
    assert found["extraction.any.f1"].verdict == "better"
    assert found["extraction.honest_clients_cut"].after == 0.0
    assert figure(after, "single_f1").value == figure(after, "f1").value, "one identity is all he has"


@pytest.mark.slow
def test_many_identities_undo_it_and_one_alone_does_not(here: World, before: Part) -> None:
    after = run(task(NAME, SMALL), behind(here, QueryBudget(rows=50, clients=8, volumes=HONEST)))
    found = changed(before, after)
    assert figure(after, "f1").queries == 400
    assert found[f"{NAME}.f1"].difference == 0.0, "eight identities ask all that one could without the budget"
    assert found[f"{NAME}.single_f1"].verdict == "better"
    assert figure(after, "single_f1").high < figure(after, "f1").value


def test_honest_clients_who_are_cut_off_are_a_harm(here: World, before: Part) -> None:
    after = run(task(NAME, SMALL), behind(here, QueryBudget(rows=10, clients=1, volumes=HONEST)))
    found = changed(before, after)
    assert found["extraction.honest_clients_cut"].after == 3 / 5
    assert found["extraction.honest_rows_cut"].after == pytest.approx((2 + 10 + 30) / 85)
    assert found["extraction.honest_clients_cut"].verdict == "worse"


def test_without_declared_volumes_a_budget_is_not_judged(here: World) -> None:
    part = run(task(NAME, SMALL), behind(here, QueryBudget(rows=50, clients=1)))
    assert part.status is Status.UNTRIED
    assert "how many rows honest clients ask" in part.reason


@pytest.mark.slow
def test_hardening_takes_a_budget_that_stops_the_theft_and_cuts_off_nobody(here: World) -> None:
    options = {"hardening.query_budget": {"rows": 20, "clients": 1, "volumes": [5, 8, 12]}}
    system = replace(here.system, options=options)
    tried = harden_goal(besiege(replace(here, system=system), [task(NAME, SMALL)]), ["query_budget"])
    assert tried.chosen is not None
    taken = budget_of(tried.system.target)
    assert taken is not None
    assert taken.rows in (20, 30), "smaller ones cut somebody off, larger ones let the copy be made"
    told = {trial.defence: trial.outcome for trial in tried.trials}
    assert "honest_clients_cut worse" in told["query_budget (rows 10)"]


def test_hardening_without_volumes_says_what_to_declare(here: World) -> None:
    tried = harden_goal(besiege(here, [task(NAME, SMALL)]), ["query_budget"])
    assert tried.chosen is None
    assert "volumes" in tried.skipped[0].why


def test_equations_that_a_budget_leaves_too_few_queries_give_way_to_made_up_rows() -> None:
    held = rows(1_200, 2)
    line = Linear(weights=(1.0, -1.0, *(0.5,) * 10))
    open_door = world(line, rows(500, 1), held)
    limited = behind(open_door, QueryBudget(rows=10, clients=1, volumes=HONEST))
    before, after = (run(task("extraction.equation_solving", SMALL), one) for one in (open_door, limited))
    assert figure(before, "f1").value == 1.0
    assert figure(after, "f1").queries == 10
    assert figure(after, "f1").value < 1.0


def test_answers_stay_and_the_tightest_budget_counts(here: World) -> None:
    wide = Budgeted(inner=here.target, rows=100, clients=2)
    tight = Budgeted(inner=Rounded(inner=wide, digits=2), rows=10, clients=3)
    x = rows(20, 4).x
    np.testing.assert_array_equal(wide.scores(x), here.target.scores(x))
    assert budget_of(tight) is tight
    assert budget_of(Rounded(inner=wide, digits=2)) is wide
    assert budget_of(here.target) is None
    refitted = wide.refit(rows(300, 1), Recipe())
    assert budget_of(refitted).rows == 100
    assert wide.digest not in (here.target.digest, tight.digest)


@given(st.lists(st.integers(0, 2_000), min_size=1, max_size=30), st.integers(1, 1_000))
def test_the_rows_cut_are_those_beyond_the_budget(volumes: list[int], budget: int) -> None:
    count, unanswered = _cut(np.asarray(volumes, dtype=float), budget)
    served = sum(min(one, budget) for one in volumes)
    assert count == sum(one > budget for one in volumes)
    assert served == pytest.approx(sum(volumes) * (1.0 - unanswered))


def test_what_it_cannot_do_is_refused_in_a_sentence() -> None:
    with pytest.raises(TemperError, match="at least 1"):
        QueryBudget(rows=0)
    with pytest.raises(Unsupported, match="predicts a value"):
        QueryBudget().apply(Linear(weights=(1.0,), kind=ScoreKind.VALUE), rows(5, 1), Draws(0, "t"))
