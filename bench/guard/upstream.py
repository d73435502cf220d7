"""What a request to an upstream costs the gateway, with the pool of this project and with aiohttp and httpx.

    python -m bench.guard.upstream [--quick]

One tiny server on this machine answers at once, in a process of its own. Sides take turns; what counts is the client's
own processor time, which does not depend on how long the server takes. httpx keeps as many connections as are asked
for, or it would open new ones all the time. Peers that are not installed are left out and named.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from importlib.util import find_spec
from typing import Any

import uvloop

from bench.table import MEDIANS, goal, machine, median, table
from temper.gateway.upstream.address import Address
from temper.gateway.upstream.pool import Pool

BODY = b'{"rows":[[' + b",".join(b"%d.25" % at for at in range(30)) + b"]]}"
REPLY = b'{"scores":[0.25]}'
SECONDS = 1.0
Post = Callable[[], Awaitable[Any]]


def main(words: list[str]) -> int:
    """Print the tables and the goals."""
    quick = "--quick" in words
    print(machine("aiohttp", "httpx", "httptools", "uvloop"), flush=True)
    sides: dict[str, Callable[[str, AsyncExitStack], Awaitable[Post]]] = {"temper": _own}
    for name, side in (("aiohttp", _aiohttp), ("httpx", _httpx)):
        if find_spec(name):
            sides[name] = side
        else:
            print(f"not installed, so not compared: {name}")
    rounds, many = (7, 400) if quick else (15, 1_500)
    with _server() as url:
        for loop in (uvloop.new_event_loop, asyncio.new_event_loop):
            for connections in (1, 32):
                with asyncio.Runner(loop_factory=loop) as runner:
                    spent = runner.run(_turns(url, sides, connections, many, rounds))
                _print(spent, connections, many, rounds, loop.__module__.partition(".")[0])
    return 0


def _print(spent: dict[str, list[float]], connections: int, many: int, rounds: int, loop: str) -> None:
    found = {name: median([1e6 * seconds / many for seconds in each]) for name, each in spent.items()}
    own = found["temper"].value
    rows = [[name, one.show(1), f"{own / one.value:.3f}x"] for name, one in found.items()]
    table(
        f"Client CPU us per request, {connections} at once, {loop}, n = {rounds} rounds of {many:,}, {MEDIANS}",
        ["", "median", "temper is"],
        rows,
    )
    for name, limit in (("aiohttp", 0.4), ("httpx", 0.1)):
        if name in found:
            goal(f"client CPU, {connections} at once, {loop}, of {name}", own / found[name].value, limit, "x")


async def _turns(url: str, sides: dict[str, Any], connections: int, many: int, rounds: int) -> dict[str, list[float]]:
    """Processor seconds of every round of every side, whose order turns round."""
    spent: dict[str, list[float]] = {name: [] for name in sides}
    async with AsyncExitStack() as stack:
        posts = {name: await side(url, stack) for name, side in sides.items()}
        for post in posts.values():
            await _round(post, connections, 4 * connections)
        for turn in range(rounds):
            for name in sides if turn % 2 else reversed(sides):
                start = time.process_time()
                await _round(posts[name], connections, many)
                spent[name].append(time.process_time() - start)
    return spent


async def _round(post: Post, connections: int, many: int) -> None:
    async def one(times: int) -> None:
        for _ in range(times):
            status, body = await post()
            if (status, body) != (200, REPLY):
                raise RuntimeError(f"status {status}")

    await asyncio.gather(*(one(many // connections) for _ in range(connections)))


async def _own(url: str, stack: AsyncExitStack) -> Post:
    pool, loop = Pool(address=Address.of(url)), asyncio.get_running_loop()
    stack.push_async_callback(pool.close)
    return lambda: pool.post(BODY, loop.time() + SECONDS)


async def _aiohttp(url: str, stack: AsyncExitStack) -> Post:
    import aiohttp

    session = await stack.enter_async_context(aiohttp.ClientSession(headers={"Content-Type": "application/json"}))
    timeout = aiohttp.ClientTimeout(total=SECONDS)

    async def post() -> tuple[int, bytes]:
        async with session.post(url, data=BODY, timeout=timeout, allow_redirects=False) as reply:
            return reply.status, await reply.read()

    return post


async def _httpx(url: str, stack: AsyncExitStack) -> Post:
    import httpx

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)  # by itself it keeps 20 open
    headers = {"Content-Type": "application/json"}
    client = await stack.enter_async_context(httpx.AsyncClient(headers=headers, limits=limits, trust_env=False))

    async def post() -> tuple[int, bytes]:
        reply = await client.post(url, content=BODY, timeout=SECONDS)
        return reply.status_code, reply.content

    return post


class _Tiny(asyncio.Protocol):
    """Answers whatever whole request comes, at once and without looking at it."""

    def connection_made(self, transport: Any) -> None:
        """A client is there."""
        self.transport, self.seen = transport, 0

    def data_received(self, data: bytes) -> None:
        """A piece of a request."""
        if data.endswith(b"]]}"):
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(REPLY), REPLY))


def _serve(place: Any) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(_Tiny, "127.0.0.1", 0)
        place.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


@contextmanager
def _server() -> Iterator[str]:
    """The server's address while it runs."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}/score"
    finally:
        process.terminate()
        process.join()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
