"""The ASGI application in front of a table model: bytes in, decisions out, and no answer to anything else."""

from __future__ import annotations

import math
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Protocol

import msgspec

from temper.core.schema import Schema
from temper.core.serving import Answer, Mode, Scoring
from temper.core.stage import Decision, Level
from temper.gateway.asgi import Receive, Refused, Scope, Send, body_of, lifespan
from temper.gateway.events import tell
from temper.gateway.tables import openapi, v2
from temper.gateway.tables.counted import Counted
from temper.gateway.tables.decode import Asked, Decoder, Wrong, outside, unbounded
from temper.gateway.tables.v2 import V2
from temper.gateway.trace import Spans, carried, id_of, sampled
from temper.gateway.trace import asked as trace_of
from temper.guard.serving.idempotency import Conflict, Idempotency
from temper.guard.serving.modes import shadowed
from temper.guard.serving.pipeline import Refuses

_ENCODER = msgspec.json.Encoder()
_JSON, _TEXT = (b"content-type", b"application/json"), (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
_BEARER = b"bearer "
_EVENTS = {401: "key.refused", 429: "quota.refused"}
_KID = re.compile(r"([0-9a-f]{16})\.")
_AGAIN = (b"idempotency-replayed", b"true")
Headers = tuple[tuple[bytes, bytes], ...]
Told = tuple[int, bytes, Headers]
"""Status, body, headers."""
Handler = Callable[[Scope, Receive], Awaitable[Told]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who asks: a name, the group whose queries are looked at together, and the name of the key."""

    name: str
    group: str = ""
    kid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What every answer says besides: the model's name and digest, that of the policy, what class 1 is called, the
    score from which a row is one, and whether scores are told at all.
    """

    name: str
    model: str
    policy: str
    classes: tuple[str, str] = ("0", "1")
    threshold: float | None = None
    scores: bool = True


class Limits(Protocol):
    """How much a client may ask."""

    def take(self, key: str, rows: int) -> float:
        """Seconds to wait, 0 where it is allowed, which counts; asks nobody."""

    async def patiently(self, key: str, rows: int) -> float:
        """The same, after a moment in which more may be had."""


@dataclass(slots=True, kw_only=True, eq=False)
class Tables:
    """`POST /v1/score`, the Open Inference Protocol's `POST /v2/models/{name}/infer` and its metadata, `/livez`
    (`/healthz`), `/readyz`, `/metrics`, `/openapi.json`. Everything else is 404.

    `known` says who a key belongs to (None: nobody), `limits` how many rows they may have scored, `answer` is
    everything between decoding and the reply, `recall` what was answered elsewhere to a request with an id. What goes
    wrong inside is a 500 that names no value; everything a client can do wrong is a 4xx with one sentence. `ready`
    names in single words why not, nothing where it is: strangers may ask.
    """

    about: About
    schema: Schema
    answer: Callable[[Scoring], Awaitable[Answer]]
    known: Callable[[str], Client | None]
    counted: Counted
    limits: Limits | None = None
    recall: Callable[[str, Scoring], Answer | None] | None = None
    ready: Callable[[], tuple[str, ...]] = lambda: ()
    start: Callable[[], None] | None = None
    stop: Callable[[], Awaitable[None]] | None = None
    most_bytes: int = 1024 * 1024
    most_rows: int = 1_000
    deadline: float = 0.25
    once: Idempotency = field(default_factory=Idempotency)
    body_seconds: float = 10.0
    spans: Spans | None = None
    quota: Mode = Mode.ENFORCE
    bounds: Mode = Mode.ENFORCE
    _decoder: Decoder = field(init=False, repr=False)
    _v2: V2 = field(init=False, repr=False)
    _routes: dict[tuple[str, str], Handler] = field(init=False, repr=False)
    _own: str = field(default_factory=lambda: f"{secrets.token_hex(6)}-", init=False, repr=False)
    _number: Iterator[int] = field(default_factory=count, init=False, repr=False)

    def __post_init__(self) -> None:
        read = self.schema if self.bounds is Mode.ENFORCE else unbounded(self.schema)
        self._decoder = Decoder(schema=read, most=self.most_rows)
        self._v2 = V2(read, self.most_rows)
        model = f"/v2/models/{self.about.name}"
        described = v2.described(self.about.name, self.about.model, self.schema)
        server = {"name": "temper", "version": "1", "extensions": []}
        self._routes = {
            ("POST", "/v1/score"): self._score,
            ("POST", f"{model}/infer"): self._infer,
            ("GET", model): self._told(described, key=True),
            ("GET", "/v2"): self._told(server),
            ("GET", f"{model}/ready"): self._ready,
            ("GET", "/v2/health/live"): self._told({"live": True}),
            ("GET", "/v2/health/ready"): self._ready,
            ("GET", "/healthz"): self._told({"status": "ok"}),
            ("GET", "/livez"): self._told({"status": "ok"}),
            ("GET", "/readyz"): self._ready,
            ("GET", "/metrics"): self._metrics,
            ("GET", "/openapi.json"): self._told(openapi.document(self.about.name, self.schema, self.most_rows)),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await lifespan(receive, send, self._stopped, self.start)
            return
        began = time.perf_counter()
        try:
            status, body, headers = await self._handler(scope)(scope, receive)
        except (Refused, Refuses) as refused:
            status, body, headers = _refusal(refused.status, refused.message, refused.after)
            _logged(scope, status, refused)
        except Conflict as conflict:
            status, body, headers = _refusal(409, conflict.message)
            _logged(scope, status, conflict)
        except Exception as crash:  # what went wrong may quote a row, so only its kind is told and logged
            tell("request.failed", key=kid(scope), trace=id_of(trace_of(scope["headers"])), crash=type(crash).__name__)
            status, body, headers = _refusal(500, "the gateway failed")
        self._count(scope, status, time.perf_counter() - began)
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": status, "headers": (*headers, length)})
        await send({"type": "http.response.body", "body": body})

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        """Probes apart: a balancer that asks for readiness is no client, and would make all the others look fast."""
        if scope["method"] == "GET" and ("GET", scope["path"]) in self._routes:
            return self.counted.add("probes_total", (("status", str(status)),))
        self.counted.seconds.add(seconds)
        self.counted.add("requests_total", (("status", str(status)),))

    def _handler(self, scope: Scope) -> Handler:
        found = self._routes.get((scope["method"], scope["path"]))
        if found is None:
            methods = sorted(method for method, path in self._routes if path == scope["path"])
            raise Refused(405, f"{methods[0]} is answered here") if methods else Refused(404, "there is nothing here")
        return found

    async def _score(self, scope: Scope, receive: Receive) -> Told:
        def said(answer: Answer, id_: str) -> bytes:
            return _ENCODER.encode(self._document(answer, id_))

        return await self._answered(scope, receive, self._decoder.decode, said)

    async def _infer(self, scope: Scope, receive: Receive) -> Told:
        def said(answer: Answer, id_: str) -> bytes:
            about = self.about
            return _ENCODER.encode(
                v2.answered(about.name, answer.model or about.model, answer, id_, scores=about.scores)
            )

        return await self._answered(scope, receive, self._v2.decode, said)

    async def _answered(
        self, scope: Scope, receive: Receive, decode: Callable[[bytes], Asked], said: Callable[[Answer, str], bytes]
    ) -> Told:
        """The answer; a request with an id of its own is decided once, however often it comes."""
        client, scoring, body, come = await self._asked(scope, receive, decode)
        if self.spans is not None and sampled(scoring.trace):
            told = await self._spanned(self.spans, client, scoring, body, said)
        else:
            told = await self._once(client, scoring, body, said)
        self.counted.answered.add(time.monotonic() - come)
        return told

    async def _spanned(
        self, spans: Spans, client: Client, scoring: Scoring, body: bytes, said: Callable[[Answer, str], bytes]
    ) -> Told:
        """The same inside a span, which whoever is asked for the answer gets for a parent."""
        span, scoring.trace = spans.begin(scoring.trace, scoring.at)
        status = 500
        try:
            told = await self._once(client, scoring, body, said)
            status = told[0]
            return told
        except (Refused, Refuses) as refused:
            status = refused.status
            raise
        finally:
            about: dict[str, str | int | bool] = {
                "http.response.status_code": status,
                "temper.request": scoring.request,
                "temper.key": client.kid,
                "temper.rows": len(scoring.rows),
                "temper.decision": scoring.level.name.lower(),
                "temper.source": scoring.source.value,
            }
            spans.end(span, about, failed=status >= 500)

    async def _once(self, client: Client, scoring: Scoring, body: bytes, said: Callable[[Answer, str], bytes]) -> Told:
        if not scoring.named:
            return 200, said(await self._decided(scoring), scoring.request), (_JSON,)
        recalled = False

        async def work() -> bytes:
            nonlocal recalled
            known = self._recalled(client, scoring)
            recalled = known is not None
            return said(known or await self._decided(scoring), scoring.request)

        found, again = await self.once.once(client.name, scoring.request, body, scoring.at, work)
        return 200, found, (_JSON, _AGAIN) if again or recalled else (_JSON,)

    async def _decided(self, scoring: Scoring) -> Answer:
        try:
            answer = await self.answer(scoring)
        except Refuses as refused:
            refused.request, refused.trace = scoring.request, scoring.trace
            raise
        self.counted.add("rows_total", (("source", answer.source.value),), len(answer.levels))
        return answer

    def _recalled(self, client: Client, scoring: Scoring) -> Answer | None:
        """What another worker, or this one before it ended, has answered to this request."""
        known = None if self.recall is None else self.recall(client.name, scoring)
        return None if known is None else replace(known, labelled=known.policy == self.about.policy)

    async def _asked(
        self, scope: Scope, receive: Receive, decode: Callable[[bytes], Asked]
    ) -> tuple[Client, Scoring, bytes, float]:
        """Who asks, if they may now, the request, its body, and since when it waits for an answer."""
        at, headers = time.monotonic(), _headers(scope)
        client, noted = self._client(headers), list[Decision]()
        await self._within(client, 1, noted)
        begun = time.monotonic()
        body = await body_of(scope, receive, most=self.most_bytes, seconds=self.body_seconds)
        sending = time.monotonic() - begun  # a client on a slow line takes nothing from the time of the decision
        try:
            asked = decode(body)
        except Wrong as wrong:
            raise Refused(400, str(wrong)) from None
        if more := len(asked.rows) - 1:
            await self._within(client, more, noted)
        if self.bounds is Mode.SHADOW and (where := outside(asked.rows, self.schema)):
            self._against("bounds", self.bounds, f"{where} is out of bounds", noted)
        scoring = Scoring(
            rows=asked.rows,
            client=client.group or client.name,
            request=asked.id or f"{self._own}{next(self._number):x}",
            who=client.name if client.group and client.group != client.name else "",
            named=bool(asked.id),
            subject=asked.subject,
            at=at,
            deadline=at + sending + self._seconds(headers),
            trace=carried(headers.get(b"traceparent")),
            decisions=noted,
        )
        return client, scoring, body, at + sending

    async def _within(self, client: Client, rows: int, noted: list[Decision]) -> None:
        """Count these rows, or refuse them, or note that they would be."""
        key, limits = client.group or client.name, self.limits
        if limits is None or not limits.take(key, rows) or not (wait := await limits.patiently(key, rows)):
            return
        self._against("quota", self.quota, "this client has asked too much", noted)
        if self.quota is Mode.ENFORCE:
            raise Refused(429, "this client has asked too much for now", after=wait)

    def _against(self, stage: str, mode: Mode, reason: str, noted: list[Decision]) -> None:
        self.counted.add("stage_decisions_total", (("stage", stage), ("level", "BLOCK"), ("mode", mode.value)))
        if mode is Mode.SHADOW:
            noted.append(shadowed(stage, Level.BLOCK, reason))

    def _client(self, headers: Mapping[bytes, bytes]) -> Client:
        told = headers.get(b"authorization", b"")
        token = told[len(_BEARER) :].strip().decode("latin-1") if told[: len(_BEARER)].lower() == _BEARER else ""
        client = self.known(token)
        if client is None:
            raise Refused(401, "there is no such key")
        return client

    def _seconds(self, headers: Mapping[bytes, bytes]) -> float:
        """The client's deadline, never longer than the gateway's own."""
        told = headers.get(b"x-deadline-ms")
        if told is None:
            return self.deadline
        if not (told.isdigit() and len(told) < 9):
            raise Refused(400, "x-deadline-ms is no whole number of milliseconds")
        return min(self.deadline, int(told) / 1000.0)

    def _document(self, answer: Answer, id_: str) -> Mapping[str, Any]:
        """The reply: for every row its decision, and where it has one its label and its score."""
        results: list[dict[str, Any]] = [{"decision": level.name.lower()} for level in answer.levels]
        threshold = self.about.threshold
        for found, level, score in zip(results, answer.levels, answer.scores.tolist(), strict=False):
            if threshold is not None and answer.labelled:
                found["label"] = self.about.classes[score >= threshold]
            if self.about.scores and level is not Level.REVISE:  # who is told less is told the decision alone
                found["score"] = score
        return {
            "id": id_,
            "results": results,
            "source": answer.source.value,
            "degraded": answer.degraded,
            "model": (answer.model or self.about.model)[:12],
            "policy": (answer.policy or self.about.policy)[:12],
        }

    def _told(self, document: Any, *, key: bool = False) -> Handler:
        body = _ENCODER.encode(document)

        async def handler(scope: Scope, receive: Receive) -> Told:
            if key:
                self._client(_headers(scope))
            return 200, body, (_JSON,)

        return handler

    async def _ready(self, scope: Scope, receive: Receive) -> Told:
        why = self.ready()
        if not why:
            return 200, b'{"ready":true}', (_JSON,)
        return 503, _ENCODER.encode({"ready": False, "why": why}), (_JSON, (b"retry-after", b"1"))

    async def _metrics(self, scope: Scope, receive: Receive) -> Told:
        return 200, self.counted.text().encode(), (_TEXT,)

    async def _stopped(self) -> None:
        if self.stop is not None:
            await self.stop()


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """Headers by name; who asks must be said once, or whoever stands in front may have read another key."""
    found = dict(scope["headers"])
    if len(found) < len(scope["headers"]):
        names = [name for name, _ in scope["headers"]]
        if names.count(b"authorization") > 1:
            raise Refused(400, "there are two keys")
        if names.count(b"traceparent") > 1:  # which of them is meant nobody knows
            del found[b"traceparent"]
    return found


def kid(scope: Scope) -> str:
    """The name of the key a request shows, which is no secret; "" where what it shows looks like none of ours."""
    told = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    found = _KID.match(told[len(_BEARER) :].strip().decode("latin-1"))
    return found[1] if found else ""


def _logged(scope: Scope, status: int, refused: Refused | Refuses | Conflict) -> None:
    """A line about a request that was refused. What is wrong with a body may name what the client wrote, so it is left
    out.
    """
    name = _EVENTS.get(status, "request.refused" if status < 500 else "request.unanswered")
    why = "" if status in (400, 401, 429) else refused.message
    request, trace = (
        (refused.request, refused.trace) if isinstance(refused, Refuses) else ("", trace_of(scope["headers"]))
    )
    tell(name, status=status, key=kid(scope), request=request, trace=id_of(trace), why=why)


def _refusal(status: int, message: str, after: float = 0.0) -> Told:
    """One sentence, and when to come back."""
    body = _ENCODER.encode({"error": message})
    if not after:
        return status, body, (_JSON,)
    return status, body, (_JSON, (b"retry-after", b"%d" % math.ceil(min(after, 86_400.0))))
