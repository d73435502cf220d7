"""A sentence of the guard's in the owner's instructions."""

from __future__ import annotations

from dataclasses import replace

from temper.core.chat import Message, Request, Role


def told(request: Request, line: str) -> Request:
    """The question with this line at the end of its instructions, which are made where there are none."""
    messages = request.messages
    at = next((at for at, one in enumerate(messages) if one.role is Role.SYSTEM), None)
    if at is None:
        return replace(request, messages=(Message(role=Role.SYSTEM, text=line), *messages))
    own = replace(messages[at], text=f"{messages[at].text.rstrip()}\n{line}")
    return replace(request, messages=(*messages[:at], own, *messages[at + 1 :]))
