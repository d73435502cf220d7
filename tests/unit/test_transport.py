"""Below ASGI: slow requests end, long heads end, and where it is full a request is turned away for next to nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from temper.gateway.transport import Door, settings, whole

BODY = b'{"row": {}}'
POST = b"POST /v1/score HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
seen: list[bytes] = []


async def _app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        event = await receive()
        body, more = body + event.get("body", b""), event.get("more_body", False)
    seen.append(body)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def _serving(door: Door) -> AsyncIterator[int]:
    seen.clear()
    server = uvicorn.Server(uvicorn.Config(_app, host="127.0.0.1", port=0, lifespan="off", **settings(door)))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def _said(port: int, *pieces: bytes, wait: float = 0.0) -> bytes:
    """What is answered to these pieces, until the other side closes or is silent for a moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(wait)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while data := await asyncio.wait_for(reader.read(65_536), 0.5):
                found += data
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return found


async def _two_on_one_line(port: int, door: Door, full: list[bool]) -> tuple[bytes, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    for state in (True, False):
        full[0] = state
        writer.write(POST)
        answers.append(await asyncio.wait_for(reader.read(65_536), 2.0))
    writer.close()
    await writer.wait_closed()
    return answers[0], answers[1]


def test_where_it_is_full_a_post_is_turned_away_and_the_line_stays_open() -> None:
    full = [False]

    async def story() -> tuple[bytes, bytes]:
        async with _serving(door) as port:
            return await _two_on_one_line(port, door, full)

    door = Door(full=lambda entered: full[0])
    away, answered = asyncio.run(story())
    assert away.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 1" in away
    assert answered.startswith(b"HTTP/1.1 200")
    assert door.shed == 1
    assert seen == [BODY]


def test_of_many_that_come_at_once_no_more_are_let_in_than_there_are_places() -> None:
    """All that has come is read before any of it is looked at, so those already let in have to be counted."""

    async def story() -> list[bytes]:
        loop = asyncio.get_running_loop()
        async with _serving(door) as port:
            with contextlib.ExitStack() as open_:
                lines = [open_.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(20)]
                await asyncio.sleep(0.05)
                for line in lines:
                    line.sendall(POST)  # the loop does not turn meanwhile
                    line.setblocking(False)
                return [await asyncio.wait_for(loop.sock_recv(line, 65_536), 2.0) for line in lines]

    door = Door(full=lambda entered: entered >= 3)
    told = asyncio.run(story())
    assert sum(one.startswith(b"HTTP/1.1 200") for one in told) == 3
    assert door.shed == 17
    assert len(seen) == 3


def test_what_tells_of_health_is_answered_where_it_is_full() -> None:
    async def story() -> bytes:
        async with _serving(Door(full=lambda entered: True)) as port:
            return await _said(port, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")

    assert asyncio.run(story()).startswith(b"HTTP/1.1 200")


def test_a_request_in_pieces_is_answered_and_one_that_dawdles_is_cut_off() -> None:
    door = Door(full=lambda entered: False, seconds=0.3)

    async def story() -> tuple[bytes, bytes]:
        async with _serving(door) as port:
            whole = await _said(port, POST[:20], POST[20:-4], POST[-4:], wait=0.02)
            return whole, await _said(port, POST[:-4], wait=0.5)

    whole, late = asyncio.run(story())
    assert whole.startswith(b"HTTP/1.1 200")
    assert late == b""
    assert door.slow == 1
    assert seen[0] == BODY


@pytest.mark.parametrize("line", [b"X: " + b"a" * 40_000, b"\r\n".join(b"X-%d: a" % at for at in range(5_000))])
def test_a_head_that_does_not_end_is_cut_off(line: bytes) -> None:
    door = Door(full=lambda entered: False, head=8_192)

    async def story() -> bytes:
        async with _serving(door) as port:
            return await _said(port, b"POST /v1/score HTTP/1.1\r\n" + line)

    assert asyncio.run(story()).startswith(b"HTTP/1.1 431")
    assert door.long == 1
    assert not seen


def test_what_is_no_http_is_refused() -> None:
    async def story() -> bytes:
        async with _serving(Door(full=lambda entered: False)) as port:
            return await _said(port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")

    assert asyncio.run(story()).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("data", "complete"),
    [
        (POST, True),
        (POST[:-1], False),
        (POST + POST, False),
        (POST.replace(b"Content-Length", b"content-length"), True),
        (POST.replace(b"Content-Length: 11", b"Transfer-Encoding: chunked"), False),
        (b"GET /healthz HTTP/1.1\r\n\r\n", False),
        (b"POST ", False),
    ],
)
def test_only_one_whole_post_can_be_turned_away_unread(data: bytes, complete: bool) -> None:
    assert whole(data) is complete
