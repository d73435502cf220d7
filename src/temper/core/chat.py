"""A conversation with an assistant: what is said, which tools it may call, and what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from temper.core.target import Access


class Role(StrEnum):
    """Who speaks: the owner (SYSTEM), the USER, the ASSISTANT, or a TOOL that answers a call."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The assistant wants a tool called: `arguments` is the JSON text as it came, which may be no JSON at all."""

    name: str
    arguments: str = "{}"
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn. `calls` are what an assistant asks for, `answers` the id of the call that a tool answers."""

    role: Role
    text: str = ""
    calls: tuple[Call, ...] = ()
    answers: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool as the assistant is told of it; `parameters` is a JSON Schema."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question: the conversation so far. `trial` tells repeats of the same question apart."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    trial: int = 0
    most_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens read and written, as the endpoint counted them or, where it does not say, as estimated."""

    read: int = 0
    written: int = 0
    estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            read=self.read + other.read,
            written=self.written + other.written,
            estimated=self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back. `invalid` says why it says nothing about the model: no connection, 429, an empty or broken reply.

    An invalid reply is never a refusal and never safe. `blocked` names the guard stage that stopped the question or the
    answer, with its reason: such a reply is valid, and the guard's doing.
    """

    text: str = ""
    calls: tuple[Call, ...] = ()
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    invalid: str = ""
    blocked: str = ""

    @property
    def message(self) -> Message:
        """The reply as the next turn of the conversation."""
        return Message(role=Role.ASSISTANT, text=self.text, calls=self.calls)


@runtime_checkable
class ChatTarget(Protocol):
    """An assistant as somebody can reach it; one adapter per protocol implements this."""

    @property
    def name(self) -> str:
        """The adapter's name, such as "openai"."""

    @property
    def access(self) -> Access:
        """CHAT, and TOOLS where it calls tools."""

    @property
    def digest(self) -> str:
        """What its answers depend on, or "" when nobody can say (a model behind a URL without `version`)."""

    async def ask(self, request: Request) -> Reply:
        """One answer. Trouble on the way is an invalid Reply, not an exception; a spent budget is `RunStopped`."""

    async def close(self) -> None:
        """Close what is open; it may be asked again afterwards."""
