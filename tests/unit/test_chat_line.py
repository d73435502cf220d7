"""The line to an assistant: paced, capped, retried within limits; trouble is invalid, never safe."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from temper.core.chat import Call, Message, Reply, Request, Role, Tool, Usage
from temper.core.errors import RunStopped, TemperError
from temper.targets.chat.anthropic import Anthropic
from temper.targets.chat.function import ChatFunction
from temper.targets.chat.limits import Limits
from temper.targets.chat.line import Line
from temper.targets.chat.openai import OpenAI
from temper.targets.chat.pace import Answered, Pace
from temper.targets.chat.template import Template

ASKED = Request(
    messages=(Message(role=Role.SYSTEM, text="be kind"), Message(role=Role.USER, text="hello")),
    tools=(Tool(name="pay", description="pays", parameters={"type": "object"}),),
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def said(text: str | None, calls: Any = None) -> dict[str, Any]:
    message = {"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {})
    return {"choices": [{"message": message}], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}


def serve(handler: Handler, use: Callable[[str], Awaitable[Any]]) -> Any:
    """What `use` gives, with the handler answering every POST."""

    async def both() -> Any:
        app = web.Application()
        app.router.add_post("/{path:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        try:
            return await use(f"http://127.0.0.1:{port}/v1")
        finally:
            await runner.cleanup()

    return asyncio.run(both())


def asked(handler: Handler, make: Callable[[Line], Any] | None = None, request: Request = ASKED, **limits: Any) -> Any:
    """The reply of an OpenAI-like target in front of this handler."""

    async def use(url: str) -> Any:
        line = Line(url=url, limits=Limits(**({"retries": 0} | limits)))
        target = (make or (lambda one: OpenAI(line=one, model="m", version="1")))(line)
        try:
            return await target.ask(request)
        finally:
            await line.close()

    return serve(handler, use)


def constant(status: int, body: Any, **headers: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text, headers=headers)

    return handler


def test_a_question_is_written_and_its_answer_read() -> None:
    seen: list[Any] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.path, await request.json()))
        call = {"id": "c1", "type": "function", "function": {"name": "pay", "arguments": '{"to": "x"}'}}
        return web.json_response(said(None, [call]))

    reply = asked(handler)

    assert reply.calls == (Call(name="pay", arguments='{"to": "x"}', id="c1"),)
    assert reply.usage == Usage(read=7, written=2)
    assert reply.invalid == ""
    path, body = seen[0]
    assert path == "/v1/chat/completions"
    assert [turn["role"] for turn in body["messages"]] == ["system", "user"]
    assert body["tools"][0]["function"]["name"] == "pay"


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        (constant(200, "not json"), "no JSON"),
        (constant(200, "[1, 2]"), "expected an object"),
        (constant(200, {"choices": []}), "no choice"),
        (constant(200, {"choices": [3]}), "no message"),
        (constant(200, said("")), "empty"),
        (constant(200, said(None, [{"function": 3}])), "no function"),
        (constant(200, said(None, "pay")), "expected a list"),
        (constant(200, "[" * 100_000), "no JSON"),
        (constant(200, "x" * (9 * 1024 * 1024)), "over 8,388,608 bytes"),
        (constant(400, {"error": {"code": "context_length_exceeded"}}), "context_length_exceeded"),
        (constant(429, "slow down"), "status 429"),
        (constant(500, "\x1b[31moops\n"), r"status 500:  \[31moops"),
        (constant(301, "", Location="http://example.org/"), "status 301"),
    ],
)
def test_trouble_is_invalid_and_says_why(handler: Handler, says: str) -> None:
    import re

    reply = asked(handler)
    assert re.search(says, reply.invalid)
    assert reply.text == ""


@pytest.mark.parametrize(("status", "says"), [(401, "key was refused"), (404, "nothing at this address")])
def test_a_wrong_key_or_address_stops_the_run(status: int, says: str) -> None:
    with pytest.raises(RunStopped, match=says) as stopped:
        asked(constant(status, "no"))
    assert "check url and key" in str(stopped.value)


def stream(*events: str, broken: bool = False) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for event in events:
            await response.write(f"data: {event}\n\n".encode())
        if broken and request.transport is not None:
            request.transport.close()
        return response

    return handler


def piece(**delta: Any) -> str:
    return json.dumps({"choices": [{"delta": delta}]})


def streaming(line: Line) -> OpenAI:
    return OpenAI(line=line, model="m", stream=True)


def test_a_stream_is_put_together() -> None:
    calls = [
        piece(tool_calls=[{"index": 0, "id": "c", "function": {"name": "pay", "arguments": '{"a"'}}]),
        piece(tool_calls=[{"index": 0, "function": {"arguments": ": 1}"}}]),
    ]
    used = json.dumps({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}})
    reply = asked(stream(piece(content="he"), piece(content="llo"), *calls, used, "[DONE]"), streaming)
    assert (reply.text, reply.calls) == ("hello", (Call(name="pay", arguments='{"a": 1}', id="c"),))
    assert reply.usage == Usage(read=3, written=4)


@pytest.mark.parametrize("broken", [False, True])
def test_a_stream_that_ends_early_is_invalid(broken: bool) -> None:
    reply = asked(stream(piece(content="All is w"), broken=broken), streaming)
    assert "ended before" in reply.invalid or "broke" in reply.invalid
    assert reply.text == ""


def test_a_busy_endpoint_is_asked_again_after_the_pause_it_names() -> None:
    times: list[float] = []

    async def handler(_: web.Request) -> web.Response:
        times.append(time.monotonic())
        if len(times) == 1:
            return web.Response(status=429, headers={"Retry-After": "0.6"})
        return web.json_response(said("yes"))

    reply = asked(handler, retries=2)
    assert reply.text == "yes"
    assert times[1] - times[0] >= 0.6


def test_a_model_that_never_answers_is_left_at_the_deadline() -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.json_response(said("late"))

    started = time.monotonic()
    reply = asked(handler, timeout=0.2, deadline=0.9, retries=9)
    assert "0.2 s" in reply.invalid or "deadline" in reply.invalid
    assert time.monotonic() - started < 3


def test_caps_end_the_run_before_the_next_request() -> None:
    async def use(url: str) -> int:
        line = Line(url=url, limits=Limits(max_cost=1e-5, price=(1.0, 0.0)))
        target = OpenAI(line=line, model="m")
        await target.ask(ASKED)
        await target.ask(ASKED)
        with pytest.raises(RunStopped, match="of cost is spent"):
            await target.ask(ASKED)
        await line.close()
        return line.spent.requests

    assert serve(constant(200, said("x")), use) == 2  # 7 tokens read each at 1 a million: two pass 1e-5


def test_never_more_on_the_way_than_allowed() -> None:
    now, most = 0, 0

    async def handler(_: web.Request) -> web.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return web.json_response(said("x"))

    async def use(url: str) -> list[Reply]:
        line = Line(url=url, limits=Limits(in_flight=5))
        target = OpenAI(line=line, model="m")
        replies = await asyncio.gather(*(target.ask(ASKED) for _ in range(40)))
        await line.close()
        return replies

    assert all(reply.text == "x" for reply in serve(handler, use))
    assert most == 5


class Clock:
    """Time that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def pace(**limits: Any) -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace(Limits(**limits), clock, clock.sleep), clock


def test_requests_a_minute_are_kept() -> None:
    async def run() -> float:
        steady, clock = pace(requests_per_minute=60, in_flight=99)
        for _ in range(121):
            await steady.enter(1)
            steady.leave(Answered.WELL)
        return clock.now - 100.0

    assert asyncio.run(run()) == pytest.approx(120, abs=1.5)


def test_tokens_a_minute_are_kept() -> None:
    async def run() -> float:
        steady, clock = pace(tokens_per_minute=6_000, in_flight=99)
        for _ in range(61):
            await steady.enter(100)
            steady.leave(Answered.WELL)
        return clock.now - 100.0

    assert asyncio.run(run()) == pytest.approx(60, abs=2)


def test_a_storm_halves_the_window_once_and_calm_opens_it_again() -> None:
    async def run() -> tuple[float, float]:
        steady, clock = pace(in_flight=32)
        for _ in range(8):
            await steady.enter(1)
        for _ in range(8):
            steady.leave(Answered.BUSY, 1.0)
        slowed = steady.window
        for _ in range(600):
            await steady.enter(1)
            steady.leave(Answered.WELL)
        del clock
        return slowed, steady.window

    slowed, after = asyncio.run(run())
    assert slowed == 16
    assert after > 31


def test_an_endpoint_that_is_down_is_given_up_and_the_run_can_go_on_later() -> None:
    sent: list[int] = []

    async def run() -> None:
        steady, _ = pace(in_flight=4)
        for _ in range(100):
            sent.append(1)
            await steady.enter(1)
            steady.leave(Answered.FAILED)

    with pytest.raises(RunStopped, match="--resume"):
        asyncio.run(run())
    assert 8 <= len(sent) < 40


def test_one_answer_closes_the_breaker() -> None:
    async def run() -> int:
        steady, _ = pace(in_flight=4)
        for _ in range(9):
            await steady.enter(1)
            steady.leave(Answered.FAILED)
        assert steady._room == 1
        await steady.enter(1)
        steady.leave(Answered.WELL)
        return steady._room

    assert asyncio.run(run()) == 4


def test_the_messages_protocol_keeps_the_owner_apart_and_answers_tools_in_the_users_turn() -> None:
    seen: list[Any] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.path, await request.json()))
        block = {"type": "tool_use", "id": "t1", "name": "pay", "input": {"to": "x"}}
        content = [{"type": "text", "text": "well"}, block]
        return web.json_response({"content": content, "usage": {"input_tokens": 3, "output_tokens": 4}})

    talk = (
        *ASKED.messages,
        Message(role=Role.ASSISTANT, text="I pay", calls=(Call(name="pay", arguments='{"to": 1}', id="t0"),)),
        Message(role=Role.TOOL, text="paid", answers="t0"),
        Message(role=Role.USER, text="and?"),
    )
    reply = asked(handler, lambda line: Anthropic(line=line, model="m"), Request(messages=talk, tools=ASKED.tools))

    assert reply.calls == (Call(name="pay", arguments='{"to": "x"}', id="t1"),)
    assert (reply.text, reply.usage) == ("well", Usage(read=3, written=4))
    path, body = seen[0]
    assert path == "/v1/messages"
    assert body["system"] == "be kind"
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert [block["type"] for block in body["messages"][2]["content"]] == ["tool_result", "text"]


def test_a_service_of_any_shape_is_a_template_and_a_path() -> None:
    seen: list[Any] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(await request.json())
        return web.json_response({"out": [{"say": "hi"}]})

    body = {"q": "Q: {prompt}", "rules": "{system}", "all": "{messages}", "k": 3}
    reply = asked(handler, lambda line: Template(line=line, body=body, answer="out.0.say"))
    assert reply.text == "hi"
    assert seen[0]["q"] == "Q: hello"
    assert seen[0]["rules"] == "be kind"
    assert len(seen[0]["all"]) == 2
    lost = asked(handler, lambda line: Template(line=line, body=body, answer="out.1.say"))
    assert "nothing at 'out.1.say'" in lost.invalid


def test_a_prompt_that_looks_like_a_place_is_not_filled() -> None:
    seen: list[Any] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(await request.json())
        return web.json_response({"a": "x"})

    hostile = Request(messages=(Message(role=Role.SYSTEM, text="secret"), Message(role=Role.USER, text="{system}")))
    asked(handler, lambda line: Template(line=line, body={"q": "{prompt}"}, answer="a"), hostile)
    assert seen[0]["q"] == "{system}"


def test_a_function_is_an_assistant_too() -> None:
    def ask(call: Any, **more: Any) -> Reply:
        return asyncio.run(ChatFunction(call=call, **more).ask(ASKED))

    async def later(request: Request) -> str:
        return request.messages[-1].text

    assert ask(later).text == "hello"
    assert ask(lambda request: ("", (Call(name="pay"),))).calls[0].name == "pay"
    assert "ZeroDivisionError" in ask(lambda request: 1 / 0).invalid
    assert "expected text" in ask(lambda request: 3).invalid
    assert "no answer in" in ask(lambda request: time.sleep(0.5), timeout=0.05).invalid


def test_the_key_is_read_from_the_environment_and_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "sk-very-secret")
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.Response(status=400, text="bad")

    async def use(url: str) -> str:
        line = Line(url=url, headers={"Authorization": "Bearer {A_KEY}"}, limits=Limits(retries=0))
        reply = await OpenAI(line=line, model="m").ask(ASKED)
        await line.close()
        return repr(line) + reply.invalid

    assert "sk-very-secret" not in serve(handler, use)
    assert seen == ["Bearer sk-very-secret"]
    monkeypatch.delenv("A_KEY")
    with pytest.raises(TemperError, match="A_KEY is not set"):
        serve(handler, use)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://api.example.com/v1", "nobody is named"),
        ("ftp://localhost", "no http"),
        ("http://u:p@localhost", "password"),
    ],
)
def test_only_what_somebody_allowed_is_attacked(url: str, says: str) -> None:
    with pytest.raises(TemperError, match=says):
        Line(url=url)


def test_limits_that_make_no_sense_are_refused() -> None:
    for wrong, says in (({"in_flight": 0}, "in_flight"), ({"max_cost": 3.0}, "price")):
        with pytest.raises(TemperError, match=says):
            Limits(**wrong)  # type: ignore[arg-type]
