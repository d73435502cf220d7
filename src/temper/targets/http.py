"""A model behind HTTP: rows out as JSON, scores back, within hard caps."""

from __future__ import annotations

import http.client
import json
import math
import os
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from temper.core.data import Array, Data
from temper.core.errors import ContractError, RunStopped, TemperError, Unsupported
from temper.core.schema import Schema
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.targets import _digest
from temper.targets._score import one_hot, shaped

_BUSY = (429, 502, 503, 504)
_LARGEST = 64 * 1024 * 1024
_LONGEST_WAIT = 60.0
_SHOWN, _SECRET = 200, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back, as it came but for the secrets that were sent: header names in small letters, `seconds` until the
    last byte. Status 0 says that the connection broke, and `body` how.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


class Meter:
    """Requests sent by this process; a copy sent to another process starts at zero again."""

    def __init__(self) -> None:
        self._lock, self.sent = threading.Lock(), 0

    def charge(self, limit: int) -> None:
        """Count one request, or refuse it."""
        with self._lock:
            if self.sent >= limit:
                raise RunStopped(f"the cap of {limit} requests is spent", fix="raise max_requests, or ask fewer rows")
            self.sent += 1

    def __reduce__(self) -> tuple[Any, ...]:
        return Meter, ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Http:
    """POST {"rows": [...]} to `url`, at most `batch` rows each, answered by {"scores": [[...]]} (or {"labels": [...]}).

    Rows are lists of numbers, or, with a `schema` of columns, records by column name (categories by name, missing
    values null). `headers` maps a header to the *name* of the environment variable that holds it; its value is in no
    repr, message or pickle. `max_requests` is a hard cap per process, retries included. `timeout` is seconds per
    request. Hosts other than this machine are refused unless `authorised_by` says who allowed it.
    """

    url: str
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False
    schema: Schema | None = None
    version: str = ""
    labels_only: bool = False
    authorised_by: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    batch: int = 256
    timeout: float = 10.0
    retries: int = 3
    max_requests: int = 100_000
    meter: Meter = field(default_factory=Meter, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TemperError("the target's URL is no http(s) address", fix="write http://host:port/path")
        if parts.username or parts.password:
            raise TemperError("the target's URL holds a password", fix="put it into headers, by environment variable")
        if not _loopback(parts.hostname) and not self.authorised_by:
            raise TemperError(
                f"{parts.hostname} is a remote host and nobody is named who allowed this test",
                fix="set authorised_by to the person or ticket that allows it",
            )
        if self.batch < 1 or self.max_requests < 1 or not self.timeout > 0:
            raise TemperError("batch, max_requests and timeout of a URL must be positive")

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "http"

    @property
    def access(self) -> Access:
        """Labels, and scores unless it only decides."""
        return Access.LABELS if self.labels_only else Access.LABELS | Access.SCORES

    @property
    def digest(self) -> str:
        """Empty without a declared version: what answers behind a URL cannot be seen."""
        return _digest.of_bytes(self.url.encode(), self.version.encode()) if self.version else ""

    def scores(self, x: Array) -> Array:
        """Scores (n, classes) or (n, 1), asked in batches."""
        x = np.asarray(x, dtype=np.float64)
        answers: list[Any] = []
        for at in range(0, len(x), self.batch):
            answers += self._ask(x[at : at + self.batch])
        if self.labels_only:
            return one_hot(self._labels(answers), self.classes)
        raw = answers or np.empty((0, 1 if self.kind in (ScoreKind.MARGIN, ScoreKind.VALUE) else self.classes))
        return shaped(raw, self.kind, self.classes, len(x), "the service")

    def gradient(self, x: Array, cotangent: object) -> tuple[Array, Array]:
        """A service has no gradients."""
        raise Unsupported("a model behind a URL has no gradients", fix="use an attack that needs scores or labels")

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """A service cannot be fitted again."""
        raise Unsupported("a model behind a URL cannot be fitted again", fix="open the model itself")

    def _labels(self, answers: list[Any]) -> np.ndarray[Any, Any]:
        labels = np.asarray(answers)
        if labels.dtype.kind not in "iu" or labels.ndim != 1 or not 0 <= labels.min() <= labels.max() < self.classes:
            raise ContractError(
                "the service's labels are no class numbers", fix=f"answer with whole numbers 0 to {self.classes - 1}"
            )
        return labels

    def _ask(self, x: np.ndarray[Any, Any]) -> list[Any]:
        body = json.dumps({"rows": self.records(x)}, allow_nan=False).encode()
        word = "labels" if self.labels_only else "scores"
        reply = self._send(body)
        try:
            found = json.loads(reply)[word]
        except (ValueError, KeyError, TypeError):
            raise ContractError(
                f"the service did not answer with {{{word!r}: [...]}}", fix='answer {"scores": [[p0, p1], ...]}'
            ) from None
        if not isinstance(found, list) or len(found) != len(x):
            count = len(found) if isinstance(found, list) else 0
            raise ContractError(
                f"the service gave {count} {word} for {len(x)} rows", fix="answer one per row, in order"
            )
        return found

    def records(self, x: np.ndarray[Any, Any]) -> list[Any]:
        """The rows as they are sent."""
        if self.schema is None or not self.schema.columns:
            return [[value if math.isfinite(value) else None for value in row] for row in x.tolist()]
        from temper.targets.frame import to_frame

        frame = to_frame(x, self.schema).astype(object)
        records: list[Any] = frame.where(frame.notna(), None).to_dict(orient="records")
        return records

    def exchange(self, body: bytes) -> Reply:
        """One request that is neither repeated nor read, charged like any other: for whoever looks at the service."""
        self.meter.charge(self.max_requests)
        started = time.perf_counter()
        try:
            reply = self._post(body)
        except (OSError, http.client.HTTPException) as crash:
            told = type(crash).__name__.encode()
            return Reply(status=0, headers={}, body=told, seconds=time.perf_counter() - started)
        secrets = self._secrets()
        headers = {name: _hidden(value.encode(), secrets).decode() for name, value in reply.headers.items()}
        return replace(reply, headers=headers, body=_hidden(reply.body, secrets))

    def _send(self, body: bytes) -> bytes:
        """The reply's body; a busy or broken connection is tried again after a growing wait."""
        trouble = ""
        for attempt in range(self.retries + 1):
            self.meter.charge(self.max_requests)
            wait = min(0.25 * 2**attempt, _LONGEST_WAIT)
            try:
                reply = self._post(body)
            except (OSError, http.client.HTTPException) as crash:
                trouble = f"{type(crash).__name__}"
            else:
                if reply.status == 200:
                    return reply.body
                told = _hidden(reply.body, self._secrets())[:_SHOWN].decode("utf-8", "replace")
                trouble = f"status {reply.status}: {told}"
                if reply.status not in _BUSY:
                    raise ContractError(f"the service refused the request: {trouble}", fix="try the URL by hand")
                after = _seconds(reply.headers.get("retry-after"))
                wait = after if after is not None else wait
            if attempt < self.retries:
                time.sleep(min(wait, _LONGEST_WAIT))
        place = urlsplit(self.url).netloc
        raise RunStopped(
            f"the service at {place} did not answer after {self.retries + 1} requests: {trouble}", fix="is it up?"
        )

    def _post(self, body: bytes) -> Reply:
        """One request. Redirects leave the scope: not followed."""
        parts, secrets = urlsplit(self.url), self._secrets()
        door = _door(parts.scheme, str(parts.hostname), parts.port, self.timeout)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        started = time.perf_counter()
        try:
            door.request("POST", path, body, {"Content-Type": "application/json", **secrets})
            reply = door.getresponse()
            content = reply.read(_LARGEST + 1)
            if len(content) > _LARGEST:
                raise ContractError("the service's answer is over 64 MiB", fix="make the batch smaller")
            seconds = time.perf_counter() - started
            headers = {name.lower(): value for name, value in reply.getheaders()}
            return Reply(status=reply.status, headers=headers, body=content, seconds=seconds)
        finally:
            door.close()

    def _secrets(self) -> dict[str, str]:
        found = {}
        for header, variable in self.headers.items():
            if variable not in os.environ:
                raise TemperError(f"the environment variable {variable} for {header} is not set", fix="export it")
            found[header] = os.environ[variable]
        return found


def _hidden(body: bytes, secrets: Mapping[str, str]) -> bytes:
    """The bytes without the secrets that a service may repeat in them."""
    for value in secrets.values():
        body = body.replace(value.encode(), b"***") if len(value) >= _SECRET else body
    return body


def _door(scheme: str, host: str, port: int | None, timeout: float) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=timeout)


def _loopback(host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _seconds(header: str | None) -> float | None:
    """Seconds of a Retry-After header; its date form is left to the ordinary wait."""
    try:
        return None if header is None else max(0.0, float(header))
    except ValueError:
        return None
