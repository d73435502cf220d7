"""One HTTP connection pool to an endpoint: paced, capped, retried within a deadline, and never louder than asked."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Mapping
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
        started, trouble = time.monotonic(), ""
        for attempt in range(self.limits.retries + 1):
            wait = min(0.25 * 2.0**attempt, 30.0) if attempt else 0.0
            left = self.limits.deadline - (time.monotonic() - started)
            if left <= wait:
                trouble = f"no answer within the deadline of {self.limits.deadline:g} s: {trouble or 'it waits'}"
                break
            if wait:
                await asyncio.sleep(wait)
            status, found, trouble = await self._once(path, body, tokens, min(self.limits.timeout, left))
            if status == 200 and not trouble:
                return Answer(body=found, seconds=time.monotonic() - started)
            if status in _REFUSED:
                raise RunStopped(f"{_REFUSED[status]} ({status}): {self._place}{path}", fix="check url and key")
            if status and status not in (*_BUSY, *_TRY_AGAIN) and status != 200:
                break
        return Answer(trouble=trouble, seconds=time.monotonic() - started)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _once(self, path: str, body: bytes, tokens: int, timeout: float) -> tuple[int, bytes, str]:
        """One request: (status or 0, body, trouble)."""
        pace, session = self._open()
        await pace.enter(tokens)
        how, after = Answered.FAILED, None
        try:
            self.spent.request()
            status, after, found, trouble = await _exchange(session, self.url + path, body, timeout)
            how = Answered.BUSY if status in _BUSY else Answered.FAILED if _down(status, trouble) else Answered.WELL
            return status, found, trouble
        except RunStopped:
            how = Answered.WELL
            raise
        finally:
            pace.leave(how, after)

    def _open(self) -> tuple[Pace, Any]:
        """Pace and session of the running loop; sessions do not pass from one loop to another."""
        import aiohttp

        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            connector = aiohttp.TCPConnector(limit=self.limits.in_flight, keepalive_timeout=60.0)
            self._session = aiohttp.ClientSession(connector=connector, headers=self._written(), auto_decompress=True)
            self._pace, self._loop = Pace(self.limits), loop
        assert_open = self._pace
        if assert_open is None:
            raise TemperError("the line is closed", fix="open it again")
        return assert_open, self._session

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


async def _exchange(session: Any, url: str, body: bytes, timeout: float) -> tuple[int, float | None, bytes, str]:
    """(status or 0, Retry-After, body, trouble)."""
    import aiohttp

    total = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.post(url, data=body, timeout=total, allow_redirects=False) as reply:
            found = await _read(reply)
            if len(found) > LARGEST:
                return reply.status, None, b"", f"the answer is over {LARGEST:,} bytes"
            after = _seconds(reply.headers.get("Retry-After"))
            trouble = "" if reply.status == 200 else f"status {reply.status}: {_shown(found)}"
            return reply.status, after, found, trouble
    except TimeoutError:
        return 0, None, b"", f"no answer in {timeout:.3g} s"
    except (aiohttp.ClientError, OSError) as crash:
        return 0, None, b"", f"the connection broke: {type(crash).__name__}"


async def _read(reply: Any) -> bytes:
    found = bytearray()
    async for chunk in reply.content.iter_any():
        found += chunk
        if len(found) > LARGEST:
            break
    return bytes(found)


def _down(status: int, trouble: str) -> bool:
    return status == 0 or status in _TRY_AGAIN


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
