"""What the guarded proxy adds: latency and throughput through it, beside the model behind it.

    python -m bench.guard.proxy [--quick]

The model is the stand-in's server (SIMULATED), in a process of its own, once without delay, so that what is seen is
what the proxy costs, and once with 200 ms. The client keeps its connections. Sides take turns.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bench.table import goal, machine, table

LAYERS = {
    "output layers": ("canary", "spotlight", "output", "secrets", "egress"),
    "input and output layers": ("limits", "normaliser", "rules", "canary", "spotlight", "output", "secrets", "egress"),
}
PROMPT = "What is my balance? " + "Please take your time and explain what you find in plain words. " * 8


def main(words: list[str]) -> int:
    """Print both tables and the goals."""
    quick = "--quick" in words
    print(machine("aiohttp", "uvicorn"), flush=True)
    with _serving(_stand_in, 0.0) as direct:
        rows, added = _latency(direct, 100 if quick else 400)
        table("One question after another, ms (SIMULATED model without delay)", _COLUMNS, rows)
        goal("added to a question, p50, output layers", added, 10.0, "ms")
        _throughput(direct, 300 if quick else 1_200)
    with _serving(_stand_in, 0.2) as direct:
        _throughput(direct, 300 if quick else 1_200, delay=0.2)
    return 0


_COLUMNS = ["way", "n", "p50", "p90", "p99", "first piece p50"]


def _latency(direct: str, many: int) -> tuple[list[list[object]], float]:
    """Rows of latencies for the model itself and through each guard, whole and streamed; and what is added at p50."""
    rows, medians = [], {}
    for name, layers in {"direct": (), **LAYERS}.items():
        with _through(direct, layers) as url:
            asyncio.run(_ask(url, 20, 1))
            whole = asyncio.run(_ask(url, many, 1))[0]
            first = asyncio.run(_ask(url, many // 2, 1, stream=True))[0]
        medians[name] = float(np.median(whole))
        found = [f"{1e3 * value:.1f}" for value in np.percentile(whole, [50, 90, 99])]
        rows.append([name, many, *found, f"{1e3 * float(np.median(first)):.1f}"])
    return rows, 1e3 * (medians["output layers"] - medians["direct"])


def _throughput(direct: str, many: int, delay: float = 0.0) -> None:
    """Questions a second with 64 in flight."""
    rows = []
    for name, layers in {"direct": (), **LAYERS}.items():
        with _through(direct, layers) as url:
            asyncio.run(_ask(url, 64, 64))
            seconds, wall = asyncio.run(_ask(url, many, 64))
        p50, p99 = np.percentile(seconds, [50, 99])
        rows.append([name, many, f"{many / wall:.0f}", f"{1e3 * p50:.0f}", f"{1e3 * p99:.0f}"])
    title = f"64 in flight, model with {1e3 * delay:.0f} ms (SIMULATED); client, proxy and model share the cores"
    table(title, ["way", "n", "questions/s", "p50 ms", "p99 ms"], rows)


async def _ask(url: str, many: int, width: int, *, stream: bool = False) -> tuple[list[float], float]:
    """(seconds of every question, or until its first piece; seconds in all)."""
    import aiohttp

    seconds: list[float] = []
    left = iter(range(many))
    tools = [{"type": "function", "function": {"name": "get_balance"}}]
    asked = {"messages": [{"role": "user", "content": PROMPT}], "tools": tools, "stream": stream}

    async def work(session: aiohttp.ClientSession) -> None:
        for at in left:
            start = time.perf_counter()
            body = json.dumps(asked | {"seed": at}).encode()
            async with session.post(f"{url}/v1/chat/completions", data=body) as reply:
                if stream:
                    await reply.content.readany()
                    seconds.append(time.perf_counter() - start)
                await reply.read()
                if reply.status != 200:
                    raise SystemExit(f"status {reply.status}: {(await reply.text())[:200]}")
            if not stream:
                seconds.append(time.perf_counter() - start)

    begun = time.perf_counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=width)) as session:
        await asyncio.gather(*(work(session) for _ in range(width)))
    return seconds, time.perf_counter() - begun


@contextmanager
def _through(direct: str, layers: tuple[str, ...]) -> Iterator[str]:
    """The address of a proxy with these layers, or of the model itself."""
    if not layers:
        yield direct
        return
    with _serving(_proxy, direct, layers) as url:
        yield url


@contextmanager
def _serving(serve: Callable[..., None], *about: Any) -> Iterator[str]:
    """The address of a server in a process of its own."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(port, *about), daemon=True)
    process.start()
    try:
        _wait(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.join(10)


def _wait(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the server did not start")


def _stand_in(port: int, delay: float) -> None:
    from temper.demos.assistant.faults import Faults
    from temper.demos.assistant.server import Server, serve

    serve(Server(faults=Faults(latency=delay)), port)


def _proxy(port: int, direct: str, layers: tuple[str, ...]) -> None:
    from temper.gateway.app import proxy, serve
    from temper.guard.pipeline import build
    from temper.targets.chat.limits import Limits
    from temper.targets.chat.line import Line
    from temper.targets.chat.openai import OpenAI

    line = Line(url=f"{direct}/v1", limits=Limits(in_flight=128, max_requests=10**9))
    guard = build([(name, {}) for name in layers], key=b"bench", trusted=("larch.example",))
    serve(proxy(OpenAI(line=line, model="stand-in"), guard), port=port)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
