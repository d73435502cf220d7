"""Requests that go together are decided each by itself; nothing that breaks lets one through or holds it for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.errors import StoreError
from temper.core.serving import Answer, Mode, Scoring, Source
from temper.core.stage import ALLOWED, Decision, Level
from temper.guard.serving.breaker import Breaker, BreakerConfig, State
from temper.guard.serving.concurrency import Limiter, LimiterConfig
from temper.guard.serving.fallback import Chain, LastKnown, Rule, Rules
from temper.guard.serving.pipeline import Pipeline, Refuses

Array = np.ndarray[Any, Any]


@dataclass(slots=True)
class _Model:
    """The sum of a row; `does` may do something else."""

    inline: bool = True
    does: Callable[[Array], Any] = lambda rows: rows.sum(axis=1)
    calls: list[int] = field(default_factory=list)

    def score(self, rows: Array) -> Any:
        self.calls.append(len(rows))
        return self.does(rows)

    async def ask(self, rows: Array, seconds: float, trace: str = "") -> Any:
        found = self.score(rows)
        return await found if asyncio.iscoroutine(found) else found


@dataclass(frozen=True, slots=True)
class _Stage:
    """Decides by the rows of a request."""

    says: Callable[[Array], Decision]

    def check(self, scoring: Scoring) -> Decision:
        return self.says(scoring.rows)


def _above(limit: float, level: Level) -> _Stage:
    return _Stage(lambda rows: Decision(level=level, reason="large") if (rows > limit).any() else ALLOWED)


def _recorded(scoring: Scoring, waiting: asyncio.Future[Any]) -> None:
    waiting.set_result(0)


def _pipeline(model: _Model | None = None, **about: Any) -> Pipeline:
    usual: dict[str, Any] = {
        "record": _recorded,
        "breaker": Breaker(config=BreakerConfig(window=4, least=2, open_seconds=60.0)),
        "limiter": Limiter(config=LimiterConfig(start=256)),
        "chain": Chain(score=-1.0, last=Source.HUMAN),
    }
    return Pipeline(model=model or _Model(), **{**usual, **about})


def _scoring(*rows: Sequence[float], seconds: float = 1.0, client: str = "shop") -> Scoring:
    now = time.monotonic()
    return Scoring(rows=np.array(rows, dtype=float), client=client, request="r", at=now, deadline=now + seconds)


def _answers(pipeline: Pipeline, *scorings: Scoring) -> list[Any]:
    async def story() -> list[Any]:
        return await asyncio.gather(*map(pipeline.answer, scorings), return_exceptions=True)

    return asyncio.run(story())


def test_a_request_is_scored_and_recorded_before_it_is_answered() -> None:
    written: list[Scoring] = []

    def record(scoring: Scoring, waiting: asyncio.Future[Any]) -> None:
        written.append(scoring)
        asyncio.get_running_loop().call_later(0.05, waiting.set_result, 0)

    before = time.monotonic()
    (found,) = _answers(_pipeline(record=record), _scoring((1.0, 2.0)))
    assert time.monotonic() - before >= 0.045
    assert found.scores.tolist() == [3.0]
    assert found.levels == (Level.ALLOW,)
    assert not found.degraded
    assert written[0].scores is not None


_REQUESTS = st.lists(
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=4), min_size=1, max_size=12
)


@settings(max_examples=60, deadline=None)
@given(_REQUESTS, st.booleans(), st.sets(st.integers(0, 11)))
def test_together_each_gets_what_it_gets_alone(requests: Any, inline: bool, cancelled: set[int]) -> None:
    stages: dict[str, Any] = {
        "before": (("low", Mode.ENFORCE, _above(5.0, Level.REVIEW)), ("high", Mode.ENFORCE, _above(8.0, Level.BLOCK))),
        "after": (("odd", Mode.ENFORCE, _above(7.0, Level.REVISE)),),
        "review": (0.0, 0.5),
    }
    alone = [_answers(_pipeline(_Model(inline=inline), **stages), _scoring(*rows))[0] for rows in requests]

    async def story() -> list[Any]:
        pipeline = _pipeline(_Model(inline=inline), **stages)
        tasks = [asyncio.create_task(pipeline.answer(_scoring(*rows))) for rows in requests]
        await asyncio.sleep(0)
        for at in cancelled & set(range(len(tasks))):
            tasks[at].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    for at, (one, other) in enumerate(zip(alone, asyncio.run(story()), strict=True)):
        if at not in cancelled:
            assert one.scores.tolist() == other.scores.tolist()
            assert (one.levels, one.source) == (other.levels, other.source)
            assert one.decisions == other.decisions


def test_what_arrives_together_is_one_call_of_the_model() -> None:
    model = _Model()
    found = _answers(_pipeline(model), *(_scoring((float(at), 0.0)) for at in range(20)))
    assert [one.scores.tolist() for one in found] == [[float(at)] for at in range(20)]
    assert model.calls == [20]


def test_block_before_the_model_means_that_it_is_not_asked() -> None:
    model = _Model()
    stage = ("gate", Mode.ENFORCE, _above(5.0, Level.BLOCK))
    blocked, passed = _answers(_pipeline(model, before=(stage,)), _scoring((9.0, 0.0)), _scoring((1.0, 1.0)))
    assert blocked.levels == (Level.BLOCK,)
    assert len(blocked.scores) == 0
    assert passed.scores.tolist() == [2.0]
    assert model.calls == [1]


def test_block_behind_the_model_tells_nobody_the_score() -> None:
    (found,) = _answers(_pipeline(after=(("out", Mode.ENFORCE, _above(5.0, Level.BLOCK)),)), _scoring((9.0, 0.0)))
    assert found.levels == (Level.BLOCK,)
    assert len(found.scores) == 0


def test_a_shadow_writes_down_and_changes_nothing() -> None:
    counted: list[tuple[str, str, str]] = []
    stage = ("gate", Mode.SHADOW, _above(5.0, Level.BLOCK))
    pipeline = _pipeline(each=(stage,), counts=lambda *told: counted.append(told))
    (found,) = _answers(pipeline, _scoring((9.0, 0.0)))
    assert found.levels == (Level.ALLOW,)
    assert found.scores.tolist() == [9.0]
    assert found.decisions[0].reason == "shadow, BLOCK: large"
    assert counted == [("gate", "BLOCK", "shadow")]


@pytest.mark.parametrize("place", ["each", "before", "after"])
def test_a_stage_that_breaks_lets_nothing_through(place: str) -> None:
    def breaks(rows: Array) -> Decision:
        if (rows > 5.0).any():
            raise RuntimeError("secret row")
        return ALLOWED

    stages: dict[str, Any] = {place: (("broken", Mode.ENFORCE, _Stage(breaks)),)}
    ill, well = _answers(_pipeline(**stages), _scoring((9.0, 0.0)), _scoring((1.0, 0.0)))
    assert ill.levels == (Level.BLOCK,)
    assert ill.decisions[0].reason == "the stage failed: RuntimeError"
    assert well.scores.tolist() == [1.0]


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_never_gets_out(inline: bool, value: float) -> None:
    def does(rows: Array) -> Array:
        return np.where(rows[:, 0] > 5, value, rows.sum(axis=1))

    breaker = Breaker(config=BreakerConfig(window=50, least=40))
    pipeline = _pipeline(_Model(inline=inline, does=does), breaker=breaker)
    found = _answers(pipeline, *(_scoring((float(at % 10), 0.0)) for at in range(40)))
    for at, one in enumerate(found):
        assert one.scores.tolist() == ([-1.0] if at % 10 > 5 else [float(at % 10)])
        assert one.source is (Source.HUMAN if at % 10 > 5 else Source.PRIMARY)
        assert one.degraded is (at % 10 > 5)
    assert breaker.view(0.0).failed == 16


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize("does", [lambda rows: 1 / 0, lambda rows: rows[:-1].sum(axis=1), lambda rows: np.empty(0)])
def test_a_model_that_fails_opens_its_breaker_and_others_answer(inline: bool, does: Any) -> None:
    model = _Model(inline=inline, does=does)
    pipeline = _pipeline(model)

    async def story() -> list[Answer]:
        return [await pipeline.answer(_scoring((1.0, 1.0))) for _ in range(6)]

    found = asyncio.run(story())
    assert all(one.source is Source.HUMAN and one.scores.tolist() == [-1.0] for one in found)
    assert pipeline.breaker.state is State.OPEN
    assert len(model.calls) == 2


def test_a_model_that_hangs_is_left_before_the_deadline() -> None:
    async def hangs(rows: Array) -> Array:
        await asyncio.sleep(30)
        return rows

    began = time.monotonic()
    (found,) = _answers(_pipeline(_Model(inline=False, does=hangs)), _scoring((1.0, 1.0), seconds=0.2))
    assert found.source is Source.HUMAN
    assert time.monotonic() - began < 1.0


def test_what_the_model_said_when_it_was_well_answers_when_it_is_not() -> None:
    ill = [False]
    known = LastKnown()
    model = _Model(does=lambda rows: 1 / 0 if ill[0] else rows.sum(axis=1))
    pipeline = _pipeline(model, chain=Chain(links=(known,), score=-1.0), learn=known.learn)

    async def story() -> list[Answer]:
        first = await pipeline.answer(_scoring((1.0, 2.0)))
        ill[0] = True
        return [first, await pipeline.answer(_scoring((1.0, 2.0))), await pipeline.answer(_scoring((7.0, 7.0)))]

    first, again, unknown = asyncio.run(story())
    assert (again.scores.tolist(), again.source) == (first.scores.tolist(), Source.LAST_KNOWN)
    assert (unknown.scores.tolist(), unknown.source) == ([-1.0], Source.DEFAULT)


def test_what_stands_in_answers_each_request_by_itself() -> None:
    rules = Rules(columns=("a", "b"), rules=(Rule(when="a > 5", score=0.9),))
    pipeline = _pipeline(stopped=True, chain=Chain(links=(rules,), score=0.5))
    known, unknown = _answers(pipeline, _scoring((9.0, 0.0)), _scoring((1.0, 0.0)))
    assert (known.source, unknown.source) == (Source.RULES, Source.DEFAULT)


def test_a_disk_that_hangs_refuses_in_time_and_one_that_fails_at_once() -> None:
    def hangs(scoring: Scoring, waiting: asyncio.Future[Any]) -> None:
        pass

    def fails(scoring: Scoring, waiting: asyncio.Future[Any]) -> None:
        waiting.set_exception(StoreError("no space on /secret/place"))

    def refuses(scoring: Scoring, waiting: asyncio.Future[Any]) -> None:
        raise StoreError("the queue is full")

    began = time.monotonic()
    (late,) = _answers(_pipeline(record=hangs), _scoring((1.0, 1.0), seconds=0.1))
    assert isinstance(late, Refuses)
    assert late.status == 504
    assert 0.09 < time.monotonic() - began < 1.0  # a machine that other tests share
    for record in (fails, refuses):
        (found,) = _answers(_pipeline(record=record), _scoring((1.0, 1.0)))
        assert isinstance(found, Refuses)
        assert (found.status, found.after) == (503, 1.0)
        assert "secret" not in found.message


def test_more_than_may_be_with_the_model_are_turned_away() -> None:
    limiter = Limiter(config=LimiterConfig(start=2, floor=2, cap=2))
    found = _answers(_pipeline(limiter=limiter), *(_scoring((1.0, 1.0)) for _ in range(5)))
    assert [isinstance(one, Refuses) for one in found] == [False, False, True, True, True]
    assert limiter.running == 0


def test_whoever_goes_away_gives_the_place_back() -> None:
    pipeline = _pipeline(record=lambda scoring, waiting: None)

    async def story() -> None:
        task = asyncio.create_task(pipeline.answer(_scoring((1.0, 1.0), seconds=60.0)))
        await asyncio.sleep(0.02)
        assert pipeline.limiter.running == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())
    assert pipeline.limiter.running == 0


def test_a_kill_switch_asks_the_model_nothing() -> None:
    model = _Model()
    (found,) = _answers(_pipeline(model, stopped=True), _scoring((1.0, 1.0)))
    assert found.source is Source.HUMAN
    assert not model.calls


def test_the_grey_zone_is_for_a_human() -> None:
    found = _answers(_pipeline(review=(1.5, 2.5)), _scoring((1.0, 1.0)), _scoring((3.0, 0.0)))
    assert [one.levels for one in found] == [(Level.REVIEW,), (Level.ALLOW,)]
