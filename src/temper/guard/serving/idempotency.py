"""A request that is sent twice is answered once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from temper.core.errors import TemperError

_Key = tuple[str, str]


class Conflict(TemperError):
    """A request id came with a body, and came again with another."""


@dataclass(slots=True)
class _Running:
    digest: bytes
    waiters: list[asyncio.Future[bytes | Exception | None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Kept:
    digest: bytes
    answer: bytes
    at: float


@dataclass(slots=True, kw_only=True, eq=False)
class Idempotency:
    """Answers by client and request id. The first request does the work; one that comes meanwhile waits for its answer,
    one that comes later gets what is kept, and one with another body is a Conflict. Trouble is told to whoever waits
    and is not kept, so it may be tried again; where the first is cancelled, the next does the work.

    At most `answers` and `bytes_` are kept, for `seconds`, the oldest forgotten first. Misleads after a restart or on
    another node: this memory is of one process, and Remembered has what others know.
    Source: draft-ietf-httpapi-idempotency-key-header.

    >>> store, done = Idempotency(), []
    >>> async def work() -> bytes:
    ...     done.append(1)
    ...     return b"0.3"
    >>> async def twice():
    ...     return [await store.once("shop", "7", b"row", now, work) for now in (0.0, 1.0)]
    >>> asyncio.run(twice()), len(done)
    ([(b'0.3', False), (b'0.3', True)], 1)
    """

    answers: int = 10_000
    bytes_: int = 64 * 1024 * 1024
    seconds: float = 600.0
    _running: dict[_Key, _Running] = field(default_factory=dict, init=False, repr=False)
    _kept: dict[_Key, _Kept] = field(default_factory=dict, init=False, repr=False)
    _size: int = field(default=0, init=False, repr=False)

    async def once(
        self, client: str, request: str, body: bytes, now: float, work: Callable[[], Awaitable[bytes]]
    ) -> tuple[bytes, bool]:
        """The answer, and whether it was given before."""
        key, digest = (client, request), hashlib.blake2b(body, digest_size=16).digest()
        while True:
            if (kept := self._kept.get(key)) and now - kept.at < self.seconds:
                _same_body(kept.digest, digest, request)
                return kept.answer, True
            if not (running := self._running.get(key)):
                return await self._first(key, digest, now, work), False
            _same_body(running.digest, digest, request)
            # A future of its own: cancelling who waits must not touch the others.
            waiter: asyncio.Future[bytes | Exception | None] = asyncio.get_running_loop().create_future()
            running.waiters.append(waiter)
            found = await waiter
            if isinstance(found, Exception):
                raise found
            if found is not None:
                return found, True

    async def _first(self, key: _Key, digest: bytes, now: float, work: Callable[[], Awaitable[bytes]]) -> bytes:
        running = self._running[key] = _Running(digest)
        told: bytes | Exception | None = None
        try:
            answer = told = await work()
            self._keep(key, _Kept(digest, answer, now))
            return answer
        except Exception as wrong:
            told = wrong
            raise
        finally:
            del self._running[key]
            for waiter in running.waiters:
                if not waiter.done():
                    waiter.set_result(told)

    def _keep(self, key: _Key, kept: _Kept) -> None:
        self._forget(key)
        self._kept[key] = kept
        self._size += len(kept.answer)
        while self._kept:
            oldest = next(iter(self._kept))
            old = kept.at - self._kept[oldest].at >= self.seconds
            if not (old or len(self._kept) > self.answers or self._size > self.bytes_):
                return
            self._forget(oldest)

    def _forget(self, key: _Key) -> None:
        if kept := self._kept.pop(key, None):
            self._size -= len(kept.answer)


def _same_body(known: bytes, digest: bytes, request: str) -> None:
    if known != digest:
        raise Conflict(f"request id {request[:80]!r} was used for another body", fix="a new id for a new body")
