"""Assistants that speak the messages protocol with content blocks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from temper.core.chat import Call, Message, Reply, Request, Role, Usage
from temper.core.target import Access
from temper.targets import _digest
from temper.targets.chat.asking import Read, asked
from temper.targets.chat.line import Line
from temper.targets.chat.shape import Malformed, listed, mapping, text_at

_TOKENS = 1024


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Anthropic:
    """POST /messages below `line.url`: the system's text apart, tools answered inside the user's turn."""

    line: Line
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "anthropic"

    @property
    def access(self) -> Access:
        """Chat, with tools."""
        return Access.CHAT | Access.TOOLS

    @property
    def digest(self) -> str:
        """Empty without a declared version."""
        about = json.dumps([self.line.url, self.model, dict(self.settings), self.version], sort_keys=True)
        return _digest.of_bytes(b"anthropic", about.encode()) if self.version else ""

    async def ask(self, request: Request) -> Reply:
        """One answer."""
        return await asked(self.line, request, "/messages", self._payload(request), _read)

    async def close(self) -> None:
        """Close the connections."""
        await self.line.close()

    def _payload(self, request: Request) -> dict[str, Any]:
        owner = "\n\n".join(m.text for m in request.messages if m.role is Role.SYSTEM)
        turns = [m for m in request.messages if m.role is not Role.SYSTEM]
        payload: dict[str, Any] = {"model": self.model, "max_tokens": request.most_tokens or _TOKENS}
        payload |= dict(self.settings)
        payload["messages"] = [
            {"role": role, "content": [block for turn in group for block in _blocks(turn)]}
            for role, group in groupby(turns, key=_speaker)
        ]
        if owner:
            payload["system"] = owner
        if request.tools:
            payload["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
                for tool in request.tools
            ]
        return payload


def _speaker(message: Message) -> str:
    return "assistant" if message.role is Role.ASSISTANT else "user"


def _blocks(message: Message) -> list[dict[str, Any]]:
    if message.role is Role.TOOL:
        return [{"type": "tool_result", "tool_use_id": message.answers, "content": message.text}]
    found: list[dict[str, Any]] = [{"type": "text", "text": message.text}] if message.text else []
    for call in message.calls:
        found.append({"type": "tool_use", "id": call.id, "name": call.name, "input": _arguments(call)})
    return found


def _arguments(call: Call) -> Any:
    try:
        return json.loads(call.arguments)
    except ValueError:
        return {"text": call.arguments}


def _read(body: bytes) -> Read:
    reply = mapping(body.decode("utf-8", "replace"))
    blocks = listed(reply, "content")
    text = "".join(text_at(block, "text") for block in blocks if _kind(block) == "text")
    calls = tuple(
        Call(name=text_at(block, "name"), arguments=json.dumps(block.get("input", {})), id=text_at(block, "id"))
        for block in blocks
        if _kind(block) == "tool_use"
    )
    used = reply.get("usage")
    if not isinstance(used, dict) or not all(isinstance(used.get(k), int) for k in ("input_tokens", "output_tokens")):
        return text, calls, None
    return text, calls, Usage(read=used["input_tokens"], written=used["output_tokens"])


def _kind(block: Any) -> str:
    if not isinstance(block, dict):
        raise Malformed("a block of the reply is no object")
    return text_at(block, "type")
