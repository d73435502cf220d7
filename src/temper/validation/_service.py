"""What a service behind a URL tells besides its scores: fields, headers, errors, how many rows at once, how fast."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Measurement, Status
from temper.core.schema import Schema
from temper.kernels.rate import measure_rate
from temper.validation._service_fields import Extra, extras, flips

Rows = np.ndarray[Any, Any]

_SINGLES, _CATEGORIES, _SHOWN, _REFUSED = 20, 20, 160, 400
_HOUR, _MILLION = 3_600.0, 1e6
_HEADERS = (
    (
        re.compile(r"^(server|x-powered-by|x-aspnet\S*|x-runtime|via|x-generator)$"),
        "which software to look up holes of",
    ),
    (re.compile(r"ratelimit|^retry-after$|quota"), "how far to go, and when to come back, without being stopped"),
    (re.compile(r"model|version|build|revision|commit|deploy"), "which build answers, and when a copy is out of date"),
    (re.compile(r"served|backend|upstream|node|pod|host|amz|trace"), "where it runs"),
)
_MALFORMED = (b"{", b"{}", b"[]", b'{"rows": "one"}', b'{"rows": [[]]}', b'{"rows": [{}]}')


class Service(Protocol):
    """A target that shows its answers as they came."""

    schema: Schema | None

    def exchange(self, body: bytes) -> Any:
        """Status, headers, body and seconds of one request."""

    def records(self, x: Rows) -> list[Any]:
        """The rows as they are sent."""


def service_of(target: Any) -> Service | None:
    """The service behind a target, or behind what stands before it."""
    while target is not None and not hasattr(target, "exchange"):
        target = getattr(target, "inner", None)
    found: Service | None = target
    return found


def profile(
    name: str, service: Service, scene: Scene, x: Rows, most: int, inside: Mapping[str, Any]
) -> tuple[Measurement, ...]:
    """Every figure; `x` are a few rows, `most` the rows that are sent at once at the most, `inside` what tells."""
    reply = service.exchange(_body(service.records(x)))
    singles = [service.exchange(_body(service.records(x[:1]))) for _ in range(_SINGLES)]
    return (
        *_fields(name, scene, x, _read(reply.body)),
        _headers(name, reply.headers),
        *_errors(name, service, inside),
        *_unknown(name, service, scene.schema, x[0]),
        *_volume(name, service, x, most, [one.seconds for one in singles if one.status == 200]),
    )


def _fields(name: str, scene: Scene, x: Rows, answer: Any) -> Iterator[Measurement]:
    """What comes with the scores, and whether counterfactuals are what they claim to be."""
    found = extras(answer, x, scene.schema)
    yield _count(
        name,
        "extra_fields",
        len(found),
        len(x),
        [f"{extra.path}: {extra.kind}, {extra.gives}" for extra in found],
        "fields of the answer beside scores and labels",
    )
    offered = [extra for extra in found if extra.kind == "counterfactuals"]
    for extra in offered[:1]:
        yield from _counterfactuals(name, scene, x, extra)


def _counterfactuals(name: str, scene: Scene, x: Rows, extra: Extra) -> Iterator[Measurement]:
    asked, other = flips(scene, x, extra)
    if asked:
        yield measure_rate(
            name,
            "counterfactuals_flip",
            other,
            asked,
            better=Better.LOWER,
            queries=asked,
            caveats=(f"{extra.path}: asked again, so many are decided otherwise than the row they were given for",),
        )


def _headers(name: str, headers: Mapping[str, str]) -> Measurement:
    told = [
        f"{header}: {value[:_SHOWN]}, {next(gives for form, gives in _HEADERS if form.search(header))}"
        for header, value in sorted(headers.items())
        if any(form.search(header) for form, _ in _HEADERS)
    ]
    return _count(name, "telling_headers", len(told), 1, told, "headers of one answer that say what or where it is")


def _errors(name: str, service: Service, inside: Mapping[str, Any]) -> Iterator[Measurement]:
    """What requests that are no requests are answered."""
    replies = [service.exchange(body) for body in _MALFORMED]
    broken = [reply for reply in replies if reply.status >= 500 or reply.status == 0]
    yield measure_rate(
        name,
        "malformed_breaks",
        len(broken),
        len(replies),
        better=Better.LOWER,
        queries=len(replies),
        caveats=("status 500 and above, or no answer, where 4xx was due: an input that is not looked at",),
    )
    refused = [reply.body.decode("utf-8", "replace") for reply in replies if reply.status != 200]
    kinds = [[what for what, form in inside.items() if form.search(told)] for told in refused]
    first = next((told for told, whats in zip(refused, kinds, strict=True) if whats), "")
    named = sorted({what for whats in kinds for what in whats})
    if refused:
        yield measure_rate(
            name,
            "telling_errors",
            sum(map(bool, kinds)),
            len(refused),
            better=Better.LOWER,
            queries=len(replies),
            caveats=(f"they tell {', '.join(named)}: {' '.join(first.split())[:_SHOWN]!r}",) if named else (),
        )


def _unknown(name: str, service: Service, schema: Schema, x: Rows) -> Iterator[Measurement]:
    """Whether categories that nobody declared are answered; only where rows go out with their names."""
    if not getattr(service.schema, "columns", ()):
        return
    columns = [column for column in schema.columns if column.type == "category"][:_CATEGORIES]
    taken = [_answers(service, dict(service.records(x[None])[0]) | {c.name: "temper-unknown"}) for c in columns]
    if columns:
        named = ", ".join(c.name for c, said in zip(columns, taken, strict=True) if said)
        yield measure_rate(
            name,
            "unknown_categories_answered",
            sum(taken),
            len(columns),
            better=Better.NEITHER,
            queries=len(columns),
            caveats=(f"made up, and answered: {named}; whoever wants no row on record sends such",) if named else (),
        )


def _answers(service: Service, record: Any) -> bool:
    return int(service.exchange(_body([record])).status) == 200


def _volume(name: str, service: Service, x: Rows, most: int, singles: Sequence[float]) -> Iterator[Measurement]:
    """Rows that one request takes, the time of one row, and what one connection gets in an hour."""
    taken, seconds, n = 0, 0.0, 1
    while n <= most:
        reply = service.exchange(_body(service.records(x[np.arange(n) % len(x)])))
        if reply.status != 200:
            break
        taken, seconds, n = n, reply.seconds, 2 * n
    yield _exact(
        name,
        "rows_at_once",
        float(taken),
        "rows",
        n=1,
        better=Better.NEITHER,
        caveats=(
            f"{'and no more' if n <= most else 'or more'}; a limit on requests is no limit on rows where a request may "
            "hold many",
        ),
    )
    if singles:
        low, middle, high = (1_000.0 * float(q) for q in np.quantile(singles, (0.05, 0.5, 0.95)))
        yield Measurement(
            plugin=name,
            metric="latency_ms",
            value=middle,
            low=low,
            high=high,
            n=len(singles),
            unit="ms",
            queries=len(singles),
            better=Better.NEITHER,
            method="median of single rows, 5 % and 95 % quantiles",
        )
    if taken and seconds > 0.0:
        pace = taken / seconds * _HOUR
        told = f"a million queries take one client {_MILLION / pace:,.1f} hours on one connection, if nothing stops it"
        yield _exact(name, "rows_per_hour", pace, "rows", n=1, better=Better.LOWER, caveats=(told,))


def _count(
    name: str, metric: str, count: int, n: int, told: Sequence[str], method: str, better: Better = Better.LOWER
) -> Measurement:
    return _exact(name, metric, float(count), "", n=n, better=better, caveats=tuple(told), method=method)


def _exact(name: str, metric: str, value: float, unit: str, **more: Any) -> Measurement:
    fields: dict[str, Any] = {"low": value, "high": value, "unit": unit, "status": Status.OK} | more
    return Measurement(plugin=name, metric=metric, value=value, **fields)


def _body(records: list[Any]) -> bytes:
    return json.dumps({"rows": records}).encode()


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
