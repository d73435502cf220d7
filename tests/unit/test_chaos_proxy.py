"""The proxy: nobody notices it until it is given a fault, nor once that is over."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from temper.chaos.injector import Injector, Scope, built
from temper.chaos.outside import Outside
from temper.chaos.proxy import Proxy
from temper.core.errors import TemperError

BODY = json.dumps({"model_version": "1", "id": "a", "outputs": [
    {"name": "source", "shape": [2], "data": ["primary", "primary"]},
    {"name": "score", "shape": [2], "data": [0.25, 0.5]},
]}).encode()  # fmt: skip
ANSWER = b"HTTP/1.1 200 OK\r\nX-Odd:  kept \r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
QUESTION = b"POST /score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ann\r\nContent-Length: 2\r\n\r\n{}"


async def lengthened(reader: Any, writer: Any) -> None:
    """Answers whole questions, one after the other."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
            writer.write(ANSWER)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def echo(reader: Any, writer: Any) -> None:
    """Of no protocol at all."""
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


def beside(serve: Callable[..., Awaitable[None]], work: Callable[[Injector, int], Awaitable[Any]]) -> Any:
    async def all_of_it() -> Any:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        proxy = Proxy(upstream=server.sockets[0].getsockname()[:2])
        try:
            return await asyncio.wait_for(work(proxy.injector, await proxy.listen()), 20)
        finally:
            await proxy.close()
            server.close()

    return asyncio.run(all_of_it())


async def asked(port: int, question: bytes = QUESTION, seconds: float = 3.0) -> bytes:
    """All that comes back on a fresh line until a whole answer is there, the line ends, or nothing comes any more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(question)
    found = b""
    try:
        while not whole(found) and (more := await asyncio.wait_for(reader.read(65_536), seconds)):
            found += more
    finally:
        writer.close()
    return found


def whole(found: bytes) -> bool:
    head, empty, body = found.partition(b"\r\n\r\n")
    return bool(empty) and len(body) >= int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])


@pytest.mark.parametrize("armed", [False, True], ids=["nothing set", "toxicity 0"])
def test_bytes_of_any_protocol_go_through_as_they_are(armed: bool) -> None:
    sent = np.random.default_rng(0).bytes(3_000_000)

    async def work(injector: Injector, port: int) -> bytes:
        if armed:
            injector.set(built("wire.reset"), seconds=60.0, scope=Scope(share=0.0))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        found = await reader.readexactly(len(sent))
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        return bytes(found)

    assert beside(echo, work) == sent


@pytest.mark.parametrize("name", ["wire.truncated", "scores.nan", "wire.invalid", "wire.wrong_version"])
def test_answers_that_are_not_met_are_the_same_bytes(name: str) -> None:
    async def work(injector: Injector, port: int) -> list[bytes]:
        injector.set(built(name), seconds=60.0, scope=Scope(share=0.0))
        return [await asked(port) for _ in range(20)]

    assert set(beside(lengthened, work)) == {ANSWER}


def once(name: str, question: bytes = QUESTION, scope: Scope | None = None, **options: Any) -> bytes:
    async def work(injector: Injector, port: int) -> bytes:
        injector.set(built(name, options), seconds=30.0, scope=scope)
        return await asked(port, question)

    return bytes(beside(lengthened, work))


def test_each_fault_is_what_it_says() -> None:
    with pytest.raises(ConnectionResetError):
        once("wire.refuse")
    with pytest.raises(ConnectionResetError):
        once("wire.reset", part=0.5) and once("wire.reset", part=0.5)
    cut = once("wire.truncated", part=0.5)
    assert cut == ANSWER[: len(ANSWER) - len(BODY) + len(BODY) // 2]
    assert once("wire.status", code=429).startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    invalid = once("wire.invalid")
    assert invalid.startswith(b"HTTP/1.1 200 OK\r\nX-Odd:  kept \r\n")
    assert b"<!doctype html>" in invalid
    assert json.loads(once("wire.wrong_version").split(b"\r\n\r\n")[1])["model_version"] == "another"
    scores = json.loads(once("scores.shifted", by=0.1).split(b"\r\n\r\n")[1])["outputs"]
    assert scores[1]["data"] == pytest.approx([0.35, 0.6])
    assert scores[0]["data"] == ["primary", "primary"]
    assert b"NaN" in once("scores.nan")
    assert json.loads(once("scores.shuffled").split(b"\r\n\r\n")[1])["outputs"][1]["data"] == [0.5, 0.25]


def test_only_the_named_client_is_met() -> None:
    assert once("wire.status", scope=Scope(client="bob")) == ANSWER
    assert once("wire.status", scope=Scope(client="ann")) != ANSWER
    assert (
        once("wire.status", scope=Scope(client="127.0.0.1"), question=QUESTION.replace(b"Bearer", b"Basic")) != ANSWER
    )


def test_answers_are_late_by_what_was_said_and_no_more_afterwards() -> None:
    async def work(injector: Injector, port: int) -> list[float]:
        injector.set(built("wire.latency", {"ms": 150}), seconds=0.4)
        times = []
        for _ in range(6):
            start = time.monotonic()
            assert await asked(port) == ANSWER
            times.append(time.monotonic() - start)
        return times

    times = beside(lengthened, work)
    assert times[0] >= 0.15
    assert times[-1] < 0.1, "the fault is over by itself"


def test_what_hangs_is_answered_when_the_fault_is_over() -> None:
    async def work(injector: Injector, port: int) -> tuple[bytes, float]:
        injector.set(built("wire.hang"), seconds=0.5)
        start = time.monotonic()
        return await asked(port), time.monotonic() - start

    found, took = beside(lengthened, work)
    assert found == ANSWER
    assert 0.4 < took < 2.0


def test_faults_of_the_wire_meet_what_is_no_http_too() -> None:
    async def work(injector: Injector, port: int) -> tuple[float, bytes]:
        injector.set(built("wire.latency", {"ms": 120}), seconds=30.0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        start = time.monotonic()
        writer.write(b"\x00\x01 no http")
        first = await reader.read(100)
        took = time.monotonic() - start
        injector.set(built("wire.truncated"), seconds=30.0)
        writer.write(b"\x00\x01 12345678")
        second = await reader.read()
        writer.close()
        assert first == b"\x00\x01 no http"
        return took, second

    took, second = beside(echo, work)
    assert took >= 0.12
    assert second == b"\x00\x01 12"


def test_an_upstream_that_is_not_there_is_a_line_that_breaks() -> None:
    async def work(injector: Injector, port: int) -> bytes:
        return await asked(port)

    async def dead() -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            nobody = found.getsockname()
        proxy = Proxy(upstream=nobody)
        port = await proxy.listen()
        with pytest.raises(ConnectionResetError):
            await asked(port)
        await proxy.close()

    asyncio.run(dead())


def answers(port: int) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", data=b"{}")
    try:
        with urllib.request.urlopen(request, timeout=5.0) as told:
            return int(told.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_in_a_process_of_its_own_it_obeys_and_ends_with_whoever_started_it() -> None:
    async def work(injector: Injector, port: int) -> None:
        await asyncio.to_thread(ordered, port)

    def ordered(upstream: int) -> None:
        with Outside(upstream=("127.0.0.1", upstream)) as proxy:
            assert answers(proxy.port) == 200
            proxy.set("wire.status", {"code": 503}, seconds=4.0, scope=Scope(share=1.0))
            assert answers(proxy.port) == 503
            with pytest.raises(TemperError, match="no plugin"):
                proxy.set("wire.gremlins", seconds=1.0)
            assert answers(proxy.port) == 503, "a wrong order changes nothing"
            end = time.monotonic() + 8.0
            while answers(proxy.port) == 503 and time.monotonic() < end:
                time.sleep(0.1)
            assert answers(proxy.port) == 200, "over by itself"
            assert proxy.clear() >= 2
            os.kill(proxy._companion.pid, signal.SIGKILL)
            with pytest.raises(TemperError, match="has ended"):
                proxy.clear()
        assert not proxy._companion.alive

    beside(lengthened, work)
