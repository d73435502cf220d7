"""Once is once: duplicates at the same time, later, with another body, cancelled; and never somebody else's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest

from temper.guard.serving.idempotency import Conflict, Idempotency


class Work:
    """Counts what it does, and can be held."""

    def __init__(self, answer: bytes = b"0.5", fault: Exception | None = None) -> None:
        self.answer, self.fault, self.done = answer, fault, 0
        self.go = asyncio.Event()

    async def __call__(self) -> bytes:
        self.done += 1
        await self.go.wait()
        if self.fault:
            raise self.fault
        return self.answer


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(coroutine)


def test_duplicates_at_the_same_time_wait_for_the_first() -> None:
    async def story() -> None:
        store, work = Idempotency(), Work()
        tasks = [asyncio.create_task(store.once("shop", "7", b"row", 0.0, work)) for _ in range(50)]
        await asyncio.sleep(0)
        work.go.set()
        found = await asyncio.gather(*tasks)
        assert work.done == 1
        assert found == [(b"0.5", False)] + [(b"0.5", True)] * 49

    run(story())


def test_another_body_under_the_same_id_is_a_conflict_now_and_later() -> None:
    async def story() -> None:
        store, work = Idempotency(), Work()
        first = asyncio.create_task(store.once("shop", "7", b"row", 0.0, work))
        await asyncio.sleep(0)
        with pytest.raises(Conflict, match="another body"):
            await store.once("shop", "7", b"other", 0.0, work)
        work.go.set()
        await first
        with pytest.raises(Conflict):
            await store.once("shop", "7", b"other", 1.0, work)
        assert work.done == 1

    run(story())


def test_nobody_gets_another_clients_answer() -> None:
    async def story() -> None:
        store, rng = Idempotency(answers=50), np.random.default_rng(0)

        async def ask(client: str, request: str) -> None:
            async def work() -> bytes:
                await asyncio.sleep(0)
                return f"{client}/{request}".encode()

            assert (await store.once(client, request, b"the same", 0.0, work))[0] == f"{client}/{request}".encode()

        names = [("a", "b"), ("ab", ""), ("", "ab"), ("a", "b "), ("a/b", "a"), ("a", "b/a")]
        tasks = []
        for _ in range(3_000):
            client, request = names[int(rng.integers(len(names)))]
            tasks.append(asyncio.create_task(ask(client, request + "x" * int(rng.integers(30)))))
            if rng.random() < 0.2:
                tasks[int(rng.integers(len(tasks)))].cancel()
            if rng.random() < 0.3:
                await asyncio.sleep(0)
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(one is None or isinstance(one, asyncio.CancelledError) for one in found)
        assert not store._running

    run(story())


def test_where_the_first_is_cancelled_the_next_does_the_work() -> None:
    async def story() -> None:
        store, work = Idempotency(), Work()
        tasks = [asyncio.create_task(store.once("shop", "7", b"row", 0.0, work)) for _ in range(4)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        tasks[2].cancel()
        await asyncio.wait([tasks[0]])
        await asyncio.sleep(0)
        assert work.done == 2
        work.go.set()
        assert [await tasks[1], await tasks[3]] == [(b"0.5", False), (b"0.5", True)]
        assert work.done == 2

    run(story())


def test_a_waiter_that_is_cancelled_harms_nobody() -> None:
    async def story() -> None:
        store, work = Idempotency(), Work()
        tasks = [asyncio.create_task(store.once("shop", "7", b"row", 0.0, work)) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.wait([tasks[1]])
        work.go.set()
        assert [await tasks[0], await tasks[2]] == [(b"0.5", False), (b"0.5", True)]

    run(story())


def test_trouble_is_told_to_who_waits_and_may_be_tried_again() -> None:
    async def story() -> None:
        store, work = Idempotency(), Work(fault=ConnectionError("gone"))
        tasks = [asyncio.create_task(store.once("shop", "7", b"row", 0.0, work)) for _ in range(3)]
        await asyncio.sleep(0)
        work.go.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in found] == [ConnectionError] * 3
        assert work.done == 1
        work.fault = None
        assert await store.once("shop", "7", b"row", 1.0, work) == (b"0.5", False)

    run(story())


def test_an_answer_is_kept_so_long_and_no_longer() -> None:
    async def story() -> None:
        store, work = Idempotency(seconds=60.0), Work()
        work.go.set()
        assert [await store.once("shop", "7", b"row", at, work) for at in (0.0, 59.0, 60.0, 119.0)] == [
            (b"0.5", False),
            (b"0.5", True),
            (b"0.5", False),
            (b"0.5", True),
        ]

    run(story())


def test_memory_is_bounded_by_count_bytes_and_age() -> None:
    async def story() -> None:
        store, work = Idempotency(answers=100, bytes_=5_000, seconds=10.0), Work(b"x" * 20)
        work.go.set()
        for at in range(1_000):
            await store.once("shop", f"{at}", b"row", 0.0, work)
            assert len(store._kept) <= 100
        assert await store.once("shop", "999", b"row", 0.0, work) == (b"x" * 20, True)
        work.answer = b"x" * 2_000
        for at in range(10):
            await store.once("shop", f"long {at}", b"row", 0.0, work)
            assert store._size == sum(len(one.answer) for one in store._kept.values()) <= 5_000
        work.answer = b"x" * 6_000
        assert await store.once("shop", "too long to keep", b"row", 0.0, work) == (work.answer, False)
        assert store._size == 0
        work.answer = b"x"
        await store.once("shop", "a", b"row", 0.0, work)
        await store.once("shop", "b", b"row", 11.0, work)
        assert list(store._kept) == [("shop", "b")]

    run(story())
