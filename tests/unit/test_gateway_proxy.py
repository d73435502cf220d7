"""The proxy in front of a model: what a client sends, what the model sees, what comes back."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import uvicorn
from aiohttp import web

from temper.core.chat import Call, Reply, Request, Role
from temper.core.errors import TemperError
from temper.core.quota import QuotaConfig
from temper.demos.assistant.faults import Faults
from temper.demos.assistant.server import Server
from temper.gateway.app import Proxy, proxy, serve
from temper.gateway.keys import Keys
from temper.guard.guarded import REFUSAL
from temper.guard.pipeline import build
from temper.guard.serving.quota import Quota
from temper.targets.chat.function import ChatFunction
from temper.targets.chat.limits import Limits
from temper.targets.chat.line import Line
from temper.targets.chat.openai import OpenAI

GUARD = build([("canary", {}), ("output", {}), ("secrets", {}), ("egress", {})], key=b"k")
ASKED = {"model": "any", "messages": [{"role": "user", "content": "hello"}]}
LONG = "The bank answers letters within three days, and most of them much sooner than that, as people say. " * 12


def running(app: Any, use: Callable[[str], Awaitable[Any]]) -> Any:
    """What `use` gives, with the application answering at an address."""

    async def both() -> Any:
        with socket.socket() as place:
            place.bind(("127.0.0.1", 0))
            port = place.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical", timeout_graceful_shutdown=1))
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            return await use(f"http://127.0.0.1:{port}")
        finally:
            server.should_exit = True
            await task

    return asyncio.run(both())


def of(answer: Any, **about: Any) -> Proxy:
    return proxy(ChatFunction(call=answer, tools=True), about.pop("guard", GUARD), **about)


def post(app: Any, body: Any, path: str = "/v1/chat/completions", **headers: str) -> tuple[int, Any, Any]:
    """(status, headers, the JSON or the text that came)."""

    async def use(url: str) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with aiohttp.ClientSession() as session, session.post(url + path, data=data, headers=headers) as reply:
            text = await reply.text()
            return reply.status, reply.headers, json.loads(text) if text.startswith("{") else text

    return running(app, use)  # type: ignore[no-any-return]


def events(text: str) -> tuple[str, list[Any]]:
    """(the text put together, all events)."""
    lines = [line[6:] for line in text.split("\n\n") if line.startswith("data: ")]
    found = [json.loads(line) for line in lines if line != "[DONE]"]
    deltas = [one["choices"][0]["delta"] for one in found if one.get("choices")]
    return "".join(one.get("content", "") for one in deltas), found + (["[DONE]"] if lines[-1] == "[DONE]" else [])


def test_an_answer_comes_through_with_its_calls_and_tokens() -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Reply:
        seen.append(request)
        return Reply(text="hi", calls=(Call(name="read", arguments='{"a": 1}', id="c1"),))

    tools = [{"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}}]
    status, headers, found = post(of(answer), ASKED | {"tools": tools, "max_tokens": 9, "seed": 4})
    assert status == 200
    assert "x-temper-guard" not in headers
    choice = found["choices"][0]
    assert choice["message"]["content"] == "hi"
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "read", "arguments": '{"a": 1}'}
    assert choice["finish_reason"] == "tool_calls"
    assert found["usage"]["total_tokens"] > 0
    assert (seen[0].most_tokens, seen[0].trial, seen[0].tools[0].name) == (9, 4, "read")
    assert seen[0].messages[0].role is Role.SYSTEM, "the canary was placed"


def test_what_is_stopped_is_an_ordinary_completion_with_the_stage_in_a_header() -> None:
    status, headers, found = post(of(lambda request: request.messages[0].text), ASKED)
    assert (status, headers["x-temper-guard"]) == (200, "canary")
    assert found["choices"][0]["finish_reason"] == "content_filter"
    assert found["choices"][0]["message"]["content"] == REFUSAL
    long = build([("limits", {"characters": 3})], key=b"k")
    status, headers, found = post(of(lambda request: "never", guard=long), ASKED)
    assert (headers["x-temper-guard"], found["choices"][0]["message"]["content"]) == ("limits", REFUSAL)
    status, headers, text = post(of(lambda request: "never", guard=long), ASKED | {"stream": True})
    assert (headers["x-temper-guard"], events(text)[0]) == ("limits", REFUSAL)
    assert events(text)[1][-2]["choices"][0]["finish_reason"] == "content_filter"


def test_several_answers_are_each_guarded() -> None:
    def answer(request: Request) -> str:
        return request.messages[0].text if request.trial else "card 4111 1111 1111 1111"

    _, headers, found = post(of(answer), ASKED | {"n": 2})
    assert [(one["message"]["content"], one["finish_reason"]) for one in found["choices"]] == [
        ("card [card removed]", "stop"),
        (REFUSAL, "content_filter"),
    ]
    assert headers["x-temper-guard"] == "canary"


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"{no json", 400, "no chat completion"),
        (b"[]", 400, "no chat completion"),
        (b'{"messages": 1}', 400, "messages"),
        (b'{"messages": []}', 400, "no messages"),
        (b"[" * 50_000, 400, "no chat completion"),
        ({"messages": [{"role": "boss", "content": "x"}]}, 400, "role 'boss'"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "only text"),
        (ASKED | {"n": 99}, 400, "expected 1 to 16"),
        (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', 400, "no chat completion"),
    ],
)
def test_bad_requests_get_one_sentence(body: Any, status: int, says: str) -> None:
    found, _, document = post(of(lambda request: "never"), body)
    assert found == status
    assert says in document["error"]["message"]
    assert document["error"]["type"] == "invalid_request_error"


def test_a_body_over_the_limit_is_not_read() -> None:
    app = Proxy(target=ChatFunction(call=lambda request: "never"), guard=GUARD, most_bytes=1_000)
    status, _, found = post(app, b"x" * 2_000)
    assert (status, found["error"]["message"]) == (413, "the request is over 1,000 bytes")


def test_everything_else_is_nothing() -> None:
    app = of(lambda request: "hi")

    async def use(url: str) -> list[tuple[int, Any]]:
        async with aiohttp.ClientSession() as session:
            found = []
            for method, path in (("GET", "/v1/models"), ("GET", "/healthz"), ("GET", "/v1/chat/completions"),
                                 ("POST", "/v1/models"), ("GET", "/"), ("POST", "/v1/embeddings")):  # fmt: skip
                async with session.request(method, url + path) as reply:
                    found.append((reply.status, await reply.json()))
            return found

    found = running(app, use)
    assert [status for status, _ in found] == [200, 200, 405, 405, 404, 404]
    assert found[0][1]["data"][0]["id"] == "function"


def test_keys_are_needed_where_there_are_some_and_elsewhere_is_refused_without() -> None:
    app = of(lambda request: "hi", keys={"shop": "right"})
    assert post(app, ASKED, Authorization="Bearer right")[0] == 200
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "right"},
        {"Authorization": "Basic right"},
    ):
        status, _, found = post(app, ASKED, **headers)
        assert (status, found["error"]["type"]) == (401, "authentication_error")
    assert post(of(lambda request: "hi"), ASKED, Origin="http://page.example")[0] == 401, "a page is not this machine"
    sent: list[Any] = []

    async def outside() -> None:
        async def send(event: Any) -> None:
            sent.append(event)

        scope = {"type": "http", "method": "GET", "path": "/v1/models", "headers": [], "client": ("192.0.2.1", 5)}
        await of(lambda request: "hi")(scope, None, send)  # type: ignore[arg-type]

    asyncio.run(outside())
    assert sent[0]["status"] == 401
    with pytest.raises(TemperError, match="there are no keys"):
        serve(of(lambda request: "hi"), host="0.0.0.0")


def test_a_client_that_asks_too_often_waits_and_others_do_not() -> None:
    keys = Keys.of({"shop": "one", "desk": "two"})
    target = ChatFunction(call=lambda request: "hi")
    app = Proxy(target=target, guard=GUARD, keys=keys, quota=Quota(config=QuotaConfig.per_minute(1)))

    async def use(url: str) -> list[tuple[int, str]]:
        async with aiohttp.ClientSession() as session:
            found = []
            for key in ("one", "one", "two"):
                headers = {"Authorization": f"Bearer {key}"}
                async with session.post(f"{url}/v1/chat/completions", json=ASKED, headers=headers) as reply:
                    found.append((reply.status, reply.headers.get("Retry-After", "")))
            return found

    assert running(app, use) == [(200, ""), (429, "60"), (200, "")]


def behind(faults: Faults | None = None, handler: Any = None, **limits: Any) -> Callable[..., Any]:
    """How to ask a proxy in front of a server."""

    def ask(body: Any, **headers: str) -> tuple[int, Any, Any]:
        async def first(upstream: str) -> Any:
            line = Line(url=f"{upstream}/v1", limits=Limits(**({"retries": 0, "timeout": 1.0} | limits)),
                        headers={"Authorization": "Bearer upstream-key"})  # fmt: skip
            target = OpenAI(line=line, model="m")
            with socket.socket() as place:
                place.bind(("127.0.0.1", 0))
                port = place.getsockname()[1]
            server = uvicorn.Server(uvicorn.Config(proxy(target, GUARD), port=port, log_level="critical"))
            task = asyncio.create_task(server.serve())
            while not server.started:
                await asyncio.sleep(0.01)
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body, headers=headers) as reply,
            ):
                text = await reply.text()
            server.should_exit = True
            await task
            return reply.status, reply.headers, json.loads(text) if text.startswith("{") else text

        if handler is not None:
            return served(handler, first)  # type: ignore[no-any-return]
        return running(Server(faults=faults or Faults()), first)  # type: ignore[no-any-return]

    return ask


def served(handler: Any, use: Callable[[str], Awaitable[Any]]) -> Any:
    async def both() -> Any:
        app = web.Application()
        app.router.add_post("/{path:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            return await use(f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}")  # type: ignore[union-attr]
        finally:
            await runner.cleanup()

    return asyncio.run(both())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("fault", "status"), [("error", 502), ("malformed", 502), ("dropped", 502), ("hang", 504)])
def test_trouble_behind_is_told_without_its_details(fault: str, status: int, stream: bool) -> None:
    ask = behind(Faults(**{fault: 1.0}))
    found, _, document = ask(ASKED | {"stream": stream})
    assert found == status
    assert document["error"] == {
        "message": "the model behind gave no answer that can be used",
        "type": "api_error",
        "param": None,
        "code": None,
    }


def test_no_header_of_a_client_reaches_the_model_and_settings_do() -> None:
    seen: list[Any] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((dict(request.headers), await request.json()))
        return web.json_response({"choices": [{"message": {"content": "hi"}}]})

    ask = behind(handler=handler)
    body = ASKED | {"temperature": 0.5, "user": "u", "logit_bias": {"1": 2}, "model": "another"}
    assert ask(body, **{"Authorization": "Bearer client-key", "X-Secret": "s"})[0] == 200
    headers, payload = seen[0]
    assert headers["Authorization"] == "Bearer upstream-key"
    assert "client-key" not in str(headers)
    assert "X-Secret" not in headers
    assert payload["temperature"] == 0.5
    assert payload["model"] == "m"
    assert not {"user", "logit_bias"} & set(payload)


def streaming(pieces: list[str], cut: bool = False) -> Any:
    async def handler(request: web.Request) -> web.StreamResponse:
        assert (await request.json())["stream"] is True
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await reply.prepare(request)
        for piece in pieces:
            event = {"choices": [{"index": 0, "delta": {"content": piece}}]}
            await reply.write(f"data: {json.dumps(event)}\n\n".encode())
        if not cut:
            await reply.write(b"data: [DONE]\n\n")
        return reply

    return handler


def test_a_stream_comes_in_pieces_and_nothing_is_let_out_in_part() -> None:
    text = LONG + "Card 4111 1111 1111 1111. " + LONG
    ask = behind(handler=streaming([text[at : at + 9] for at in range(0, len(text), 9)]))
    status, _, came = ask(ASKED | {"stream": True, "stream_options": {"include_usage": True}})
    said, found = events(came)
    assert (status, said) == (200, text.replace("4111 1111 1111 1111", "[card removed]"))
    assert len(found) > 5, "it came in pieces"
    assert found[-1] == "[DONE]"
    assert found[-2]["usage"]["total_tokens"] > 0
    assert found[-3]["choices"][0]["finish_reason"] == "stop"


def test_a_leak_ends_a_stream_before_it_is_out() -> None:
    canary = GUARD.context(Request(messages=())).canary

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal canary
        told = (await request.json())["messages"][0]["content"]
        canary = told.rsplit(" ", 1)[1].strip(".")
        text = LONG + f"It is {'-'.join(canary)}. " + LONG
        return await streaming([text[at : at + 20] for at in range(0, len(text), 20)])(request)  # type: ignore[no-any-return]

    ask = behind(handler=handler)
    said, found = events(ask(ASKED | {"stream": True})[2])
    assert said.endswith(REFUSAL)
    assert LONG.startswith(said.removesuffix(f"\n\n{REFUSAL}"))
    assert found[-2]["choices"][0]["finish_reason"] == "content_filter"


def test_a_stream_that_breaks_off_does_not_end_like_one_that_was_finished() -> None:
    ask = behind(handler=streaming([LONG, LONG], cut=True))
    status, _, came = ask(ASKED | {"stream": True})
    found = events(came)[1]
    assert status == 200
    assert found[-1] == {"error": {"message": "the answer broke off", "type": "api_error"}}


def test_a_stream_that_takes_too_long_says_so_in_the_stream() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await reply.prepare(request)
        event = {"choices": [{"index": 0, "delta": {"content": LONG}}]}
        await reply.write(f"data: {json.dumps(event)}\n\n".encode())
        await asyncio.sleep(5)
        return reply

    status, _, came = behind(handler=handler, timeout=0.3)(ASKED | {"stream": True})
    said, found = events(came)
    assert status == 200
    assert LONG.startswith(said)
    assert "error" in found[-1]


def test_a_gateway_that_fails_tells_nothing_of_the_conversation(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(ChatFunction):
        async def ask(self, request: Request) -> Reply:
            raise KeyError("hello and other words of the conversation")

    status, _, found = post(proxy(Broken(call=str), GUARD), ASKED)
    assert (status, found["error"]["message"]) == (500, "the gateway failed")
    assert "KeyError" in caplog.text
    assert "other words" not in caplog.text


@pytest.mark.parametrize("stream", [False, True])
def test_what_the_guard_stops_is_a_line_for_whoever_watches(stream: bool, caplog: pytest.LogCaptureFixture) -> None:
    def greedy(request: Request) -> Reply:
        return Reply(calls=(Call(name=request.tools[-1].name, id="c", arguments='{"key": "words of the talk"}'),))

    app = proxy(ChatFunction(call=greedy, tools=True), build([("decoys", {})], key=b"k"))
    post(app, ASKED | {"stream": stream, "tools": [{"type": "function", "function": {"name": "get_balance"}}]})
    assert [line.getMessage() for line in caplog.records if line.name.startswith("temper")] == [
        'exchange.stopped: the guard stopped an exchange with an assistant stage=decoys client="this machine"'
    ]


def test_calls_of_a_stream_come_together_at_its_end() -> None:
    ask = behind()
    body = ASKED | {"stream": True, "messages": [{"role": "user", "content": "What is my balance?"}],
                    "tools": [{"type": "function", "function": {"name": "get_balance"}}]}  # fmt: skip
    found = events(ask(body)[2])[1]
    made = [one for one in found[:-1] if one["choices"][0]["delta"].get("tool_calls")]
    assert [call["function"]["name"] for one in made for call in one["choices"][0]["delta"]["tool_calls"]] == [
        "get_balance"
    ]
    assert found[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_live_gateway_loads_nothing_that_attacks() -> None:
    program = """
import asyncio, json, sys
from temper.core.chat import Request
from temper.gateway.app import proxy
from temper.guard.pipeline import STAGES, build
from temper.targets.chat.function import ChatFunction

guard = build([(name, {}) for name in STAGES.names() if name != "linear"], key=b"k")
app = proxy(ChatFunction(call=lambda request: "![x](https://evil.example/a)"), guard)
body = json.dumps({"messages": [{"role": "user", "content": "hello"}]}).encode()
sent = []

async def receive():
    return {"type": "http.request", "body": body}

async def send(event):
    sent.append(event)

scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": [], "client": ("127.0.0.1", 1)}
asyncio.run(app(scope, receive, send))
assert sent[0]["status"] == 200, sent
assert b"removed" in sent[1]["body"], sent
attacking = ("engine", "attacks", "stress", "hardening")
bad = [m for m in sys.modules if m.startswith("temper.") and m.split(".")[1] in attacking]
assert not bad, bad
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
