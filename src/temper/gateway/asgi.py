"""The few words of ASGI that the gateway speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import msgspec

Scope: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[dict[str, Any]]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]


class Refused(Exception):
    """A request that is answered with an error: its status, what is said, the kind of error as OpenAI names it, and
    after how many seconds it may be asked again (0: that is not said).
    """

    def __init__(self, status: int, message: str, kind: str = "invalid_request_error", after: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.message, self.kind, self.after = status, message, kind, after


async def body_of(scope: Scope, receive: Receive, *, most: int, seconds: float) -> bytes:
    """The body of a request, which may have `most` bytes and take that many seconds to come (0: the server below sees
    to that, at less cost).
    """
    try:
        declared = int(header(scope, b"content-length") or 0)
    except ValueError:
        raise Refused(400, "content-length is no number") from None
    if declared > most:
        raise Refused(413, f"the request is over {most:,} bytes")
    if not seconds:
        return await _read(receive, most)
    try:
        async with asyncio.timeout(seconds):
            return await _read(receive, most)
    except TimeoutError:
        raise Refused(408, f"the request did not come within {seconds:g} s") from None


async def _read(receive: Receive, most: int) -> bytes:
    parts, size, more = [], 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise Refused(400, "the client has gone")
        parts.append(event.get("body", b""))
        size += len(parts[-1])
        more = event.get("more_body", False)
        if size > most:
            raise Refused(413, f"the request is over {most:,} bytes")
    return b"".join(parts) if len(parts) > 1 else bytes(parts[0])


def header(scope: Scope, name: bytes) -> str:
    """The value of a header, "" where there is none."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def send_json(send: Send, status: int, document: Any, headers: Headers = ()) -> None:
    """An answer in one piece."""
    body = msgspec.json.encode(document)
    named = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": named})
    await send({"type": "http.response.body", "body": body})


async def start_stream(send: Send, headers: Headers = ()) -> None:
    """The beginning of an answer in events."""
    named = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache"), *headers]
    await send({"type": "http.response.start", "status": 200, "headers": named})


async def send_event(send: Send, document: Any) -> None:
    """One event; a text is sent as it is."""
    data = document.encode() if isinstance(document, str) else msgspec.json.encode(document)
    await send({"type": "http.response.body", "body": b"data: " + data + b"\n\n", "more_body": True})


async def end_stream(send: Send) -> None:
    """The end of the events."""
    await send({"type": "http.response.body", "body": b""})


async def lifespan(
    receive: Receive, send: Send, stop: Callable[[], Awaitable[None]], start: Callable[[], None] | None = None
) -> None:
    """Start and stop with the server."""
    while True:
        event = await receive()
        if event["type"] == "lifespan.startup" and start is not None:
            start()
        if event["type"] == "lifespan.shutdown":
            await stop()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
