"""Assistants that speak the OpenAI chat protocol, in one piece or as a stream."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from temper.core.chat import Call, Message, Reply, Request, Role, Tool, Usage
from temper.core.target import Access
from temper.targets import _digest
from temper.targets.chat.asking import Read, asked, guessed
from temper.targets.chat.line import Line
from temper.targets.chat.shape import Malformed, listed, mapping, text_at


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenAI:
    """POST /chat/completions below `line.url` (".../v1"). `settings` go into every request (temperature, seed, ...).

    `version` names what answers there, so that answers can be kept; with `stream` the reply comes in events, and one
    that ends early is invalid.
    """

    line: Line
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = False
    version: str = ""

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "openai"

    @property
    def access(self) -> Access:
        """Chat, with tools."""
        return Access.CHAT | Access.TOOLS

    @property
    def digest(self) -> str:
        """Empty without a declared version: what answers behind a URL cannot be seen."""
        about = json.dumps([self.line.url, self.model, dict(self.settings), self.version], sort_keys=True)
        return _digest.of_bytes(b"openai", about.encode()) if self.version else ""

    async def ask(self, request: Request) -> Reply:
        """One answer."""
        return await asked(self.line, request, "/chat/completions", self._payload(request), self._read)

    async def pieces(self, request: Request) -> AsyncGenerator[str | Reply]:
        """The text of the answer as it is written, and at the end the whole reply."""
        payload = replace(self, stream=True)._payload(request)
        text: list[str] = []
        calls: dict[int, dict[str, str]] = {}
        used, whole = None, False
        try:
            async with aclosing(self.line.lines("/chat/completions", payload, guessed(request, "").read)) as lines:
                async for line in lines:
                    if whole := line.strip() == b"data: [DONE]":
                        break
                    for event in events(line, ends=False):
                        used = _usage(event) or used
                        text.append(_delta(event, calls))
                        if text[-1]:
                            yield text[-1]
            invalid = "" if whole else "the stream ended before it was finished"
        except (Malformed, ConnectionError) as crash:
            invalid = str(crash)
        usage = used or guessed(request, "".join(text))
        self.line.spent.answered(usage)
        yield Reply(text="".join(text), calls=_made(calls), usage=usage, invalid=invalid)

    async def close(self) -> None:
        """Close the connections."""
        await self.line.close()

    def _payload(self, request: Request) -> dict[str, Any]:
        payload: dict[str, Any] = {"model": self.model, "messages": [written(m) for m in request.messages]}
        payload |= dict(self.settings)
        if request.tools:
            payload["tools"] = [_tool(tool) for tool in request.tools]
        if request.most_tokens:
            payload["max_tokens"] = request.most_tokens
        if self.stream:
            payload |= {"stream": True, "stream_options": {"include_usage": True}}
        return payload

    def _read(self, body: bytes) -> Read:
        return _assembled(events(body)) if self.stream else _whole(body)


def written(message: Message) -> dict[str, Any]:
    """A turn as the protocol writes it."""
    found: dict[str, Any] = {"role": message.role.value, "content": message.text}
    if message.calls:
        found["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.calls
        ]
    if message.role is Role.TOOL:
        found["tool_call_id"] = message.answers
    return found


def events(body: bytes, *, ends: bool = True) -> Iterator[Any]:
    """The events of a stream; `Malformed` where one is no JSON, or where a stream that `ends` here does not say so."""
    for line in body.decode("utf-8", "replace").splitlines():
        if not line.startswith("data:"):
            continue
        data = line[5:].strip()
        if data == "[DONE]":
            return
        yield mapping(data)
    if ends:
        raise Malformed("the stream ended before it was finished")


def _tool(tool: Tool) -> dict[str, Any]:
    about = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": about}


def _whole(body: bytes) -> Read:
    reply = mapping(body.decode("utf-8", "replace"))
    choices = listed(reply, "choices")
    if not choices:
        raise Malformed("the reply has no choice")
    message = choices[0].get("message") if isinstance(choices[0], dict) else None
    if not isinstance(message, dict):
        raise Malformed("the reply's choice has no message")
    calls = tuple(_call(entry) for entry in listed(message, "tool_calls"))
    return text_at(message, "content"), calls, _usage(reply)


def _call(entry: Any) -> Call:
    function = entry.get("function") if isinstance(entry, dict) else None
    if not isinstance(function, dict):
        raise Malformed("a tool call has no function")
    return Call(name=text_at(function, "name"), arguments=text_at(function, "arguments"), id=text_at(entry, "id"))


def _usage(reply: dict[str, Any]) -> Usage | None:
    used = reply.get("usage")
    if not isinstance(used, dict):
        return None
    read, wrote = used.get("prompt_tokens"), used.get("completion_tokens")
    return Usage(read=read, written=wrote) if isinstance(read, int) and isinstance(wrote, int) else None


def _assembled(stream: Iterator[Any]) -> Read:
    """The pieces of a stream put together; tool calls come in pieces by their index."""
    text: list[str] = []
    calls: dict[int, dict[str, str]] = {}
    used: Usage | None = None
    for event in stream:
        used = _usage(event) or used
        text.append(_delta(event, calls))
    return "".join(text), _made(calls), used


def _delta(event: Any, calls: dict[int, dict[str, str]]) -> str:
    """The piece of text in an event; pieces of calls are added to `calls`."""
    for choice in listed(event, "choices")[:1]:
        delta = choice.get("delta") if isinstance(choice, dict) else None
        if isinstance(delta, dict):
            _add(calls, listed(delta, "tool_calls"))
            return text_at(delta, "content")
    return ""


def _made(calls: dict[int, dict[str, str]]) -> tuple[Call, ...]:
    return tuple(Call(name=one["name"], arguments=one["arguments"], id=one["id"]) for _, one in sorted(calls.items()))


def _add(calls: dict[int, dict[str, str]], pieces: list[Any]) -> None:
    for piece in pieces:
        if not isinstance(piece, dict) or not isinstance(piece.get("index", 0), int):
            raise Malformed("a piece of a tool call is no object")
        one = calls.setdefault(piece.get("index", 0), {"name": "", "arguments": "", "id": ""})
        function = piece.get("function") if isinstance(piece.get("function"), dict) else {}
        one["id"] += text_at(piece, "id")
        one["name"] += text_at(function, "name")
        one["arguments"] += text_at(function, "arguments")
