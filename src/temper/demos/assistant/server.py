"""The stand-in behind an OpenAI-compatible address, with faults on request. SIMULATED."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Protocol, TypeAlias

from temper.core.chat import Call, Message, Reply, Request, Role, Tool
from temper.demos.assistant.faults import Faults
from temper.demos.assistant.mind import Mind

Scope: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[dict[str, Any]]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]

MODEL = "stand-in"
_LARGEST = 64 * 1024 * 1024
_HANG = 60.0
_PIECE = 12


class StandIn(Protocol):
    """What answers: one of the stand-ins."""

    def answer(self, request: Request) -> Reply:
        """What it says or calls."""


@dataclass(slots=True, kw_only=True, eq=False)
class Server:
    """An ASGI application: /v1/models and /v1/chat/completions with `n`, tools, streams and usage.

    `seed` in a request tells trials apart. `served` counts the questions answered.
    """

    mind: StandIn = field(default_factory=Mind)
    faults: Faults = field(default_factory=Faults)
    served: int = 0
    _number: count[int] = field(default_factory=count)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["path"].endswith("/models"):
            await _json(send, 200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
        elif scope["method"] == "POST" and scope["path"].endswith("/chat/completions"):
            await self._chat(receive, send)
        else:
            await _json(send, 404, {"error": {"message": "there is nothing here"}})

    async def _chat(self, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        fault = self.faults.of(next(self._number))
        await asyncio.sleep(_HANG if fault == "hang" else self.faults.latency)
        if await _failed(send, fault, self.faults.pause):
            return
        try:
            asked = json.loads(body)
            request, many = _request(asked), int(asked.get("n") or 1)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            await _json(send, 400, {"error": {"message": "the request is no chat completion"}})
            return
        replies = [self.mind.answer(replace(request, trial=request.trial + at)) for at in range(max(1, many))]
        self.served += 1
        if fault == "empty":
            replies = [Reply(usage=reply.usage) for reply in replies]
        if asked.get("stream"):
            await _stream(send, replies[0], cut=fault == "cut")
        else:
            await _json(send, 200, _completion(replies), cut=fault == "cut")


def serve(server: Server, port: int, host: str = "127.0.0.1") -> None:
    """Answer on this port until interrupted."""
    import uvicorn

    uvicorn.run(server, host=host, port=port, log_level="warning", access_log=False, lifespan="off")


def _request(asked: Mapping[str, Any]) -> Request:
    messages = tuple(_message(entry) for entry in asked["messages"])
    tools = tuple(Tool(name=str(entry["function"]["name"])) for entry in asked.get("tools") or ())
    return Request(messages=messages, tools=tools, trial=int(asked.get("seed") or 0))


def _message(entry: Mapping[str, Any]) -> Message:
    content = entry.get("content") or ""
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content)
    calls = tuple(
        Call(name=call["function"]["name"], arguments=call["function"]["arguments"], id=call.get("id", ""))
        for call in entry.get("tool_calls") or ()
    )
    role = Role.SYSTEM if entry["role"] == "developer" else Role(entry["role"])
    return Message(role=role, text=content, calls=calls, answers=entry.get("tool_call_id") or "")


def _completion(replies: list[Reply]) -> dict[str, Any]:
    choices = [
        {
            "index": at,
            "message": {"role": "assistant", "content": reply.text or None} | _calls(reply),
            "finish_reason": "tool_calls" if reply.calls else "stop",
        }
        for at, reply in enumerate(replies)
    ]
    return {"object": "chat.completion", "model": MODEL, "choices": choices, "usage": _usage(replies)}


def _calls(reply: Reply) -> dict[str, Any]:
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in reply.calls
    ]
    return {"tool_calls": calls} if calls else {}


def _usage(replies: list[Reply]) -> dict[str, int]:
    read, wrote = replies[0].usage.read, sum(reply.usage.written for reply in replies)
    return {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}


async def _stream(send: Send, reply: Reply, *, cut: bool) -> None:
    """The reply in pieces; one that is cut ends in the middle, without a word."""
    await _start(send, 200, "text/event-stream")
    pieces: list[dict[str, Any]] = [
        {"content": reply.text[at : at + _PIECE]} for at in range(0, len(reply.text), _PIECE)
    ]
    for at, call in enumerate(_calls(reply).get("tool_calls", [])):
        pieces.append({"tool_calls": [{"index": at, **call}]})
    for piece in pieces[: len(pieces) // 2] if cut else pieces:
        await _event(send, json.dumps({"choices": [{"index": 0, "delta": piece}]}))
    if not cut:
        await _event(send, json.dumps({"choices": [], "usage": _usage([reply])}))
        await _event(send, "[DONE]")
    await send({"type": "http.response.body", "body": b""})


async def _event(send: Send, data: str) -> None:
    await send({"type": "http.response.body", "body": f"data: {data}\n\n".encode(), "more_body": True})


async def _failed(send: Send, fault: str, pause: float) -> bool:
    """Whether the request has been answered by a fault."""
    match fault:
        case "busy":
            await _json(
                send, 429, {"error": {"message": "slow down"}}, headers=[(b"retry-after", f"{pause:g}".encode())]
            )
        case "error":
            await _json(send, 500, {"error": {"message": "out of order"}})
        case "malformed":
            await _start(send, 200, "application/json")
            await send({"type": "http.response.body", "body": b"{'no': json"})
        case "dropped":
            await _start(send, 200, "application/json", [(b"content-length", b"1000")])
            await send({"type": "http.response.body", "body": b'{"choices": [', "more_body": True})
            raise ConnectionResetError("dropped on purpose")
        case _:
            return False
    return True


async def _json(
    send: Send, status: int, document: Any, *, headers: list[tuple[bytes, bytes]] | None = None, cut: bool = False
) -> None:
    body = json.dumps(document).encode()
    await _start(send, status, "application/json", headers)
    await send({"type": "http.response.body", "body": body[: len(body) // 2] if cut else body})


async def _start(send: Send, status: int, content: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    named = [(b"content-type", content.encode()), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": named})


async def _body(receive: Receive) -> bytes:
    found = bytearray()
    while True:
        event = await receive()
        found += event.get("body", b"")
        if not event.get("more_body") or len(found) > _LARGEST:
            return bytes(found)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
