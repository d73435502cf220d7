"""The ASGI application in front of a table model: bytes in, decisions out, and no answer to anything else."""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from temper.core.schema import Schema
from temper.core.serving import Answer, Scoring
from temper.gateway.asgi import Receive, Refused, Scope, Send, body_of, lifespan
from temper.gateway.tables.counted import Counted
from temper.gateway.tables.decode import Asked, Decoder, Wrong

_LOG = logging.getLogger(__name__)
_ENCODER = msgspec.json.Encoder()
_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
Handler = Callable[[Scope, Receive], Awaitable[tuple[int, Any]]]


class Client(msgspec.Struct, frozen=True):
    """Who asks: a name, and the group whose queries are looked at together."""

    name: str
    group: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class Tables:
    """`POST /v1/score`, the Open Inference Protocol's `POST /v2/models/{name}/infer`, `/healthz`, `/readyz`, `/metrics`
    and `/openapi.json`. Everything else is 404.

    `known` says who a request's key belongs to (None: nobody), `answer` is everything between decoding and the reply.
    What goes wrong inside is a 500 that names no value; everything a client can do wrong is a 4xx with one sentence.
    """

    name: str
    schema: Schema
    answer: Callable[[Scoring], Awaitable[Answer]]
    known: Callable[[Scope], Client | None]
    counted: Counted
    document: Callable[[Answer, str], Any]
    ready: Callable[[], str] = lambda: ""
    stop: Callable[[], Awaitable[None]] | None = None
    most_bytes: int = 1024 * 1024
    most_rows: int = 1_000
    deadline: float = 0.25
    decoder: Decoder = field(init=False)
    _routes: dict[tuple[str, str], Handler] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.decoder = Decoder(schema=self.schema, most=self.most_rows)
        self._routes = {("POST", "/v1/score"): self._score}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await lifespan(receive, send, self._stopped)
            return
        began = time.perf_counter()
        headers: tuple[tuple[bytes, bytes], ...] = ()
        try:
            handler = self._routes.get((scope["method"], scope["path"]))
            if handler is None:
                raise Refused(404, "there is nothing here")
            status, found = await handler(scope, receive)
        except Refused as refused:
            status, found = refused.status, {"error": refused.message}
            if refused.after:
                headers = ((b"retry-after", str(math.ceil(refused.after)).encode()),)
        except Exception as crash:  # what went wrong may quote a row, so only its kind is told and logged
            _LOG.error("a request failed: %s", type(crash).__name__)
            status, found = 500, {"error": "the gateway failed"}
        body = found if isinstance(found, bytes) else _ENCODER.encode(found)
        self.counted.seconds.add(time.perf_counter() - began)
        self.counted.add("requests_total", (("status", str(status)),))
        named = [_JSON, (b"content-length", b"%d" % len(body)), *headers]
        await send({"type": "http.response.start", "status": status, "headers": named})
        await send({"type": "http.response.body", "body": body})

    async def _score(self, scope: Scope, receive: Receive) -> tuple[int, Any]:
        client, at, headers = self._client(scope), time.monotonic(), dict(scope["headers"])
        body = await body_of(scope, receive, most=self.most_bytes, seconds=10.0)
        asked = self._decoded(body)
        scoring = Scoring(
            rows=asked.rows,
            client=client.name,
            request=asked.id or secrets.token_hex(8),
            at=at,
            deadline=at + self._seconds(headers),
        )
        answer = await self.answer(scoring)
        return 200, self.document(answer, scoring.request)

    def _decoded(self, body: bytes) -> Asked:
        try:
            return self.decoder.decode(body)
        except Wrong as wrong:
            raise Refused(400, str(wrong)) from None

    def _client(self, scope: Scope) -> Client:
        client = self.known(scope)
        if client is None:
            raise Refused(401, "there is no such key")
        return client

    def _seconds(self, headers: dict[bytes, bytes]) -> float:
        """The client's deadline, never longer than the gateway's own."""
        told = headers.get(b"x-deadline-ms")
        if told is None:
            return self.deadline
        try:
            return min(self.deadline, max(0.0, int(told) / 1000.0))
        except ValueError:
            raise Refused(400, "x-deadline-ms is no whole number") from None

    async def _stopped(self) -> None:
        if self.stop is not None:
            await self.stop()
