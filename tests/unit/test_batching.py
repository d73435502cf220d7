"""Micro-batches: every caller gets its own rows' scores whatever else is in the batch, fails or is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from temper.core.errors import ContractError
from temper.guard.serving.batching import Batcher


def score(rows: np.ndarray) -> np.ndarray:
    """A score that names its row: exact in float32, and other for every row of the tests."""
    return rows[:, 0] * 1_000 + rows[:, 1]


def rows_of(caller: int, many: int) -> np.ndarray:
    return np.array([[caller, at] for at in range(many)], np.float32).reshape(many, 2)


@settings(max_examples=200, deadline=None)
@given(
    callers=st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 3), st.sampled_from([None, None, 0, 1, 2])), min_size=1, max_size=30
    ),
    most=st.integers(1, 12),
)
def test_every_caller_gets_exactly_its_own(callers: list[tuple[int, int, int | None]], most: int) -> None:
    """Callers of any number of rows come in any pass of the loop, some are cancelled before or after that."""
    sizes: list[int] = []

    def predict(rows: np.ndarray) -> np.ndarray:
        sizes.append(len(rows))
        return score(rows)

    async def ask(batcher: Batcher, caller: int, many: int, passes: int) -> np.ndarray:
        for _ in range(passes):
            await asyncio.sleep(0)
        return await batcher.scores(rows_of(caller, many))

    async def cancel(task: asyncio.Task[Any], passes: int) -> None:
        for _ in range(passes):
            await asyncio.sleep(0)
        task.cancel()

    async def story() -> list[Any]:
        batcher = Batcher(predict=predict, columns=2, most=most)
        tasks, cancels = [], []
        for caller, (many, passes, cancelled) in enumerate(callers):
            tasks.append(asyncio.create_task(ask(batcher, caller, many, passes)))
            if cancelled is not None:
                cancels.append(asyncio.create_task(cancel(tasks[-1], cancelled)))
        found = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert batcher.rows == sum(sizes)
        assert not batcher._queue
        return found

    for caller, (found, (many, _, cancelled)) in enumerate(zip(asyncio.run(story()), callers, strict=True)):
        if isinstance(found, asyncio.CancelledError):
            assert cancelled is not None
        else:
            assert found.tolist() == score(rows_of(caller, many)).tolist()
    assert max(sizes, default=0) <= most


def together(batcher: Batcher, *requests: np.ndarray) -> list[Any]:
    async def story() -> list[Any]:
        return await asyncio.gather(*(batcher.scores(rows) for rows in requests), return_exceptions=True)

    return asyncio.run(story())


def test_what_comes_in_one_pass_is_one_batch_up_to_its_size() -> None:
    batcher = Batcher(predict=score, columns=2, most=8)
    together(batcher, *(rows_of(at, 1) for at in range(20)))
    assert (batcher.batches, batcher.rows) == (3, 20)


def test_a_request_of_many_rows_is_scored_in_pieces_and_given_whole() -> None:
    batcher = Batcher(predict=score, columns=2, most=8)
    found = together(batcher, rows_of(1, 3), rows_of(2, 30), rows_of(3, 1))
    assert [one.tolist() for one in found] == [score(rows_of(at, n)).tolist() for at, n in ((1, 3), (2, 30), (3, 1))]


def test_a_batch_that_fails_fails_its_own_callers_only() -> None:
    def picky(rows: np.ndarray) -> np.ndarray:
        if (rows[:, 0] == 5).any():
            raise ValueError("a row this model cannot take")
        return score(rows)

    batcher = Batcher(predict=picky, columns=2, most=4)
    found = together(batcher, *(rows_of(at, 1) for at in range(12)))
    assert [isinstance(one, ValueError) for one in found] == [at in (4, 5, 6, 7) for at in range(12)]
    assert together(batcher, rows_of(9, 1))[0].tolist() == [9_000.0]


@pytest.mark.parametrize(
    "wrong", [lambda rows: score(rows)[:-1], lambda rows: score(rows)[:, None], lambda rows: score(rows)[:1].sum()]
)
def test_a_model_that_gives_another_number_of_scores_answers_nobody(wrong: Callable[[np.ndarray], Any]) -> None:
    found = together(Batcher(predict=wrong, columns=2), rows_of(1, 2), rows_of(2, 1))
    assert all(isinstance(one, ContractError) for one in found)


def test_rows_of_another_width_are_refused_before_they_meet_others() -> None:
    batcher = Batcher(predict=score, columns=2)
    found = together(batcher, rows_of(1, 1), np.zeros((1, 3)), np.zeros(2), rows_of(2, 1))
    assert [isinstance(one, ContractError) for one in found] == [False, True, True, False]


def test_no_rows_have_no_scores() -> None:
    assert together(Batcher(predict=score, columns=2), np.zeros((0, 2)))[0].shape == (0,)


def test_a_row_alone_equals_the_row_in_a_batch_of_a_fitted_model() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 6)).astype(np.float32)
    model = HistGradientBoostingClassifier(max_iter=20).fit(x, x[:, 0] * x[:, 1] > 0)
    batcher = Batcher(predict=lambda rows: model.predict_proba(rows)[:, 1], columns=6, most=16)
    alone = np.concatenate([together(batcher, row[None])[0] for row in x[:60]])
    order = rng.permutation(60)
    cuts = np.sort(rng.choice(np.arange(1, 60), 20, replace=False))
    found = np.concatenate(together(batcher, *np.split(x[:60][order], cuts)))
    assert found.tolist() == alone[order].tolist()
