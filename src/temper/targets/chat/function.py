"""An assistant in Python: a function of the conversation, plain or async."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from temper.core.chat import Call, Reply, Request, Usage
from temper.core.errors import RunStopped
from temper.core.target import Access
from temper.targets import _digest
from temper.targets.chat.asking import guessed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChatFunction:
    """`call(request)` gives a text, a (text, calls) pair or a `Reply`. A plain function runs in a thread for up to
    `timeout` seconds; what raises or takes longer is an invalid reply.
    """

    call: Callable[[Request], Any]
    version: str = ""
    timeout: float = 60.0
    tools: bool = False

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "function"

    @property
    def access(self) -> Access:
        """Chat, and tools where it says so."""
        return Access.CHAT | Access.TOOLS if self.tools else Access.CHAT

    @property
    def digest(self) -> str:
        """Empty without a declared version."""
        return _digest.of_bytes(b"function", self.version.encode()) if self.version else ""

    async def ask(self, request: Request) -> Reply:
        """One answer."""
        started = time.monotonic()
        try:
            found = await asyncio.wait_for(self._answer(request), self.timeout)
            return _reply(found, request, time.monotonic() - started)
        except TimeoutError:
            return Reply(invalid=f"no answer in {self.timeout:g} s", seconds=time.monotonic() - started)
        except RunStopped:
            raise
        except Exception as crash:
            return Reply(invalid=f"the function raised {type(crash).__name__}", seconds=time.monotonic() - started)

    async def close(self) -> None:
        """Nothing is open."""

    async def _answer(self, request: Request) -> Any:
        if inspect.iscoroutinefunction(self.call) or inspect.iscoroutinefunction(type(self.call).__call__):
            return await self.call(request)
        found = await asyncio.to_thread(self.call, request)
        return await found if inspect.isawaitable(found) else found


def _reply(found: Any, request: Request, seconds: float) -> Reply:
    if isinstance(found, Reply):
        return found if found.usage != Usage() else replace(found, usage=guessed(request, found.text), seconds=seconds)
    text, calls = found if isinstance(found, tuple) and len(found) == 2 else (found, ())
    if not isinstance(text, str) or not all(isinstance(call, Call) for call in calls):
        return Reply(invalid=f"the function gave a {type(found).__name__}, expected text", seconds=seconds)
    empty = "" if text or calls else "the reply is empty"
    return Reply(text=text, calls=tuple(calls), usage=guessed(request, text), seconds=seconds, invalid=empty)
