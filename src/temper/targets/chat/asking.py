"""One question over a line: what every protocol does alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from temper.core.chat import Call, Reply, Request, Usage
from temper.targets.chat.limits import estimated
from temper.targets.chat.line import Line
from temper.targets.chat.shape import Malformed

Read: TypeAlias = tuple[str, tuple[Call, ...], Usage | None]
_WRITTEN = 256


async def asked(line: Line, request: Request, path: str, payload: Any, read: Callable[[bytes], Read]) -> Reply:
    """The reply to `payload`, taken apart by `read`; trouble, what is malformed and what is empty are invalid."""
    expected = guessed(request, "").read + (request.most_tokens or _WRITTEN)
    answer = await line.post(path, payload, expected)
    if answer.trouble:
        return Reply(invalid=answer.trouble, seconds=answer.seconds)
    try:
        text, calls, used = read(answer.body)
    except Malformed as crash:
        return Reply(invalid=str(crash), seconds=answer.seconds)
    usage = used or guessed(request, text)
    line.spent.answered(usage)
    empty = "" if text or calls else "the reply is empty"
    return Reply(text=text, calls=calls, usage=usage, seconds=answer.seconds, invalid=empty)


def guessed(request: Request, text: str) -> Usage:
    """Tokens by their length, for an endpoint that does not count."""
    read = sum(estimated(message.text) for message in request.messages)
    return Usage(read=read, written=estimated(text), estimated=True)
