"""Extraction from an endpoint that stops, fails or changes while it is asked: what was learnt is kept, and said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from temper.core.errors import RunStopped
from temper.core.measure import Point, Status
from temper.core.target import Access
from temper.engine.rooms._extraction_door import Door, heard
from temper.engine.rooms.extraction import _further, run
from temper.engine.run_task import execute
from temper.engine.task import Sizes
from unit.payload_world import Boosted, figure, rows, task, world

NAME = "extraction.surrogate"
SMALL = Sizes(students=300, replicates=200)


@dataclass(kw_only=True, eq=False)
class Troubled:
    """A model behind an endpoint that stops for good after so many rows, or becomes another model, or fails on rows."""

    inner: Any
    later: Any = None
    stops: int | None = None
    changes: int | None = None
    fails: Any = None
    asked: int = 0
    kind: Any = field(init=False)
    access: Access = Access.LABELS | Access.SCORES
    name: str = "troubled"
    classes: int = 2
    stochastic: bool = False
    digest: str = ""

    def __post_init__(self) -> None:
        self.kind = self.inner.kind

    def scores(self, x: Any) -> Any:
        if self.fails is not None and self.fails(x).any():
            raise ValueError("a row this service cannot read")
        if self.stops is not None and self.asked + len(x) > self.stops:
            raise RunStopped("status 429: too many requests", fix="wait")
        self.asked += len(x)
        late = self.changes is not None and self.asked > self.changes
        return (self.later if late else self.inner).scores(x)

    def gradient(self, x: Any, cotangent: Any) -> Any:
        raise NotImplementedError

    def refit(self, data: Any, recipe: Any) -> Any:
        raise NotImplementedError


@pytest.fixture(scope="module")
def models() -> tuple[Boosted, Boosted]:
    return Boosted.fitted(rows(2_000, 1)), Boosted.fitted(rows(2_000, 5))


def test_an_endpoint_that_stops_leaves_the_copy_of_what_it_answered(models: Any) -> None:
    door = Door(Troubled(inner=models[0], stops=600), 1_000)
    said = door.scores(rows(1_000, 3).x)
    assert np.isfinite(said[:512]).all()
    assert np.isnan(said[600:]).all()
    assert door.spent == 512
    assert "too many requests" in door.stopped
    assert np.isnan(door.scores(rows(5, 4).x)).all()
    assert not door.changed(), "whoever does not answer cannot be asked again"


def test_a_rate_limit_in_the_middle_is_inconclusive_with_reason_and_n(models: Any) -> None:
    here = world(Troubled(inner=models[0], stops=150), None, rows(800, 2))
    part = execute(task(NAME, SMALL), here)
    assert part.status is Status.INCONCLUSIVE
    assert "stopped after 100 of 300 queries" in part.reason
    assert "too many requests" in part.reason
    assert part.queries == 100
    assert figure(part, "f1").value is None


def test_a_limit_reached_while_judging_keeps_what_was_learnt(models: Any) -> None:
    here = world(Troubled(inner=models[0], stops=300 + 20 + 600), None, rows(1_500, 2))
    part = execute(task(NAME, SMALL), here)
    close = figure(part, "f1")
    assert close.n == 512
    assert close.value > 0.5
    assert close.queries == 300


def test_an_endpoint_that_never_answers_is_no_crash(models: Any) -> None:
    part = execute(task(NAME, SMALL), world(Troubled(inner=models[0], stops=0), None, rows(400, 2)))
    assert part.status is Status.INCONCLUSIVE
    assert "too many requests" in part.reason
    assert {m.metric for m in part.measurements} == {"f1", "kappa", "auc_ratio"}


def test_a_model_that_changes_while_it_is_asked_is_noticed(models: Any) -> None:
    here = world(Troubled(inner=models[0], later=models[1], changes=200), None, rows(800, 2))
    part = execute(task(NAME, SMALL), here)
    assert part.status is Status.INCONCLUSIVE
    assert "the model changed while it was asked" in part.reason
    close = figure(part, "f1")
    assert close.status is Status.INCONCLUSIVE
    assert close.value is not None
    assert close.n == 720
    steady = execute(task(NAME, SMALL), world(Troubled(inner=models[0]), None, rows(800, 2)))
    assert steady.status is Status.OK


def test_a_few_rows_it_cannot_read_are_left_out_and_many_are_said(models: Any) -> None:
    few = world(Troubled(inner=models[0], fails=lambda x: x[:, 0] > 2.0), None, rows(1_200, 2))
    part = execute(task(NAME, SMALL), few)
    assert part.status is Status.OK
    assert 285 <= figure(part, "f1").queries < 300
    assert figure(part, "f1").n > 1_000
    assert part.queries == 320, "a row that fails is paid for"
    many = world(Troubled(inner=models[0], fails=lambda x: x[:, 0] > 1.0), None, rows(1_200, 2))
    part = execute(task(NAME, SMALL), many)
    assert part.status is Status.INCONCLUSIVE
    assert "it failed on 2" in part.reason


def test_a_service_that_fails_on_everything_is_given_up_soon(models: Any) -> None:
    target = Troubled(inner=models[0], fails=lambda x: np.ones(len(x), dtype=bool))
    door = Door(target, 5_000)
    assert np.isnan(door.scores(rows(2_000, 3).x)).all()
    assert door.failed == door.spent == 20


def test_a_random_model_is_not_accused_of_having_changed(models: Any) -> None:
    target = Troubled(inner=models[0], later=models[1], changes=100, stochastic=True)
    door = Door(target, 200)
    door.scores(rows(200, 3).x)
    assert not door.changed()


def test_the_budget_is_never_passed_and_the_rest_is_not_sent(models: Any) -> None:
    target = Troubled(inner=models[0])
    door = Door(target, 300)
    said = np.concatenate([door.scores(rows(170, 3).x), door.scores(rows(400, 4).x)])
    assert door.spent == target.asked == 300
    assert np.isfinite(said[:300]).all()
    assert np.isnan(said[300:]).all()
    assert heard(target, rows(7, 1).x).shape == (7, 2)


def test_too_few_queries_decide_nothing_and_how_many_would_is_said(models: Any) -> None:
    here = world(models[0], None, rows(800, 2))
    part = run(task(NAME, SMALL, options=(("queries", 40),)), here)
    assert part.status is Status.INCONCLUSIVE
    assert "40 queries cannot show that a model is hard to copy; it takes 100" in part.reason
    assert figure(part, "f1").value is not None
    part = run(task("extraction.equation_solving", SMALL, options=(("queries", 10),)), here)
    assert part.status is Status.INCONCLUSIVE
    assert "take 18 queries and 10 are allowed" in part.reason


def test_the_way_to_a_level_goes_on_as_the_curve_did() -> None:
    points = [Point(at=at, value=value, low=0, high=1) for at, value in ((100, 0.7), (1_000, 0.8))]
    assert "about 10,000 would" in _further(points, 0.9)
    assert _further(points[:1], 0.9) == ""
    assert _further([points[1], points[0]], 0.9) == ""
    assert "nor would a million" in _further(points, 1.4)
