"""Every question is asked once: the answer comes from the journal, from a question on its way, or from the target."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Any

import msgspec

from temper.core.chat import ChatTarget, Reply, Request
from temper.core.target import Access
from temper.store.journal import Journal

_ENCODER = msgspec.msgpack.Encoder()


@dataclass(slots=True, kw_only=True, eq=False)
class Answers:
    """The target behind the journal, a target itself. `scope` is what all answers depend on besides the question: the
    target's digest, or the run's own name where nobody can say what answers.

    An invalid reply is given on and not kept, so a later run asks again. `width` questions are in flight at once.
    """

    target: ChatTarget
    journal: Journal
    scope: str
    width: int = 32
    asked: int = 0
    reused: int = 0
    _open: dict[bytes, asyncio.Future[Reply]] = field(default_factory=dict, repr=False)
    _room: asyncio.Semaphore | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The adapter's name."""
        return self.target.name

    @property
    def access(self) -> Access:
        """The target's access."""
        return self.target.access

    @property
    def digest(self) -> str:
        """The target's digest."""
        return self.target.digest

    async def close(self) -> None:
        """Close the target."""
        await self.target.close()

    async def ask(self, request: Request) -> Reply:
        """The answer to this question."""
        key = self.key(request)
        kept = self.journal.get(key)
        if kept is not None:
            self.reused += 1
            return kept
        if key in self._open:
            return await asyncio.shield(self._open[key])
        return await self._asked(key, request)

    def key(self, request: Request) -> bytes:
        """16 bytes that stand for the question and all that its answer depends on."""
        said = [(m.role, m.text, [(c.name, c.arguments, c.id) for c in m.calls], m.answers) for m in request.messages]
        tools = [(tool.name, tool.description, dict(tool.parameters)) for tool in request.tools]
        about = (self.scope, said, tools, request.trial, request.most_tokens)
        return hashlib.blake2b(packed(about), digest_size=16).digest()

    async def _asked(self, key: bytes, request: Request) -> Reply:
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._open[key] = future
        self._room = self._room or asyncio.Semaphore(self.width)
        try:
            async with self._room:
                self.asked += 1
                reply = await self.target.ask(request)
            if not reply.invalid:
                self.journal.put(key, reply)
            future.set_result(reply)
            return reply
        except BaseException as crash:
            future.set_exception(crash)
            future.exception()  # whoever waits is told; nobody waiting is no error
            raise
        finally:
            del self._open[key]


def packed(value: Any) -> bytes:
    """The value as bytes; lone surrogates, which no encoder takes, are written as they stand in memory."""
    try:
        return _ENCODER.encode(value)
    except (UnicodeEncodeError, ValueError):
        return repr(value).encode("utf-8", "surrogatepass")
