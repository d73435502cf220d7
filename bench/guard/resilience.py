"""What the guard's own resilience costs per request, and what circuit breakers do when it matters, with peers beside.

    python -m bench.guard.resilience [--quick]

Peers (pybreaker, purgatory) are in the bench environment; a side that is not installed is left out and named. Costs are
processor time in turns; the situations are events, not times.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from importlib.util import find_spec
from typing import Any

import numpy as np

from bench.table import MEDIANS, alternate, goal, machine, median, table
from temper.core.quota import Grant, QuotaConfig
from temper.guard.serving.breaker import Breaker, BreakerConfig, Outcome
from temper.guard.serving.concurrency import Limiter
from temper.guard.serving.fallback import Chain, LastKnown, Rule, Rules
from temper.guard.serving.golden import Golden, Probes
from temper.guard.serving.idempotency import Idempotency
from temper.guard.serving.quota import Quota
from temper.guard.serving.shares import Shares

OPEN = 0.05
Call = Callable[[], Awaitable[None]]


def main(words: list[str]) -> int:
    """Print the tables and the goals."""
    quick = "--quick" in words
    print(machine("pybreaker", "purgatory"), flush=True)
    sides = [Own, *(kind for kind in (PyBreaker, Purgatory) if find_spec(kind.name))]
    absent = [kind.name for kind in (PyBreaker, Purgatory) if not find_spec(kind.name)]
    if absent:
        print(f"not installed, so not compared: {', '.join(absent)}")
    _costs(sides, 20_000 if quick else 100_000, 5 if quick else 15)
    _stages(2_000 if quick else 5_000, 5 if quick else 15)
    _situations(sides)
    return 0


class Own:
    """The breaker of this project."""

    name = "temper"

    def __init__(self) -> None:
        self.breaker = Breaker(config=BreakerConfig(window=5, least=5, probes=1, open_seconds=OPEN, slow_seconds=0.01))

    async def protect(self, call: Call) -> None:
        """Run a call through the breaker; RuntimeError where it is turned away."""
        start = time.monotonic()
        if (permit := self.breaker.allow(start)) is None:
            raise RuntimeError("open")
        outcome = Outcome.IGNORED
        try:
            await call()
            outcome = Outcome.SUCCESS
        except ValueError:
            raise
        except Exception:
            outcome = Outcome.FAILURE
            raise
        finally:
            now = time.monotonic()
            self.breaker.record(permit, outcome, now - start, now)

    def blocking(self, call: Callable[[], None]) -> None:
        """Run a call that blocks its thread: only the bookkeeping is the breaker's."""
        permit = self.breaker.allow(time.monotonic())
        call()
        self.breaker.record(permit, Outcome.SUCCESS, 0.0, time.monotonic())

    def closed(self) -> bool:
        """Whether everything is let through."""
        return self.breaker.state.value == "closed"

    @staticmethod
    def tight(many: int) -> Callable[[], None]:
        """As many calls of nothing."""
        breaker, good = Breaker(), Outcome.SUCCESS
        allow, record = breaker.allow, breaker.record

        def run() -> None:
            for _ in range(many):
                record(allow(1.0), good, 0.01, 1.0)

        return run


class PyBreaker:
    """pybreaker, its context manager in coroutines and its `call` in threads."""

    name = "pybreaker"

    def __init__(self) -> None:
        import pybreaker

        self.breaker: Any = pybreaker.CircuitBreaker(fail_max=5, reset_timeout=OPEN, exclude=[ValueError])

    async def protect(self, call: Call) -> None:
        """See Own."""
        with self.breaker.calling():
            await call()

    def blocking(self, call: Callable[[], None]) -> None:
        """See Own."""
        self.breaker.call(call)

    def closed(self) -> bool:
        """See Own."""
        return bool(self.breaker.current_state == "closed")

    @staticmethod
    def tight(many: int) -> Callable[[], None]:
        """See Own."""
        call = PyBreaker().breaker.call

        def run() -> None:
            for _ in range(many):
                call(_nothing)

        return run


class Purgatory:
    """purgatory, its context managers."""

    name = "purgatory"

    def __init__(self) -> None:
        import purgatory

        factory = purgatory.AsyncCircuitBreakerFactory(default_threshold=5, default_ttl=OPEN, exclude=[ValueError])
        self.breaker: Any = asyncio.run(factory.get_breaker("model"))

    async def protect(self, call: Call) -> None:
        """See Own."""
        async with self.breaker:
            await call()

    def blocking(self, call: Callable[[], None]) -> None:
        """See Own."""
        with self.breaker.context:
            call()

    def closed(self) -> bool:
        """See Own."""
        return bool(self.breaker.context.state == "closed")

    @staticmethod
    def tight(many: int) -> Callable[[], None]:
        """See Own."""
        import purgatory

        breaker = purgatory.SyncCircuitBreakerFactory().get_breaker("model")

        def run() -> None:
            for _ in range(many):
                with breaker:
                    pass

        return run


def _costs(sides: list[Any], many: int, rounds: int) -> None:
    """Microseconds of processor time of one protected call that does nothing and succeeds."""
    spent = alternate([_loop(many), *(side.tight(many) for side in sides)], rounds, time.process_time)
    loop = median([1e6 * one / many for one in spent[0]])
    found = [median([1e6 * one / many for one in seconds]) for seconds in spent[1:]]
    rows = [
        [side.name, one.show(), f"{one.value - loop.value:.3f}", f"{one.value / found[0].value:.1f}x"]
        for side, one in zip(sides, found, strict=True)
    ]
    table(
        f"A breaker around a call that succeeds, CPU us per call, n = {rounds} rounds of {many:,}, {MEDIANS}",
        ["", "median", "without the empty loop", "ratio"],
        rows,
    )
    goal("allow + record", found[0].value - loop.value, 0.4, "us", digits=3)


def _stages(many: int, rounds: int) -> None:
    """The same for the other primitives, which have no peer that fits."""
    day = QuotaConfig(per_second=1e6, burst=100, per_day=10**12)
    rate, daily, shares = Quota(config=QuotaConfig(per_second=1e6, burst=100)), Quota(config=day), Shares(config=day)
    shares.put({"shop": Grant(10**12)}, 0.0)
    limiter = Limiter()

    def admit() -> None:
        limiter.admit()
        limiter.leave(0.01, True)

    now = [0.0]

    def later() -> float:
        now[0] += 1e-5
        return now[0]

    probes = Probes(rows=np.array([[1.0], [2.0]]), expected=np.array([0.1, 0.5]))
    golden, scores, rows = Golden(probes=probes), np.array([0.25]), np.array([[700.0, 3.0]])
    rules = Rules(columns=("amount", "age"), rules=(Rule(when="amount > 500", score=0.9),))
    chain, known, store = Chain(links=(rules,)), LastKnown(), Idempotency(answers=1_000)
    loop = asyncio.new_event_loop()

    async def answered() -> bytes:
        return b"0.25"

    async def fallen_back(times: int) -> None:
        for _ in range(times):
            await chain.answer(rows, 1.0)

    work = {
        "clock of the bench": later,
        "quota, rate (GCRA)": lambda: rate.take("shop", later()),
        "quota, rate and day": lambda: daily.take("shop", later()),
        "quota, leased share": lambda: shares.take("shop", 1.0),
        "limiter, admit + leave": admit,
        "golden, watch": lambda: golden.watch(scores),
        "last known, learn a row": lambda: known.learn(rows, scores),
        "idempotency, a new request": lambda: _driven(store.once("shop", str(later()), rows.data, now[0], answered)),
        "chain, one rule": lambda: loop.run_until_complete(fallen_back(10)),
    }
    spent = alternate([_repeat(one, many) for one in work.values()], rounds, time.process_time)
    loop.close()
    each = {name: many * (10 if name.startswith("chain") else 1) for name in work}
    shown = [
        [name, median([1e6 * one / each[name] for one in seconds]).show()]
        for name, seconds in zip(work, spent, strict=True)
    ]
    table(f"Other primitives, CPU us per request, n = {rounds} rounds of {many:,}", ["", "median"], shown)


def _situations(sides: list[Any]) -> None:
    """What each breaker does in situations that others' bug trackers tell of."""
    columns = ["", *(side.name for side in sides)]
    rows = [[what, *(str(run(side())) for side in sides)] for what, run in SITUATIONS.items()]
    table("Situations (one run each, no chance in them)", columns, rows)


async def _open(side: Any) -> None:
    for _ in range(5):
        await _tried(side, _fails)


async def _tried(side: Any, call: Call) -> None:
    try:
        await side.protect(call)
    except Exception:
        return


def _ten_at_once(side: Any) -> str:
    threads = [threading.Thread(target=side.blocking, args=(lambda: time.sleep(0.05),)) for _ in range(10)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return f"{time.monotonic() - start:.2f} s"


def _half_open(side: Any) -> str:
    reached = 0

    async def dead() -> None:
        nonlocal reached
        reached += 1
        await asyncio.sleep(0.02)
        raise ConnectionError

    async def run() -> None:
        await _open(side)
        await asyncio.sleep(1.2 * OPEN)
        await asyncio.gather(*(_tried(side, dead) for _ in range(100)))

    asyncio.run(run())
    return f"{reached} of 100"


def _cancelled_probe(side: Any) -> str:
    async def run() -> str:
        await _open(side)
        await asyncio.sleep(1.2 * OPEN)
        task = asyncio.create_task(_tried(side, _hangs))
        await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.wait([task])
        await _tried(side, _works)
        if side.closed():
            return "closed"
        await asyncio.sleep(1.2 * OPEN)
        await _tried(side, _works)
        return "opens again first" if side.closed() else "stuck"

    return asyncio.run(run())


def _stale_success(side: Any) -> str:
    async def run() -> str:
        answer = asyncio.Event()

        async def waits() -> None:
            await answer.wait()

        early = asyncio.create_task(_tried(side, waits))
        await asyncio.sleep(0)
        await _open(side)
        await asyncio.sleep(1.2 * OPEN)
        probe = asyncio.create_task(_tried(side, _hangs))
        await asyncio.sleep(0)
        answer.set()
        await early
        closes = side.closed()
        probe.cancel()
        await asyncio.wait([probe])
        return "closes it" if closes else "counts for nothing"

    return asyncio.run(run())


def _ignored_probe(side: Any) -> str:
    async def run() -> None:
        await _open(side)
        await asyncio.sleep(1.2 * OPEN)
        await _tried(side, _callers_mistake)

    asyncio.run(run())
    return "counts as recovery" if side.closed() else "counts for nothing"


def _every_second_fails(side: Any) -> str:
    async def run() -> None:
        for _ in range(100):
            await _tried(side, _fails)
            await _tried(side, _works)

    asyncio.run(run())
    return "not noticed" if side.closed() else "opens"


def _slow(side: Any) -> str:
    async def run() -> None:
        for _ in range(10):
            await _tried(side, _late)

    asyncio.run(run())
    return "not noticed" if side.closed() else "opens"


SITUATIONS: dict[str, Callable[[Any], str]] = {
    "10 calls of 50 ms in 10 threads take": _ten_at_once,
    "half open, 100 at once: reach the dead model": _half_open,
    "a cancelled probe, then a call that works": _cancelled_probe,
    "half open, a success from before it opened": _stale_success,
    "half open, the caller's own mistake": _ignored_probe,
    "every second call fails, 200 calls": _every_second_fails,
    "10 calls take 3 times as long as they may": _slow,
}


async def _fails() -> None:
    raise ConnectionError


async def _works() -> None:
    return None


async def _hangs() -> None:
    await asyncio.sleep(60)


async def _late() -> None:
    await asyncio.sleep(0.03)


async def _callers_mistake() -> None:
    raise ValueError


def _driven(work: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise RuntimeError("it waits")


def _nothing() -> None:
    return None


def _loop(many: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(many):
            pass

    return run


def _repeat(work: Callable[[], object], many: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(many):
            work()

    return run


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
