"""One HTTP connection pool to an endpoint: paced, capped, retried within a deadline, and never louder than asked."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from temper.core.errors import RunStopped, TemperError
from temper.targets.chat.limits import Limits, Spent
from temper.targets.chat.pace import Answered, Pace

LARGEST = 8 * 1024 * 1024
"""Bytes of an answer; a longer one is invalid."""
_REQUEST = 32 * 1024 * 1024
_BUSY, _TRY_AGAIN = (429, 503, 529), (408, 409, 425, 500, 502, 504)
_REFUSED = {401: "the key was refused", 403: "the key may not do this", 404: "there is nothing at this address"}
_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came over the line: the body, or, where `trouble` says why, nothing that tells of the model."""

    body: bytes = b""
    trouble: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How one request ended: its status (0 where there was none), its body, and the pause the endpoint asks for."""

    status: int = 0
    body: bytes = b""
    trouble: str = ""
    after: float | None = None

    @property
    def how(self) -> Answered:
        """What the pace learns from it."""
        if self.status in _BUSY:
            return Answered.BUSY
        return Answered.FAILED if self.status == 0 or self.status in _TRY_AGAIN else Answered.WELL

    @property
    def worth_another(self) -> bool:
        """Whether the same request may fare better later."""
        return self.status == 0 or self.status in (*_BUSY, *_TRY_AGAIN)


@dataclass(slots=True, kw_only=True, eq=False)
class Line:
    """POSTs JSON to one host and keeps its connections.

    `headers` maps a header to the text it holds, with {NAME} for the value of an environment variable, which is in no
    repr, message or log. Hosts other than this machine are refused unless `authorised_by` says who allowed it.
    Redirects leave the scope and are not followed.
    """

    url: str
    limits: Limits = field(default_factory=Limits)
    headers: Mapping[str, str] = field(default_factory=dict)
    authorised_by: str = ""
    spent: Spent = field(init=False)
    _pace: Pace = field(init=False, repr=False)
    _session: Any = field(init=False, default=None, repr=False)
    _loop: Any = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        scoped(self.url, self.authorised_by)
        self.spent, self._pace = Spent(limits=self.limits), Pace(self.limits)

    async def post(self, path: str, payload: Any, tokens: int) -> Answer:
        """The answer to `payload`, an object for JSON. `tokens`: about how many it will use."""
        body = json.dumps(payload, ensure_ascii=True).encode()
        if len(body) > _REQUEST:
            return Answer(trouble=f"the request has {len(body):,} bytes, at most {_REQUEST:,} are sent")
        started, sent = time.monotonic(), Sent()
        try:
            async with asyncio.timeout(self.limits.deadline):
                for attempt in range(self.limits.retries + 1):
                    await asyncio.sleep(_wait(attempt, sent))
                    sent = await self._once(path, body, tokens)
                    if not sent.trouble or not sent.worth_another:
                        break
        except TimeoutError:
            after = f", last: {sent.trouble}" if sent.trouble else ""
            sent = Sent(trouble=f"no answer within the deadline of {self.limits.deadline:g} s{after}")
        return Answer(body=sent.body, trouble=sent.trouble, seconds=time.monotonic() - started)

    async def lines(self, path: str, payload: Any, tokens: int) -> AsyncGenerator[bytes]:
        """The lines of an answer as they come; whoever stops reading closes it. Not retried: what has been passed on
        cannot be taken back. What breaks ends in `ConnectionError` with the reason.
        """
        pace, session = self._open()
        await pace.enter(tokens)
        how, body = Answered.WELL, json.dumps(payload).encode()
        try:
            self.spent.request()
            async with (
                asyncio.timeout(self.limits.deadline),
                aclosing(_lines(session, self.url + path, body, self.limits.timeout)) as lines,
            ):
                async for line in lines:
                    yield line
        except ConnectionError:
            how = Answered.FAILED
            raise
        except TimeoutError:
            how = Answered.FAILED
            raise ConnectionError(f"no answer within the deadline of {self.limits.deadline:g} s") from None
        finally:
            pace.leave(how, None)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _once(self, path: str, body: bytes, tokens: int) -> Sent:
        """One request."""
        pace, session = self._open()
        await pace.enter(tokens)
        how, sent = Answered.WELL, Sent()
        try:
            self.spent.request()
            how = Answered.FAILED
            sent = await _exchange(session, self.url + path, body, self.limits.timeout)
            how = sent.how
        finally:
            pace.leave(how, sent.after)
        if sent.status in _REFUSED:
            raise RunStopped(f"{_REFUSED[sent.status]} ({sent.status}): {self._place}{path}", fix="check url and key")
        return sent

    def _open(self) -> tuple[Pace, Any]:
        """Pace and session of the running loop; sessions do not pass from one loop to another."""
        import aiohttp

        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            connector = aiohttp.TCPConnector(limit=self.limits.in_flight, keepalive_timeout=60.0)
            self._session = aiohttp.ClientSession(connector=connector, headers=self._written(), auto_decompress=True)
            self._pace, self._loop = Pace(self.limits), loop
        return self._pace, self._session

    def _written(self) -> dict[str, str]:
        return {"Content-Type": "application/json"} | {name: filled(text) for name, text in self.headers.items()}

    @property
    def _place(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


def scoped(url: str, authorised_by: str) -> None:
    """`TemperError` for what is no address, holds a password, or is a remote host that nobody allowed to attack."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TemperError("the assistant's url is no http(s) address", fix="write http://host:port/v1")
    if parts.username or parts.password:
        raise TemperError("the assistant's url holds a password", fix="put it into headers, by environment variable")
    if not _loopback(parts.hostname) and not authorised_by:
        raise TemperError(
            f"{parts.hostname} is a remote host and nobody is named who allowed this test",
            fix="set authorised_by to the person or ticket that allows it",
        )


def filled(text: str) -> str:
    """A header's text with the values of its environment variables; `TemperError` names one that is not set."""
    import re

    def value(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise TemperError(f"the environment variable {found[1]} is not set", fix=f"export {found[1]}=...")
        return os.environ[found[1]]

    return re.sub(r"\{([A-Za-z_][A-Za-z0-9_]*)\}", value, text)


async def _exchange(session: Any, url: str, body: bytes, timeout: float) -> Sent:
    """One request over the wire."""
    import aiohttp

    total = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.post(url, data=body, timeout=total, allow_redirects=False) as reply:
            found = await _read(reply)
            after, status = _seconds(reply.headers.get("Retry-After")), reply.status
            if len(found) > LARGEST:
                return Sent(status=status, trouble=f"the answer is over {LARGEST:,} bytes")
            trouble = "" if status == 200 else f"status {status}: {_shown(found)}"
            return Sent(status=status, body=found, trouble=trouble, after=after)
    except TimeoutError:
        return Sent(trouble=f"no answer in {timeout:.3g} s")
    except (aiohttp.ClientError, OSError) as crash:
        return Sent(trouble=f"the connection broke: {type(crash).__name__}")


async def _lines(session: Any, url: str, body: bytes, timeout: float) -> AsyncGenerator[bytes]:
    """The lines of a streamed answer; `timeout` is how long the next one may take."""
    import aiohttp

    patience = aiohttp.ClientTimeout(total=None, connect=timeout, sock_read=timeout)
    size = 0
    try:
        async with session.post(url, data=body, timeout=patience, allow_redirects=False) as reply:
            if reply.status != 200:
                raise ConnectionError(f"status {reply.status}: {_shown(await _read(reply))}")
            async for line in reply.content:
                size += len(line)
                if size > LARGEST:
                    raise ConnectionError(f"the answer is over {LARGEST:,} bytes")
                yield line
    except TimeoutError:
        raise ConnectionError(f"no more came in {timeout:.3g} s") from None
    except (aiohttp.ClientError, ValueError) as crash:
        raise ConnectionError(f"the connection broke: {type(crash).__name__}") from None


def _wait(attempt: int, before: Sent) -> float:
    """Seconds before this attempt; where the endpoint named a pause, the pace keeps it for everybody."""
    return 0.0 if attempt == 0 or before.after is not None else min(0.25 * 2.0 ** (attempt - 1), 30.0)


async def _read(reply: Any) -> bytes:
    found = bytearray()
    async for chunk in reply.content.iter_any():
        found += chunk
        if len(found) > LARGEST:
            break
    return bytes(found)


def _shown(body: bytes) -> str:
    """The start of an error's text, on one line and without control characters."""
    text = body[: 4 * _SHOWN].decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else " " for sign in text)[:_SHOWN]


def _seconds(header: str | None) -> float | None:
    try:
        return None if header is None else max(0.0, float(header))
    except ValueError:
        return None


def _loopback(host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
