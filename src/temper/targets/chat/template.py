"""Assistants behind a JSON service of any shape, described by a template and a path."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from temper.core.chat import Reply, Request, Role
from temper.core.errors import TemperError
from temper.core.target import Access
from temper.targets import _digest
from temper.targets.chat.asking import Read, asked
from temper.targets.chat.line import Line
from temper.targets.chat.openai import written
from temper.targets.chat.shape import Malformed, at_path, mapping

_PLACES = ("{prompt}", "{system}", "{messages}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Template:
    """POST `body` with its places filled: "{prompt}" is the last user turn, "{system}" the owner's text, and a value
    that is exactly "{messages}" becomes the list of turns. The reply's text lies at `answer`, a dotted path.
    """

    line: Line
    body: Any
    answer: str
    path: str = ""
    version: str = ""

    def __post_init__(self) -> None:
        text = json.dumps(self.body)
        if "{prompt}" not in text and "{messages}" not in text:
            raise TemperError(
                "the template has no place for the prompt", fix='write "{prompt}" or "{messages}" where it goes'
            )

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "template"

    @property
    def access(self) -> Access:
        """Chat only."""
        return Access.CHAT

    @property
    def digest(self) -> str:
        """Empty without a declared version."""
        about = json.dumps([self.line.url, self.path, self.body, self.answer, self.version], sort_keys=True)
        return _digest.of_bytes(b"template", about.encode()) if self.version else ""

    async def ask(self, request: Request) -> Reply:
        """One answer."""
        return await asked(self.line, request, self.path, _filled(self.body, request), self._read)

    async def close(self) -> None:
        """Close the connections."""
        await self.line.close()

    def _read(self, body: bytes) -> Read:
        found = at_path(mapping(body.decode("utf-8", "replace")), self.answer)
        if not isinstance(found, str):
            raise Malformed(f"there is no text at {self.answer!r}")
        return found, (), None


def _filled(body: Any, request: Request) -> Any:
    if isinstance(body, dict):
        return {key: _filled(value, request) for key, value in body.items()}
    if isinstance(body, list):
        return [_filled(value, request) for value in body]
    if body == "{messages}":
        return [written(message) for message in request.messages]
    if not isinstance(body, str) or not any(place in body for place in _PLACES):
        return body
    owner = "\n\n".join(m.text for m in request.messages if m.role is Role.SYSTEM)
    asked = next((m.text for m in reversed(request.messages) if m.role is Role.USER), "")
    # In one pass, so that a prompt that holds "{system}" is not filled in turn.
    parts = body.split("{prompt}")
    return asked.join(part.replace("{system}", owner) for part in parts)
