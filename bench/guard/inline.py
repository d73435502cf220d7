"""What the guard's own stages cost a request: everything that happens between HTTP and the model, step by step.

    python -m bench.guard.inline [--quick]

The gateway of `serving` (30 columns, every stage on) is put together as `temper serve` does it, with a real key, and
its own parts are called in the order in which a request meets them: 1 request, and 8 and 32 that arrive in one pass of
the event loop, of which each has one row, drawn from held-out ones. The model says what it said of other rows before,
at no cost. The referee is the processor time of the event loop's thread, less what reading that clock takes; the thread
that writes the journal is not in it, and one batch follows the other without waiting for it. "Sum" is what the goal
means. Below it stands the whole application without a server: the same, and the tasks, futures and passes of the loop
that carry it, with every batch waiting for the disk.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import uvloop

from bench.guard import _services as services
from bench.table import MEDIANS, goal, machine, median, table
from temper.core.serving import Scoring
from temper.gateway.tables.build import Gateway, opened
from temper.guard.serving import pipeline as piped
from temper.guard.serving.breaker import Outcome
from temper.guard.serving.concurrency import Limiter

TOGETHER = (1, 8, 32)
LIMIT = 25.0
_NUMBER = count()
_ENCODER = msgspec.json.Encoder()
_CLOCK = time.thread_time


@dataclass(slots=True, eq=False)
class Request:
    """A request on its way."""

    body: bytes
    headers: dict[bytes, bytes]
    id: str = field(default_factory=lambda: f"r{next(_NUMBER)}")
    scoring: Any = None
    waiting: Any = None


Batch = list[Request]
Step = Callable[[Batch], None]


@dataclass(slots=True, eq=False)
class Known:
    """Stands for the model: scores it gave to held-out rows, one after the other."""

    scores: np.ndarray[Any, Any]
    inline: bool = True
    at: int = 0

    def score(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """As many scores as there are rows."""
        start = self.at % (len(self.scores) - len(rows))
        self.at += len(rows)
        return self.scores[start : start + len(rows)]

    async def ask(self, rows: np.ndarray[Any, Any], seconds: float, trace: str = "") -> np.ndarray[Any, Any]:
        """The same."""
        return self.score(rows)


def main(words: list[str]) -> int:
    """Print the table and the goals."""
    quick = "--quick" in words
    print(f"{machine('numpy', 'msgspec', 'numba')}\n{MEDIANS}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = services.write(folder)
        path = folder / "temper.yaml"
        path.write_text(path.read_text(encoding="utf-8").replace("  open: true\n", ""), encoding="utf-8")
        gateway = opened(path)
        try:
            uvloop.run(_leased(gateway, _measured(gateway, rows, 10 if quick else 30, 320 if quick else 1_280)))
        finally:
            gateway.close()
    return 0


async def _leased(gateway: Gateway, work: Coroutine[Any, Any, None]) -> None:
    """The work while shares of the quotas come from the control store, as they do where a gateway is served."""
    gateway.lasting.leasing.start()
    try:
        await work
    finally:
        await gateway.lasting.leasing.stop()


async def _measured(gateway: Gateway, rows: np.ndarray[Any, Any], rounds: int, many: int) -> None:
    """`many` requests a round for every number of requests together."""
    token = gateway.control.keys.add("shop", "bench", time.time())
    gateway.tending.snapshot = gateway.control.keys.snapshot()
    headers = {b"host": b"temper", b"authorization": f"Bearer {token}".encode(), b"content-type": b"application/json"}
    bodies = [json.dumps({"row": dict(zip(services.COLUMNS, row.tolist(), strict=True))}).encode() for row in rows]
    model = Known(gateway.live.served.score(rows))
    gateway.live.pipeline.model = model
    _patient(gateway)
    steps = _steps(gateway, model)
    gc.collect()
    gc.freeze()
    fresh = _drawn(bodies, headers)
    spent: dict[tuple[str, int], list[float]] = {}
    for turn in range(rounds + 1):
        for together in TOGETHER:
            batches = [[next(fresh) for _ in range(together)] for _ in range(many // together)]
            found = await _round(steps, batches)
            batches = [[next(fresh) for _ in range(together)] for _ in range(many // together)]
            found["whole"] = await _whole(gateway, batches)
            for name, seconds in found.items() if turn else ():  # the first warms up
                spent.setdefault((name, together), []).append(1e6 * seconds / many)
    _print(list(steps), spent)


def _patient(gateway: Gateway) -> None:
    """On a slow or busy machine answers come late: nobody is turned away for that here, since the referee is the
    processor's time. Every request is still let in and looked after as ever.
    """
    live = gateway.live
    config = replace(live.pipeline.limiter.config, start=128, floor=max(TOGETHER))
    live.pipeline.limiter = Limiter(config=config)
    live.app.deadline = 60.0


def _drawn(bodies: Sequence[bytes], headers: dict[bytes, bytes]) -> Any:
    rng = np.random.default_rng(0)
    while True:
        yield Request(bodies[rng.integers(len(bodies))], dict(headers))


async def _round(steps: dict[str, Step], batches: Sequence[Batch]) -> dict[str, float]:
    """Processor seconds of every step."""
    spent = dict.fromkeys(steps, 0.0)
    clock = _clock()
    for batch in batches:
        for name, step in steps.items():
            began = _CLOCK()
            step(batch)
            spent[name] += _CLOCK() - began - clock
        await asyncio.sleep(0)
    await asyncio.gather(*(one.waiting for batch in batches for one in batch))
    return spent


def _clock() -> float:
    """What it takes to read the clock."""
    taken = []
    for _ in range(200):
        began = _CLOCK()
        taken.append(_CLOCK() - began)
    return float(np.median(taken))


def _steps(gateway: Gateway, model: Known) -> dict[str, Step]:
    """The gateway's own parts in the order of a request."""
    live, now = gateway.live, time.monotonic
    app, pipeline, counted = live.app, live.pipeline, gateway.counted
    limits = app.limits
    assert limits is not None, "the guard that is measured has a quota"

    def each(work: Callable[[Request], object]) -> Step:
        def step(batch: Batch) -> None:
            for one in batch:
                work(one)

        return step

    def decode(one: Request) -> None:
        asked, at = app._decoder.decode(one.body), now()
        one.scoring = Scoring(rows=asked.rows, client="shop", request=one.id, at=at, deadline=at + 1.0)

    async def nothing() -> bytes:
        return b""

    def once(one: Request) -> None:
        try:
            app.once.once("shop", one.id, one.body, one.scoring.at, nothing).send(None)
        except StopIteration:
            return
        raise RuntimeError("a request that came once had to wait")

    def admitted(one: Request) -> None:
        if not pipeline.limiter.admit():
            raise RuntimeError("there were too many")
        pipeline.limiter.leave(now() - one.scoring.at, True)

    def permitted(one: Request) -> None:
        permit = pipeline._permit(one.scoring)
        if permit is None:
            raise RuntimeError("the breaker is open")
        pipeline.breaker.record(permit, Outcome.SUCCESS, 1e-5, now())

    def output(batch: Batch) -> None:
        scorings = [one.scoring for one in batch]
        rows, scores = piped._rows(scorings), model.score(np.empty(len(batch)))
        for at, one in enumerate(scorings):
            one.scores = scores[at : at + 1]
        if pipeline.learn is not None:
            pipeline.learn(rows, scores)
        pipeline._together(scorings, pipeline.after)

    def audit(one: Request) -> None:
        one.waiting = asyncio.get_running_loop().create_future()
        pipeline.record(one.scoring, one.waiting)

    def count(one: Request) -> None:
        counted.seconds.add(now() - one.scoring.at)
        counted.add("requests_total", (("status", "200"),))

    return {
        "key": each(lambda one: app._client(one.headers)),
        "quota": each(lambda one: limits.take("shop", 1)),
        "decode, schema, bounds": each(decode),
        "idempotency": each(once),
        "extraction": each(lambda one: pipeline._looked(one.scoring, pipeline.each)),
        "concurrency": each(admitted),
        "anomaly (three detectors)": lambda batch: pipeline._together([one.scoring for one in batch], pipeline.before),
        "breaker": each(permitted),
        "output, known rows": output,
        "audit, handed over": each(audit),
        "reply": each(lambda one: _ENCODER.encode(app._document(piped._answer(one.scoring), one.id))),
        "metrics": each(count),
    }


async def _whole(gateway: Gateway, batches: Sequence[Batch]) -> float:
    """The application itself, called as a server calls it; processor seconds of this thread."""
    began = _CLOCK()
    for batch in batches:
        told = await asyncio.gather(*(_asked(gateway, one) for one in batch))
        if any(status != 200 for status in told):
            raise RuntimeError(f"answered {told}")
    return _CLOCK() - began


async def _asked(gateway: Gateway, one: Request) -> int:
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": one.body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    head = [*one.headers.items(), (b"content-length", b"%d" % len(one.body))]
    await gateway({"type": "http", "method": "POST", "path": "/v1/score", "headers": head}, receive, send)
    return status


def _print(names: Sequence[str], spent: dict[tuple[str, int], list[float]]) -> None:
    for together in TOGETHER:
        sums = np.sum([spent[name, together] for name in names], axis=0).tolist()
        spent["sum", together] = sums
    rows = [
        [name, *(median(spent[name, together]).show(2) for together in TOGETHER)] for name in (*names, "sum", "whole")
    ]
    rounds = len(spent["sum", 1])
    table(
        f"CPU µs a request, n = {rounds} rounds",
        ["step", *(f"{together} together" for together in TOGETHER)],
        rows,
    )
    for together in TOGETHER:
        goal(f"P9 sum of the steps, {together} together", median(spent["sum", together]).value, LIMIT, "µs", digits=1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
