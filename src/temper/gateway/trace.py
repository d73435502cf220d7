"""The trace a request belongs to, carried by hand from whoever asked to the model behind; and spans, where wanted.

Nothing of OpenTelemetry is loaded unless an exporter was asked for.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from temper.core.errors import ConfigError

_FORM = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[ -~]*)?")
_SECONDS = 2.0
"""How long an export may take, and so how long a collector that is down can hold up the end of the process."""


def carried(header: bytes | None) -> str:
    """A `traceparent` as it may be sent on, "" where there is none or it is not one; what a later version of the format
    adds is left out.
    Source: W3C Trace Context, level 1.

    >>> carried(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    >>> carried(b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"), carried(None)
    ('', '')
    """
    found = None if header is None else _FORM.fullmatch(header)
    if found is None:
        return ""
    version, trace, span, flags, more = found.groups()
    if version == b"ff" or (version == b"00" and more is not None) or not (trace.strip(b"0") and span.strip(b"0")):
        return ""
    return f"00-{trace.decode()}-{span.decode()}-{int(flags, 16) & 3:02x}"


def asked(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The trace of a request, as `carried`; "" too where there are two, since which is meant nobody knows."""
    found = [value for name, value in headers if name == b"traceparent"]
    return carried(found[0]) if len(found) == 1 else ""


def id_of(trace: str) -> str:
    """The trace's own name, as it stands in the log and in the ledger."""
    return trace[3:35]


def sampled(trace: str) -> bool:
    """Whether whoever began the trace wants to see it."""
    return bool(trace) and bool(int(trace[53:], 16) & 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spans:
    """One span for each request whose trace is sampled, handed to a collector by OTLP over HTTP from a thread of its
    own; where the collector is slow or down, spans are lost and requests notice nothing.

    Clients say themselves what is sampled, so a client can make every one of its requests cost a span.
    """

    url: str
    _provider: Any = field(repr=False)
    _tracer: Any = field(repr=False)

    @classmethod
    def to(cls, url: str, service: str) -> Spans:
        """Spans of this service, to the collector whose address for traces is `url`."""
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise ConfigError(f"{url!r} is no address of a collector", fix="as in http://127.0.0.1:4318/v1/traces")
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            raise ConfigError("spans need OpenTelemetry", fix="pip install 'temper-ml[otel]'") from None
        provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=_SECONDS)))
        return cls(url=url, _provider=provider, _tracer=provider.get_tracer("temper"))

    def begin(self, trace: str, at: float, name: str = "score") -> tuple[Any, str]:
        """A span of this trace that began at this second of the monotonic clock, and the `traceparent` of what it asks
        of others.
        """
        from opentelemetry import trace as api

        whose = api.SpanContext(int(trace[3:35], 16), int(trace[36:52], 16), True, api.TraceFlags(1))
        since = time.time_ns() - int(1e9 * (time.monotonic() - at))
        context = api.set_span_in_context(api.NonRecordingSpan(whose))
        span = self._tracer.start_span(name, context=context, kind=api.SpanKind.SERVER, start_time=since)
        return span, f"{trace[:36]}{span.get_span_context().span_id:016x}-01"

    def end(self, span: Any, about: dict[str, str | int | bool], *, failed: bool) -> None:
        """Close it with what became of the request."""
        from opentelemetry.trace import Status, StatusCode

        span.set_attributes(about)
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def close(self) -> None:
        """Hand on what is left; it takes a few seconds at most."""
        self._provider.shutdown()
