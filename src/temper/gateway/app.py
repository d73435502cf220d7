"""A proxy that speaks the OpenAI chat protocol: in front the clients, behind it a model, between them the guard."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from temper.core.chat import ChatTarget, Reply, Request
from temper.core.errors import RunStopped, TemperError
from temper.core.quota import QuotaConfig
from temper.gateway import wire
from temper.gateway.asgi import (
    App,
    Headers,
    Receive,
    Refused,
    Scope,
    Send,
    body_of,
    end_stream,
    header,
    lifespan,
    send_event,
    send_json,
    start_stream,
)
from temper.gateway.keys import Keys, loopback
from temper.guard.guarded import REFUSAL, Guarded
from temper.guard.pipeline import Guard, why
from temper.guard.serving.quota import Quota
from temper.guard.streaming import Carry, Streaming
from temper.targets.chat.openai import OpenAI

_LOG = logging.getLogger(__name__)
_HEADER = b"x-temper-guard"
_SLOW = ("no answer", "no more came")


@dataclass(slots=True, kw_only=True, eq=False)
class Proxy:
    """An ASGI application. `POST /v1/chat/completions` (JSON or events, with tools), `GET /v1/models`, `GET /healthz`;
    everything else is 404. With `keys` a client must show one, and `quota` says how often it may ask; without, only
    this machine is answered.

    What the guard stops is answered as an ordinary completion that ends with "content_filter"; the header
    x-temper-guard names the stage, so a client goes on and an operator sees why. Nothing of a client's headers reaches
    the model. Trouble on the way to the model is 502, or 504 where it took too long.
    """

    target: ChatTarget
    guard: Guard
    keys: Keys = field(default_factory=Keys)
    most_bytes: int = 8 * 1024 * 1024
    quota: Quota = field(default_factory=Quota)
    body_seconds: float = 30.0
    seconds: float = 300.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            return await lifespan(receive, send, self.target.close)
        if scope["type"] != "http":
            return None
        begun = False

        async def tell(event: dict[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(event)

        try:
            await self._answer(scope, receive, tell)
        except Refused as refused:
            await (_broken_off(send) if begun else _error(send, refused))
        except Exception as crash:  # what went wrong may quote the conversation, so only its kind is told and logged
            _LOG.error("a request failed: %s", type(crash).__name__)
            await (_broken_off(send) if begun else _error(send, Refused(500, "the gateway failed", "api_error")))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        if (method, path) == ("GET", "/healthz"):
            return await send_json(send, 200, {"status": "ok"})
        client = self._client(scope)
        if path not in ("/v1/models", "/v1/chat/completions"):
            raise Refused(404, "there is nothing here")
        if method != ("GET" if path == "/v1/models" else "POST"):
            raise Refused(405, f"{method} is not answered here")
        if path == "/v1/models":
            return await send_json(send, 200, {"object": "list", "data": [{"id": self._model, "object": "model"}]})
        if wait := self.quota.take(client, time.monotonic()):
            raise Refused(429, f"too many questions, the next one in {wait:.0f} s", "rate_limit_error", wait)
        body = await body_of(scope, receive, most=self.most_bytes, seconds=self.body_seconds)
        try:
            found, settings = wire.asked(body)
            request = wire.request_of(found)
        except ValueError as wrong:
            raise Refused(400, str(wrong)) from None
        exchange = _Exchange(
            target=_with(self.target, settings),
            guard=self.guard,
            request=request,
            client=client,
            about={"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": self._model},
        )
        try:
            async with asyncio.timeout(self.seconds):
                if found.stream:
                    await exchange.stream(send, usage=bool((found.stream_options or {}).get("include_usage")))
                else:
                    await exchange.whole(send, found.n or 1)
        except TimeoutError:
            raise Refused(504, f"no answer in {self.seconds:g} s", "api_error") from None
        except RunStopped:
            raise Refused(502, "the model behind refuses to answer", "api_error") from None

    def _client(self, scope: Scope) -> str:
        """Who asks; refused without a key where there are keys, and from elsewhere where there are none."""
        if self.keys.hashes:
            client = self.keys.client(header(scope, b"authorization"))
            if not client:
                raise Refused(401, "there is no such key", "authentication_error")
            return client
        # A page in a browser on this machine is somebody else too.
        if not loopback((scope.get("client") or ("localhost",))[0]) or header(scope, b"origin"):
            raise Refused(401, "this gateway has no keys and answers its own machine only", "authentication_error")
        return ""

    @property
    def _model(self) -> str:
        return str(getattr(self.target, "model", self.target.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exchange:
    """One question on its way."""

    target: ChatTarget
    guard: Guard
    request: Request
    client: str
    about: Mapping[str, Any]

    async def whole(self, send: Send, many: int) -> None:
        """The answer in one piece."""
        target = Guarded(target=self.target, guard=self.guard, client=self.client)
        asked = [replace(self.request, trial=self.request.trial + at) for at in range(many)]
        replies = await asyncio.gather(*(target.ask(one) for one in asked))
        for reply in replies:
            _valid(reply)
        stopped = next((one.blocked for one in replies if one.blocked), "")
        await send_json(send, 200, wire.completion(replies, **self.about), self._told(stopped))

    async def stream(self, send: Send, *, usage: bool) -> None:
        """The answer in events. It starts with the first piece, so that trouble before it still has a status."""
        judged = self.guard.before(self.request, client=self.client)
        if judged.halts:
            await start_stream(send, self._told(why(judged)))
            return await self._end(send, Reply(text=REFUSAL, blocked=why(judged)), usage=usage)
        stream = Streaming(guard=self.guard, request=self.request, client=self.client)
        carry, started, reply = Carry(), False, Reply(invalid="the reply is empty")
        async with aclosing(_pieces(self.target, judged.exchange.request)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Reply):
                    reply = piece
                    break
                carry, now = stream.feed(carry, piece)
                if now and not started:
                    await start_stream(send)
                    started = True
                if now:
                    await send_event(send, wire.piece({"content": now}, **self.about))
                if carry.stopped:
                    reply = Reply()
                    break
        _valid(reply)
        last = stream.finish(carry, calls=reply.calls, usage=reply.usage)
        if not started:
            await start_stream(send, self._told(last.blocked))
        elif last.blocked:
            self._told(last.blocked)
        await self._end(send, last, usage=usage)

    def _told(self, stopped: str) -> Headers:
        """The header that names the stage, and a line for whoever watches; what exactly it saw stays inside."""
        if stopped:
            _LOG.warning("%s stopped an exchange with %s", stopped.partition(":")[0], self.client or "this machine")
        return _named(stopped)

    async def _end(self, send: Send, reply: Reply, *, usage: bool) -> None:
        for delta in wire.deltas(reply):
            await send_event(send, wire.piece(delta, **self.about))
        await send_event(send, wire.piece({}, wire.reason(reply), **self.about))
        if usage:
            counted = {"choices": [], "usage": wire.usage_of(reply.usage)}
            await send_event(send, {"object": "chat.completion.chunk", **self.about, **counted})
        await send_event(send, "[DONE]")
        await end_stream(send)


def proxy(target: ChatTarget, guard: Guard, keys: Mapping[str, str] | None = None, *, per_minute: float = 0.0) -> Proxy:
    """The application in front of `target`; `keys` are the clients' names and keys, `per_minute` their questions."""
    quota = Quota(config=QuotaConfig.per_minute(per_minute))
    return Proxy(target=target, guard=guard, keys=Keys.of(keys or {}), quota=quota)


def serve(app: Proxy, host: str = "127.0.0.1", port: int = 8080, *, connections: int = 1_000) -> None:
    """Answer until interrupted; without keys on this machine only."""
    import uvicorn

    if not app.keys.hashes and not loopback(host):
        raise TemperError(f"{host} can be reached from elsewhere and there are no keys", fix="give keys, or 127.0.0.1")
    application: App = app
    uvicorn.run(
        application,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        limit_concurrency=connections,
        timeout_keep_alive=30,
        server_header=False,
    )


async def _pieces(target: ChatTarget, request: Request) -> AsyncGenerator[str | Reply]:
    """The answer as it is written, where the target can; else all at once."""
    if isinstance(target, OpenAI):
        async with aclosing(target.pieces(request)) as pieces:
            async for piece in pieces:
                yield piece
        return
    reply = await target.ask(request)
    if reply.text and not reply.invalid:
        yield reply.text
    yield reply


def _with(target: ChatTarget, settings: Mapping[str, Any]) -> ChatTarget:
    """The target with the client's settings, which an OpenAI endpoint understands; its own come first."""
    if isinstance(target, OpenAI) and settings:
        return replace(target, settings={**settings, **target.settings})
    return target


def _valid(reply: Reply) -> None:
    if reply.invalid:
        slow = reply.invalid.startswith(_SLOW)
        raise Refused(504 if slow else 502, "the model behind gave no answer that can be used", "api_error")


def _named(stopped: str) -> Headers:
    return ((_HEADER, stopped.partition(":")[0].encode("ascii", "replace")[:80]),) if stopped else ()


async def _broken_off(send: Send) -> None:
    """A stream that cannot be finished says so and does not end like one that was."""
    await send_event(send, {"error": {"message": "the answer broke off", "type": "api_error"}})
    await end_stream(send)


async def _error(send: Send, refused: Refused) -> None:
    about = {"message": refused.message, "type": refused.kind, "param": None, "code": None}
    after: Headers = ((b"retry-after", f"{math.ceil(refused.after)}".encode()),) if refused.after else ()
    await send_json(send, refused.status, {"error": about}, after)
