"""The upstream's pool against servers of bad manners: one kind of error, in time, nobody's other answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from temper.core.errors import ConfigError
from temper.gateway.upstream.address import Address
from temper.gateway.upstream.connection import UpstreamError
from temper.gateway.upstream.pool import Pool

Serve = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes, status: int = 200, *headers: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 %d X" % status, b"Content-Length: %d" % len(body), *headers, b"", body))


class Server:
    """A server that does with each request what it is told, and counts its connections."""

    def __init__(self, serve: Serve) -> None:
        self.serve, self.connections, self.now, self.most, self.requests = serve, 0, 0, 0, 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                self.requests += 1
                await self.serve(await reader.readexactly(length), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.now -= 1
            writer.close()


def using(serve: Serve, story: Callable[[Pool, Server], Awaitable[Any]], **more: Any) -> Any:
    """What comes of the story with a pool in front of a server that serves like this."""

    async def run() -> Any:
        server = Server(serve)
        listening = await asyncio.start_server(server, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        pool = Pool(address=Address.of(f"http://127.0.0.1:{port}/score"), **more)
        try:
            return await asyncio.wait_for(story(pool, server), 20)
        finally:
            await pool.close()
            listening.close()

    return asyncio.run(run())


def soon(seconds: float = 2.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def echo(body: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(body))


def test_connections_are_kept_and_never_more_than_allowed() -> None:
    async def story(pool: Pool, server: Server) -> None:
        for turn in range(3):
            asked = [b"%d/%d" % (turn, at) for at in range(50)]
            found = await asyncio.gather(*(pool.post(body, soon()) for body in asked))
            assert found == [(200, body) for body in asked]
        assert server.connections == server.most == len(pool._idle) == 4
        assert pool.again == 0

    using(echo, story, most=4)


def wire(*parts: bytes, close: bool = False, reset: bool = False) -> Serve:
    async def serve(body: bytes, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.002)
        if reset:
            writer.transport.abort()
        elif close:
            writer.close()

    return serve


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BAD = {
    "cut off": wire(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", close=True),
    "reset": wire(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", reset=True),
    "reset at once": wire(reset=True),
    "closed at once": wire(close=True),
    "cut off between chunks": wire(CHUNKED, b"2\r\n{}\r\n", close=True),
    "cut off in the head": wire(b"HTTP/1.1 200 OK\r\nContent-Le", close=True),
    "no length, ended by closing": wire(b"HTTP/1.1 200 OK\r\n\r\n{}", close=True),
    "too long, and says so": wire(answer(b"x" * 2_000)),
    "too long in chunks": wire(CHUNKED, *[b"100\r\n" + b"x" * 256 + b"\r\n"] * 8),
    "a head without end": wire(b"HTTP/1.1 200 OK\r\n", *[b"X-A: " + b"a" * 8_000 + b"\r\n"] * 12),
    "no HTTP": wire(b"220 mail.example.org ESMTP\r\n"),
    "nothing but noise": wire(bytes(range(256))),
    "another protocol": wire(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
    "two answers": wire(answer(b"{}") + answer(b"{}")),
    "bytes after the answer": wire(answer(b"{}") + b"garbage\r\n"),
    "two lengths": wire(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    "length and chunks": wire(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ),
    "a negative length": wire(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"),
    "a chunk of no size": wire(CHUNKED, b"zz\r\n{}\r\n"),
    "a bare line feed": wire(b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_not_one_whole_answer_is_one_kind_of_error_and_the_next_caller_is_well(kind: str) -> None:
    bad = True

    async def serve(body: bytes, writer: asyncio.StreamWriter) -> None:
        await (BAD[kind] if bad else echo)(body, writer)

    async def story(pool: Pool, server: Server) -> None:
        nonlocal bad
        for _ in range(3):
            with pytest.raises(UpstreamError) as caught:
                await pool.post(b"{}", soon(0.5))
            assert caught.value.why != "no answer in time"
        bad = False
        for at in range(3):
            assert await pool.post(b"%d" % at, soon()) == (200, b"%d" % at)
        assert pool._open == len(pool._idle) == 1
        assert server.requests == 6

    using(serve, story, most=1, most_bytes=1_000)


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ((answer(b"", 204),), (204, b"")),
        ((answer(b"no", 302, b"Location: http://169.254.169.254/"),), (302, b"no")),
        ((answer(b"busy", 503),), (503, b"busy")),
        ((b"HTTP/1.1 100 Continue\r\n\r\n", answer(b"{}")), (200, b"{}")),
        ((CHUNKED, b"1\r\n{\r\n", b"1\r\n}\r\n0\r\n\r\n"), (200, b"{}")),
        (tuple(bytes([one]) for one in answer(b"{}")), (200, b"{}")),
        ((answer(b"{}", 200, b"Connection: close"),), (200, b"{}")),
        ((b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",), (200, b"{}")),
    ],
)
def test_a_whole_answer_of_any_form_and_status_is_given_as_it_came(
    parts: tuple[bytes, ...], found: tuple[int, bytes]
) -> None:
    async def story(pool: Pool, server: Server) -> None:
        for _ in range(3):
            assert await pool.post(b"{}", soon()) == found
        assert server.requests == 3

    using(wire(*parts), story)


def test_a_hang_ends_at_the_deadline_and_its_connection_with_it() -> None:
    async def hang(body: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0 if body == b"well" else 5)
        writer.write(answer(body))

    async def story(pool: Pool, server: Server) -> None:
        assert await pool.post(b"well", soon(5)) == (200, b"well")
        for _ in range(3):
            start = time.monotonic()
            with pytest.raises(UpstreamError, match="in time"):
                await pool.post(b"never", soon(0.05))
            assert 0.045 < time.monotonic() - start < 0.09
        assert await pool.post(b"well", soon()) == (200, b"well")

    using(hang, story, most=1)


def test_a_kept_connection_the_server_closed_is_replaced_and_asked_once_more() -> None:
    closing: list[asyncio.StreamWriter] = []

    async def serve(body: bytes, writer: asyncio.StreamWriter) -> None:
        closing.append(writer)
        if body == b"then closed" and len(closing) > 1 and closing[-2] is writer:
            writer.transport.abort()  # closed as the request was on its way
        else:
            writer.write(answer(body))

    async def story(pool: Pool, server: Server) -> None:
        assert await pool.post(b"first", soon()) == (200, b"first")
        assert await pool.post(b"then closed", soon()) == (200, b"then closed")
        assert (pool.again, server.connections) == (1, 2)

    using(serve, story, most=1)


def test_a_connection_idle_for_too_long_is_not_used() -> None:
    async def story(pool: Pool, server: Server) -> None:
        for _ in range(3):
            await pool.post(b"{}", soon())
            await asyncio.sleep(0.03)
        await asyncio.sleep(0.01)
        assert (server.connections, server.most, pool._open) == (3, 1, 1)

    using(echo, story, idle_seconds=0.02, most=1)


def test_bytes_nobody_asked_for_end_an_idle_connection() -> None:
    async def serve(body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(body))
        if body == b"first":
            await asyncio.sleep(0.01)
            writer.write(answer(b"another's"))

    async def story(pool: Pool, server: Server) -> None:
        assert await pool.post(b"first", soon()) == (200, b"first")
        await asyncio.sleep(0.05)
        assert (pool._open, pool._idle) == (0, [])
        assert await pool.post(b"second", soon()) == (200, b"second")

    using(serve, story, most=1)


@pytest.mark.parametrize("seed", range(5))
def test_nobody_gets_anothers_answer_whoever_is_cancelled_late_or_cut_off(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wrong: list[tuple[bytes, Any]] = []

    async def serve(body: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(float(rng.choice([0, 0, 0.001, 0.004])))
        if rng.random() < 0.03:
            return writer.transport.abort()
        whole = answer(body)
        cut = int(rng.integers(1, len(whole)))
        writer.write(whole[:cut])
        if rng.random() < 0.3:
            await asyncio.sleep(0.001)
        writer.write(whole[cut:])
        return None

    async def ask(pool: Pool, body: bytes) -> str:
        try:
            found = await pool.post(body, soon(float(rng.choice([0.003, 0.5]))))
        except UpstreamError:
            return "error"
        if found != (200, body) or len(pool._every) > 5:
            wrong.append((body, found))
        return "answer"

    async def story(pool: Pool, server: Server) -> None:
        tasks = []
        for at in range(600):
            tasks.append(asyncio.create_task(ask(pool, b"row %d" % at)))
            if rng.random() < 0.3:
                tasks[int(rng.integers(max(0, at - 20), at + 1))].cancel()
            if rng.random() < 0.3:
                await asyncio.sleep(float(rng.choice([0, 0.001])))
        found = await asyncio.gather(*tasks, return_exceptions=True)
        kinds = {str(one) if isinstance(one, str) else type(one).__name__ for one in found}
        assert kinds == {"answer", "error", "CancelledError"}
        assert wrong == []
        await asyncio.sleep(0.02)
        assert pool._open == len(pool._idle) == len(pool._every) <= 5  # no place was lost, none counted twice
        assert not any(not waiter.done() for waiter in pool._waiting)

    using(serve, story, most=5)


def test_who_finds_no_free_connection_waits_in_order_and_not_past_the_deadline() -> None:
    async def slow(body: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.03)
        writer.write(answer(body))

    async def story(pool: Pool, server: Server) -> None:
        order: list[int | str] = []

        async def ask(at: int, seconds: float) -> None:
            found = (await asyncio.gather(pool.post(b"{}", soon(seconds)), return_exceptions=True))[0]
            order.append(at if found == (200, b"{}") else f"{at}: {found}")

        await asyncio.gather(*(ask(at, 0.045 if at == 2 else 2.0) for at in range(4)))
        assert order == [0, "2: no connection was free in time", 1, 3]
        assert pool._open == len(pool._idle) == 1

    using(slow, story, most=1)


def test_a_cancelled_waiter_that_was_just_given_a_connection_passes_it_on() -> None:
    async def story(pool: Pool, server: Server) -> None:
        for _ in range(50):
            tasks = [asyncio.create_task(pool.post(b"%d" % at, soon())) for at in range(3)]
            while not tasks[0].done():
                await asyncio.sleep(0)
            tasks[1].cancel()
            assert await tasks[2] == (200, b"2")
        await asyncio.sleep(0.01)
        assert pool._open == len(pool._idle) <= 1

    using(echo, story, most=1)


def test_a_server_that_is_not_there_is_the_same_kind_of_error() -> None:
    async def story(pool: Pool, server: Server) -> None:
        pool.address = Address.of("http://127.0.0.1:1/score")
        for _ in range(5):
            with pytest.raises(UpstreamError, match="no connection: ConnectionRefusedError"):
                await pool.post(b"{}", soon())
        assert pool._open == 0
        with pytest.raises(UpstreamError, match="no time was left"):
            await pool.post(b"{}", soon(-1))

    using(echo, story, most=2)


def test_a_closed_pool_sends_nothing_and_ends_what_is_on_its_way() -> None:
    async def never(body: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    async def story(pool: Pool, server: Server) -> None:
        tasks = [asyncio.create_task(pool.post(b"{}", soon(5))) for _ in range(3)]
        await asyncio.sleep(0.02)
        await pool.close()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in found] == [UpstreamError] * 3
        with pytest.raises(UpstreamError, match="closed"):
            await pool.post(b"{}", soon())
        assert pool._open == 0

    using(never, story, most=1)


def test_headers_are_sent_as_given_and_stay_out_of_reprs() -> None:
    seen: list[bytes] = []

    async def run() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer(b"{}"))
            writer.close()

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        address = Address.of(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/a?b=c")
        pool = Pool(address=address, headers={"Authorization": "Bearer secret"})
        await pool.post(b"{}", soon())
        assert "secret" not in repr(pool)
        assert seen[0].startswith(b"POST /a?b=c HTTP/1.1\r\nHost: " + address.authority.encode())
        assert b"\r\nAuthorization: Bearer secret\r\n" in seen[0]
        await pool.close()
        listening.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    "headers", [{"A": "b\r\nX: y"}, {"A b": "c"}, {"": "c"}, {"Content-Length": "3"}, {"Host": "x"}, {"A": "ü"}]
)
def test_a_header_that_would_change_the_request_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        Pool(address=Address.of("http://127.0.0.1:9/"), headers=headers)


def test_who_has_no_loop_is_answered_in_pieces_and_leaves_nothing_open() -> None:
    from temper.gateway.upstream.wire import Plain, Upstream

    async def doubles(body: bytes, writer: asyncio.StreamWriter) -> None:
        rows = json.loads(body)["rows"]
        writer.write(answer(json.dumps({"scores": [2 * row[0] for row in rows]}).encode()))

    async def story(pool: Pool, server: Server) -> None:
        upstream, rows = Upstream(pool=pool, wire=Plain()), np.arange(600.0)[:, None]
        found = await asyncio.to_thread(upstream.score, rows)
        assert found.tolist() == (2 * rows[:, 0]).tolist()
        assert (server.requests, pool._open) == (3, 0)
        assert (await upstream.ask(rows[:2], 1.0)).tolist() == [0.0, 2.0]

    using(doubles, story)
