"""The OpenAI chat protocol from the other side: what clients ask, and how they are answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from temper.core.chat import Call, Message, Reply, Request, Role, Tool, Usage

SETTINGS = (
    *("temperature", "top_p", "stop", "seed", "presence_penalty", "frequency_penalty"),
    *("response_format", "tool_choice", "parallel_tool_calls", "reasoning_effort"),
)
"""What a client may say about how to answer."""
_ROLES = {"developer": Role.SYSTEM, "function": Role.TOOL}
_MOST = 16


class _Function(msgspec.Struct):
    name: str
    arguments: str = "{}"


class _Call(msgspec.Struct):
    function: _Function
    id: str = ""


class _Part(msgspec.Struct):
    type: str
    text: str = ""


class _Said(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None


class _About(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class _Tool(msgspec.Struct):
    function: _About


class Asked(msgspec.Struct):
    """A request for a chat completion, as far as it is understood."""

    messages: list[_Said]
    model: str = ""
    tools: list[_Tool] | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    n: int | None = None
    seed: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    user: str | None = None
    safety_identifier: str | None = None

    @property
    def person(self) -> str:
        """Whom the client asks for, as it calls them; "" where it does not say."""
        return self.safety_identifier or self.user or ""


def asked(body: bytes) -> tuple[Asked, dict[str, Any]]:
    """The request and the settings in it; `ValueError` says in one sentence what is wrong with it."""
    try:
        found = msgspec.json.decode(body, type=Asked)
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as wrong:
        raise ValueError(f"the request is no chat completion: {wrong}") from None
    if not found.messages:
        raise ValueError("the request has no messages")
    if not 1 <= (found.n or 1) <= _MOST:
        raise ValueError(f"n is {found.n}, expected 1 to {_MOST}")
    return found, {key: document[key] for key in SETTINGS if document.get(key) is not None}


def request_of(found: Asked) -> Request:
    """The conversation. Only text is let through: what cannot be read cannot be guarded."""
    return Request(
        messages=tuple(_message(one) for one in found.messages),
        tools=tuple(
            Tool(name=one.function.name, description=one.function.description or "",
                 parameters=one.function.parameters or {})
            for one in found.tools or ()
        ),
        trial=found.seed or 0,
        most_tokens=found.max_completion_tokens or found.max_tokens,
    )  # fmt: skip


def completion(replies: list[Reply], **about: Any) -> dict[str, Any]:
    """The answer in one piece; `about` are its id, model and time."""
    choices = [
        {
            "index": at,
            "message": {"role": "assistant", "content": _clean(one.text) or None, **_calls(one)},
            "finish_reason": reason(one),
        }
        for at, one in enumerate(replies)
    ]
    usage = sum((one.usage for one in replies[1:]), replies[0].usage)
    return {"object": "chat.completion", **about, "choices": choices, "usage": usage_of(usage)}


def piece(delta: Mapping[str, Any], finish: str | None = None, **about: Any) -> dict[str, Any]:
    """A piece of a streamed answer."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"object": "chat.completion.chunk", **about, "choices": [choice]}


def deltas(reply: Reply) -> list[dict[str, Any]]:
    """What a reply adds to a stream: its text, then its calls."""
    found: list[dict[str, Any]] = [{"content": _clean(reply.text)}] if reply.text else []
    for at, call in enumerate(_calls(reply).get("tool_calls", [])):
        found.append({"tool_calls": [{"index": at, **call}]})
    return found


def reason(reply: Reply) -> str:
    """Why the answer ends."""
    if reply.calls:
        return "tool_calls"
    return "content_filter" if reply.blocked else "stop"


def usage_of(usage: Usage) -> dict[str, int]:
    """Tokens as the protocol counts them."""
    both = usage.read + usage.written
    return {"prompt_tokens": usage.read, "completion_tokens": usage.written, "total_tokens": both}


def _message(one: _Said) -> Message:
    role = _ROLES.get(one.role, one.role)
    if role not in set(Role):
        raise ValueError(f"a message has the role {one.role[:40]!r}, expected one of {', '.join(Role)}")
    if isinstance(one.content, list) and (other := next((p.type for p in one.content if p.type != "text"), "")):
        raise ValueError(f"a message has a part of type {other[:40]!r}, only text is let through")
    text = "".join(p.text for p in one.content) if isinstance(one.content, list) else one.content or ""
    calls = tuple(
        Call(name=call.function.name, arguments=call.function.arguments, id=call.id) for call in one.tool_calls or ()
    )
    return Message(role=Role(role), text=text, calls=calls, answers=one.tool_call_id or "")


def _calls(reply: Reply) -> dict[str, Any]:
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": _clean(call.name), "arguments": _clean(call.arguments)},
        }
        for call in reply.calls
    ]
    return {"tool_calls": calls} if calls else {}


def _clean(text: str) -> str:
    """Half of a surrogate pair is no text that can be sent."""
    return text.encode("utf-8", "replace").decode()
