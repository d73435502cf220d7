"""The chain of fallbacks: there always is an answer in time, it says whose it is, and a hung link delays little."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from temper.core.errors import ConfigError
from temper.core.serving import Source
from temper.guard.serving.fallback import Chain, Challenger, Degraded, LastKnown, Rule, Rules

ROWS = np.array([[700.0, 20.0], [3.0, 50.0]], np.float32)


@dataclass(frozen=True)
class Does:
    """A link that does as told."""

    what: Any
    source: Source = Source.CHALLENGER

    async def answer(self, rows: np.ndarray) -> Any:
        told = self.what if isinstance(self.what, str) else ""
        if told == "hang":
            await asyncio.sleep(60)
        if told == "clings":
            for _ in range(10):
                try:
                    await asyncio.sleep(0.02)
                except asyncio.CancelledError:
                    continue
        if isinstance(self.what, BaseException):
            raise self.what
        return self.what


def asked(*links: Any, seconds: float = 1.0, rows: np.ndarray = ROWS, **more: Any) -> Degraded:
    return asyncio.run(Chain(links=links, **more).answer(rows, seconds))


def test_the_first_link_that_knows_answers_and_says_so() -> None:
    found = asked(Does(None), Does(ValueError("secret")), Does(np.array([0.1, 0.2]), Source.RULES), Does("hang"))
    assert found.scores.tolist() == [0.1, 0.2]
    assert (found.source, found.degraded) == (Source.RULES, True)
    assert found.tried == ((Source.CHALLENGER, "knows none of it"), (Source.CHALLENGER, "ValueError"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (np.array([0.1]), r"gave \(1,\) of float64 for 2 rows"),
        (np.array([[0.1], [0.2]]), "gave"),
        (np.array([0.1, np.nan]), "not finite"),
        (np.array([0.1, np.inf]), "not finite"),
        (np.array(["a", "b"]), "gave"),
        (asyncio.CancelledError(), "cancelled"),
    ],
)
def test_an_answer_that_cannot_be_used_is_none_and_the_end_is_safe(wrong: Any, told: str) -> None:
    found = asked(Does(wrong), score=0.7, last=Source.HUMAN)
    assert (found.source, found.scores.tolist()) == (Source.HUMAN, [pytest.approx(0.7)] * 2)
    assert re.search(told, found.tried[0][1])


def test_a_link_that_hangs_leaves_time_for_the_next() -> None:
    start = time.monotonic()
    found = asked(Does("hang"), Does(np.array([0.1, 0.2]), Source.RULES), seconds=0.1)
    assert found.source is Source.RULES
    assert 0.04 < time.monotonic() - start < 0.09
    assert found.tried == ((Source.CHALLENGER, "no answer in 0.05 s"),)


def test_a_link_that_ignores_being_cancelled_is_left_behind() -> None:
    async def story() -> tuple[float, Degraded]:
        start = time.monotonic()
        found = await Chain(links=(Does("clings"),)).answer(ROWS, 0.05)
        return time.monotonic() - start, found

    seconds, found = asyncio.run(story())
    assert found.source is Source.DEFAULT
    assert seconds < 0.05


def test_without_time_there_is_an_answer_all_the_same() -> None:
    found = asked(Does(np.array([0.1, 0.2])), seconds=0.0)
    assert (found.source, found.tried) == (Source.DEFAULT, ((Source.CHALLENGER, "no time was left"),))


def test_who_asked_may_be_cancelled_and_so_is_the_link() -> None:
    ended = []

    class Seen:
        source = Source.CHALLENGER

        async def answer(self, rows: np.ndarray) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(True)

    async def story() -> None:
        task = asyncio.create_task(Chain(links=(Seen(),)).answer(ROWS, 60.0))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)

    asyncio.run(story())
    assert ended == [True]


def test_a_challenger_may_be_a_function_or_a_coroutine() -> None:
    async def later(rows: np.ndarray) -> np.ndarray:
        await asyncio.sleep(0)
        return rows[:, 0] / 1_000

    for predict in (later, lambda rows: rows[:, 0] / 1_000):
        found = asked(Challenger(predict=predict))
        assert (found.source, found.scores.tolist()) == (Source.CHALLENGER, pytest.approx([0.7, 0.003]))


def rules(*pairs: tuple[str, float], otherwise: float | None = None) -> Rules:
    return Rules(
        columns=("amount", "age"),
        rules=tuple(Rule(when=when, score=score) for when, score in pairs),
        otherwise=otherwise,
    )


def test_the_first_rule_that_holds_counts() -> None:
    found = asked(rules(("(amount > 500) * (age < 30)", 0.75), ("amount > 2", 0.5), ("amount > 0", 0.25)))
    assert (found.source, found.scores.tolist()) == (Source.RULES, [0.75, 0.5])


def test_a_missing_value_makes_a_comparison_false_and_can_be_asked_for() -> None:
    rows = np.array([[np.nan, 20.0]], np.float32)
    assert asked(rules(("amount > 0", 0.9)), rows=rows).source is Source.DEFAULT
    assert asked(rules(("amount > 0", 0.9), otherwise=0.25), rows=rows).scores.tolist() == [0.25]
    assert asked(rules(("amount != amount", 0.75)), rows=rows).scores.tolist() == [0.75]
    assert asked(rules(("amount", 0.75), otherwise=0.25), rows=rows).scores.tolist() == [0.25]


def test_a_rule_over_an_unknown_column_names_it() -> None:
    with pytest.raises(ConfigError, match=r"(?s)amont.*did you mean 'amount'"):
        rules(("amont > 5", 0.9))


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.floats(width=32), min_size=1, max_size=8), low=st.integers(-100, 100))
def test_rules_equal_plain_python_on_any_number(values: list[float], low: int) -> None:
    rows = np.array([[value, 0.0] for value in values], np.float32)
    made = rules((f"amount >= 0 - {-low}" if low < 0 else f"amount >= {low}", 0.75), otherwise=0.25)
    assert asked(made, rows=rows).scores.tolist() == [0.75 if value >= low else 0.25 for value in values]


def test_last_known_is_of_the_same_row_and_of_no_other() -> None:
    known = LastKnown()
    known.learn(ROWS, np.array([0.25, 0.5]))
    assert asked(known, rows=ROWS[::-1]).scores.tolist() == [0.5, 0.25]
    assert asked(known, rows=ROWS + 1).source is Source.DEFAULT
    known.learn(ROWS[:1], np.array([0.75]))
    assert asked(known, rows=ROWS[:1]).scores.tolist() == [0.75]


def test_minus_zero_is_zero_and_missing_is_a_segment() -> None:
    known = LastKnown(columns=(1,))
    known.learn(np.array([[1.0, -0.0], [1.0, np.nan]], np.float32), np.array([0.25, 0.75]))
    rows = np.array([[2.0, 0.0], [3.0, np.nan]], np.float32)
    assert asked(known, rows=rows).scores.tolist() == [0.25, 0.75]


def test_what_is_known_is_bounded_and_the_longest_unheard_goes_first() -> None:
    known = LastKnown(most=100)
    for at in range(1_000):
        known.learn(np.array([[float(at)], [-1.0]], np.float32), np.array([0.5, 0.25]))
    assert len(known._scores) == 100
    assert asked(known, rows=np.array([[-1.0]], np.float32)).source is Source.LAST_KNOWN


@pytest.mark.parametrize("wrong", [{"last": Source.PRIMARY}, {"share": 0.0}, {"score": float("nan")}])
def test_a_chain_without_a_safe_end_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Chain(**wrong)
