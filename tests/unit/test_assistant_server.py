"""The stand-in behind its address: the protocol a client expects, and every fault as promised."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from temper.core.chat import Message, Reply, Request, Role
from temper.demos.assistant.bank import bank
from temper.demos.assistant.faults import KINDS, Faults
from temper.demos.assistant.mind import Mind
from temper.demos.assistant.server import Server
from temper.demos.assistant.weakness import Weakness
from temper.targets.chat.limits import Limits
from temper.targets.chat.line import Line
from temper.targets.chat.openai import OpenAI

TOOLS = bank().tools


def serving(server: Server, use: Callable[[str], Awaitable[Any]]) -> Any:
    """What `use` gives while the server answers."""

    async def both() -> Any:
        door = socket.socket()
        door.bind(("127.0.0.1", 0))
        config = uvicorn.Config(server, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        running = uvicorn.Server(config)
        task = asyncio.create_task(running.serve(sockets=[door]))
        while not running.started:
            await asyncio.sleep(0.01)
        try:
            return await use(f"http://127.0.0.1:{door.getsockname()[1]}/v1")
        finally:
            running.should_exit = True
            await task

    return asyncio.run(both())


def asked(text: str) -> Request:
    return Request(messages=(Message(role=Role.USER, text=text),), tools=TOOLS)


def reply(server: Server, text: str, *, stream: bool = False, **limits: Any) -> Reply:
    async def use(url: str) -> Reply:
        line = Line(url=url, limits=Limits(**({"retries": 0} | limits)))
        found = await OpenAI(line=line, model="m", stream=stream).ask(asked(text))
        await line.close()
        return found

    return serving(server, use)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("text", ["What is my balance?", "Hello", "Transfer 5 EUR to NO9386011117947"])
def test_the_server_says_what_the_mind_says(text: str, stream: bool) -> None:
    server = Server(mind=Mind(weakness=Weakness(seed=4)))
    over, direct = reply(server, text, stream=stream), server.mind.answer(asked(text))
    assert (over.text, over.calls, over.usage) == (direct.text, direct.calls, direct.usage)
    assert over.invalid == ""


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_is_trouble_and_never_an_answer(kind: str) -> None:
    found = reply(Server(faults=Faults(**{kind: 1.0})), "Hello", timeout=0.5, deadline=0.6)
    assert found.invalid != ""
    assert found.text == ""


def test_a_stream_that_is_cut_is_trouble() -> None:
    found = reply(Server(faults=Faults(cut=1.0)), "Search the documents for a lost card", stream=True)
    assert "ended before" in found.invalid


def test_trouble_now_and_then_is_overcome() -> None:
    server = Server(faults=Faults(busy=0.2, error=0.05, dropped=0.05, pause=0.01, seed=1))

    async def use(url: str) -> list[Reply]:
        line = Line(url=url, limits=Limits(retries=9))
        target = OpenAI(line=line, model="m")
        found = await asyncio.gather(*(target.ask(asked("Hello")) for _ in range(30)))
        await line.close()
        return list(found)

    assert all(one.text and not one.invalid for one in serving(server, use))


def test_shares_of_faults_are_kept_and_the_same_twice() -> None:
    faults = Faults(busy=0.1, error=0.3, seed=2)
    kinds = [faults.of(number) for number in range(20_000)]
    assert abs(kinds.count("busy") / 20_000 - 0.1) < 0.01
    assert abs(kinds.count("error") / 20_000 - 0.3) < 0.01
    assert kinds[:50] == [faults.of(number) for number in range(50)]
