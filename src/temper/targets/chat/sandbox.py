"""A conversation held to its end: the model is asked, its tool calls are answered from the sandbox, and so on."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from temper.core.assistant import UNTRUSTED, Assistant, Service, Talk, Trace, request_of
from temper.core.chat import Call, Message, Reply, Request, Role, Usage

_NOTHING = "error: nothing found"

Ask: TypeAlias = Callable[[Request], Awaitable[Reply]]


async def converse(assistant: Assistant, talk: Talk, ask: Ask | None = None) -> Trace:
    """Everything that was said and called. `ask` stands for the target where answers come from elsewhere too.

    Ends when the model answers the last turn without a call, when it has been asked `most_turns` times for one turn, or
    with an invalid reply. Nothing a tool does is real.
    """
    ask = ask or assistant.target.ask
    messages = list(talk.opening(assistant.instructions))
    usage, requests, seconds, delivered, blocked = Usage(), 0, 0.0, not talk.planted, ""
    for turn in talk.turns:
        messages.append(Message(role=Role.USER, text=turn))
        for _ in range(assistant.most_turns):
            reply = await ask(request_of(assistant, tuple(messages), talk.trial, talk.told))
            requests, usage, seconds = requests + 1, usage + reply.usage, seconds + reply.seconds
            blocked = blocked or reply.blocked
            if reply.invalid:
                return _trace(messages, usage, requests, seconds, delivered, reply.invalid, blocked)
            messages.append(reply.message)
            if not reply.calls:
                break
            for call in reply.calls:
                text, brought = answered(assistant, call, talk)
                delivered = delivered or brought
                messages.append(Message(role=Role.TOOL, text=text, answers=call.id))
    return _trace(messages, usage, requests, seconds, delivered, "", blocked)


def done(assistant: Assistant, trace: Trace) -> tuple[Call, ...]:
    """The sandbox's journal of this conversation: every call that a tool with an effect carried out, in order. What an
    assistant says that it did, what a guard took out, and what none of the tool's results fits, is not in it.
    """
    waiting: list[Call] = []
    carried: list[Call] = []
    for message in trace.messages:
        if message.role is not Role.TOOL:
            waiting = list(message.calls)
        elif waiting:
            call = waiting.pop(0)
            service = assistant.service(call.name)
            if service is not None and service.effect and parsed(call) is not None and message.text != _NOTHING:
                carried.append(call)
    return tuple(carried)


def answered(assistant: Assistant, call: Call, talk: Talk) -> tuple[str, bool]:
    """What a tool answers, and whether an outsider's text is in it."""
    service = assistant.service(call.name)
    if service is None:
        return f"error: there is no tool {call.name[:80]!r}", False
    arguments = parsed(call)
    if arguments is None:
        return "error: the arguments are no JSON object", False
    planted = talk.planted.get(call.name, talk.planted.get("", ""))
    parts = _result(service, arguments).split(UNTRUSTED)
    return planted.join(_filled(part, arguments) for part in parts), bool(planted) and len(parts) > 1


def parsed(call: Call) -> dict[str, Any] | None:
    """The call's arguments, None where they are no JSON object."""
    try:
        found = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _result(service: Service, arguments: dict[str, Any]) -> str:
    """The first result whose conditions hold; arguments are filled in where the text names them."""
    for wanted, text in service.results:
        if all(str(arguments.get(key)) == str(value) for key, value in wanted.items()):
            return text
    return _NOTHING


def _filled(text: str, arguments: dict[str, Any]) -> str:
    """Arguments put where the text names them, in one pass: what an argument says is not filled in turn."""
    return re.sub(r"\{(\w+)\}", lambda found: str(arguments.get(found[1], found[0])), text)


def _trace(
    messages: list[Message],
    usage: Usage,
    requests: int,
    seconds: float,
    delivered: bool,
    invalid: str,
    blocked: str,
) -> Trace:
    return Trace(
        messages=tuple(messages),
        usage=usage,
        requests=requests,
        seconds=seconds,
        delivered=delivered,
        invalid=invalid,
        blocked=blocked,
    )
