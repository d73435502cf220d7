"""A proxy that speaks the OpenAI chat protocol: in front the clients, behind it a model, between them the guard."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from temper.core.assistant import Audit
from temper.core.chat import ChatTarget, Reply, Request
from temper.core.errors import RunStopped, StoreError, TemperError
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
from temper.gateway.events import tell
from temper.gateway.exchanges import Exchanges
from temper.gateway.keys import Keys, loopback
from temper.gateway.log import Signals, logged
from temper.gateway.trace import Spans, asked, id_of, sampled
from temper.gateway.trail import Course, Trail
from temper.gateway.transport import Orderly
from temper.guard.guarded import REFUSAL, Guarded
from temper.guard.pipeline import Guard, why
from temper.guard.serving.quota import Quota
from temper.guard.streaming import Carry, Streaming
from temper.targets.chat.openai import OpenAI

_HEADER = b"x-temper-guard"
_COMPLETIONS = "/v1/chat/completions"
_SLOW = ("no answer", "no more came")


@dataclass(slots=True, kw_only=True, eq=False)
class Proxy:
    """An ASGI application. `POST /v1/chat/completions` (JSON or events, with tools), `GET /v1/models`, `GET /livez`
    (`/healthz`), `/readyz`; everything else is 404. With `keys` a client must show one, and `quota` says how often it
    may ask; without, only this machine is answered.

    What the guard stops is answered as an ordinary completion that ends with "content_filter"; the header
    x-temper-guard names the stage, so a client goes on and an operator sees why. Nothing of a client's headers reaches
    the model. Trouble on the way to the model is 502, or 504 where it took too long. With an `audit`, an exchange is
    written down before it is answered, and one that cannot be is 503.
    """

    target: ChatTarget
    guard: Guard
    keys: Keys = field(default_factory=Keys)
    most_bytes: int = 8 * 1024 * 1024
    quota: Quota = field(default_factory=Quota)
    body_seconds: float = 30.0
    seconds: float = 300.0
    audit: Exchanges | None = None
    spans: Spans | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            return await lifespan(receive, send, self._stop)
        if scope["type"] != "http":
            return
        at, found = time.monotonic(), dict[str, str]()
        trace = "" if self.spans is None or scope["path"] != _COMPLETIONS else asked(scope["headers"])
        if self.spans is None or not sampled(trace):
            await self._guarded(scope, receive, send, found)
            return
        span, _ = self.spans.begin(trace, at, "exchange")
        status = 499  # the client went away
        try:
            status = await self._guarded(scope, receive, send, found)
        finally:
            self.spans.end(span, {"http.response.status_code": status, **found}, failed=status >= 500)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send, found: dict[str, str]) -> int:
        """The answer, or what there is instead; its status. What a span tells of the exchange goes into `found`."""
        begun = False

        async def begin(event: dict[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(event)

        try:
            await self._answer(scope, receive, begin, found)
            return 200
        except StoreError:
            tell("exchange.unrecorded")
            words = "exchanges cannot be recorded now, so none is answered"
            trouble = Refused(503, words, "api_error", 1.0)
        except Refused as refused:
            trouble = refused
        except Exception as crash:  # what went wrong may quote the conversation, so only its kind is told and logged
            tell("request.failed", trace=id_of(asked(scope["headers"])), crash=type(crash).__name__)
            trouble = Refused(500, "the gateway failed", "api_error")
        await (_broken_off(send) if begun else _error(send, trouble))
        return trouble.status

    async def _answer(self, scope: Scope, receive: Receive, send: Send, told: dict[str, str]) -> None:
        method, path = scope["method"], scope["path"]
        if method == "GET" and path in ("/livez", "/healthz"):
            return await send_json(send, 200, {"status": "ok"})
        if (method, path) == ("GET", "/readyz"):
            ready = self.audit is None or not self.audit.fault
            return await send_json(send, 200 if ready else 503, {"ready": ready})
        client = self._client(scope)
        told["temper.client"] = client
        if path not in ("/v1/models", _COMPLETIONS):
            raise Refused(404, "there is nothing here")
        if method != ("GET" if path == "/v1/models" else "POST"):
            raise Refused(405, f"{method} is not answered here")
        if path == "/v1/models":
            return await send_json(send, 200, {"object": "list", "data": [{"id": self.model, "object": "model"}]})
        if wait := self.quota.take(client, time.monotonic()):
            raise Refused(429, f"too many questions, the next one in {wait:.0f} s", "rate_limit_error", wait)
        body = await body_of(scope, receive, most=self.most_bytes, seconds=self.body_seconds)
        try:
            found, settings = wire.asked(body)
            request = wire.request_of(found)
        except ValueError as wrong:
            raise Refused(400, str(wrong)) from None
        about: dict[str, Any] = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": self.model,
        }
        course = Course(
            id=about["id"],
            client=client,
            person=found.person,
            stream=bool(found.stream),
            request=request,
            trails=[Trail() for _ in range(1 if found.stream else found.n or 1)],
        )
        told["temper.request"] = course.id
        target = _with(self.target, settings)
        exchange = _Exchange(target=target, guard=self.guard, course=course, about=about, audit=self.audit)
        try:
            await self._held(exchange, send, usage=bool((found.stream_options or {}).get("include_usage")))
            told |= {"temper.decision": course.level.name.lower(), "temper.stopped": _stopped(course)}
        except StoreError:
            raise
        except Exception as failure:  # whatever it was, that it was is written down
            if self.audit is not None:
                why = failure.message if isinstance(failure, Refused) else "the gateway failed"
                await self.audit.over(course, failed=why)
            raise

    async def _held(self, exchange: _Exchange, send: Send, *, usage: bool) -> None:
        """The exchange to its end, in the time it has."""
        try:
            async with asyncio.timeout(self.seconds):
                await (exchange.stream(send, usage=usage) if exchange.course.stream else exchange.whole(send))
        except TimeoutError:
            raise Refused(504, f"no answer in {self.seconds:g} s", "api_error") from None
        except RunStopped:
            raise Refused(502, "the model behind refuses to answer", "api_error") from None

    async def _stop(self) -> None:
        """Let go of the model and of the ledger."""
        await self.target.close()
        if self.spans is not None:
            await asyncio.to_thread(self.spans.close)
        if self.audit is not None:
            await asyncio.to_thread(self.audit.close)

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
    def model(self) -> str:
        """What the model is called."""
        return str(getattr(self.target, "model", self.target.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exchange:
    """One question on its way."""

    target: ChatTarget
    guard: Guard
    course: Course
    about: Mapping[str, Any]
    audit: Exchanges | None = None

    async def whole(self, send: Send) -> None:
        """The answer in one piece."""
        replies = await asyncio.gather(*(self._asked(at, trail) for at, trail in enumerate(self.course.trails)))
        for trail, reply in zip(self.course.trails, replies, strict=True):
            _valid(reply)
            trail.said = reply
        await self._recorded()
        stopped = next((one.blocked for one in replies if one.blocked), "")
        await send_json(send, 200, wire.completion(replies, **self.about), self._told(stopped))

    async def stream(self, send: Send, *, usage: bool) -> None:
        """The answer in events. It starts with the first piece, so that trouble before it still has a status."""
        (trail,), request, client = self.course.trails, self.course.request, self.course.client
        judged = self.guard.before(request, client=client)
        trail.told(None, judged)
        if judged.halts:
            trail.said = Reply(text=REFUSAL, blocked=why(judged))
            await self._recorded()
            await start_stream(send, self._told(why(judged)))
            return await self._end(send, trail.said, usage=usage)
        if self.audit is not None:
            await self.audit.begun(self.course)
        stream = Streaming(guard=self.guard, request=request, client=client, told=trail.told)
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
        trail.wrote = Reply(text=carry.text + carry.fresh, calls=reply.calls)
        trail.said = replace(last, text="".join(carry.out) + last.text)
        await self._recorded()
        if not started:
            await start_stream(send, self._told(last.blocked))
        elif last.blocked:
            self._told(last.blocked)
        await self._end(send, last, usage=usage)

    async def _asked(self, at: int, trail: Trail) -> Reply:
        """One of several answers."""
        request = replace(self.course.request, trial=self.course.request.trial + at)
        guarded = Guarded(target=self.target, guard=self.guard, client=self.course.client, told=trail.told)
        return await guarded.ask(request)

    async def _recorded(self) -> None:
        """From here on the answer may go out."""
        if self.audit is not None:
            await self.audit.over(self.course)

    def _told(self, stopped: str) -> Headers:
        """The header that names the stage, and a line for whoever watches; what exactly it saw stays inside."""
        if stopped:
            tell("exchange.stopped", stage=stopped.partition(":")[0], client=self.course.client or "this machine")
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


def proxy(
    target: ChatTarget,
    guard: Guard,
    keys: Mapping[str, str] | None = None,
    *,
    per_minute: float = 0.0,
    audit: Audit | None = None,
) -> Proxy:
    """The application in front of `target`; `keys` are the clients' names and keys, `per_minute` their questions,
    `audit` how exchanges are written down.
    """
    quota = Quota(config=QuotaConfig.per_minute(per_minute))
    app = Proxy(target=target, guard=guard, keys=Keys.of(keys or {}), quota=quota)
    if audit is not None:
        app.audit = Exchanges.opened(audit, model=app.model, digest=target.digest, policy=guard.digest)
    return app


def serve(
    app: Proxy,
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    connections: int = 1_000,
    signals: Signals = Signals(),
) -> None:
    """Answer until interrupted; without keys on this machine only."""
    import uvicorn

    if not app.keys.hashes and not loopback(host):
        raise TemperError(f"{host} can be reached from elsewhere and there are no keys", fix="give keys, or 127.0.0.1")
    application: App = app
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        limit_concurrency=connections,
        timeout_keep_alive=30,
        server_header=False,
    )
    kind: Any = type("Server", (Orderly, uvicorn.Server), {})
    app.spans = Spans.to(signals.otlp, "temper-gateway") if signals.otlp else None
    with logged(signals):
        kind(config).run()


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


def _stopped(course: Course) -> str:
    """The stage that stopped one of the answers, "" where none did."""
    said = (trail.said.blocked for trail in course.trails if trail.said is not None)
    return next(filter(None, said), "").partition(":")[0]


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
