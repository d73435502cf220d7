"""An HTTP answer taken apart and put together again, and scores found in its JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from temper.core.data import Array

_LENGTHS = (b"content-length", b"transfer-encoding")
_REASONS = {429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}


def head(raw: bytes) -> bytes:
    """The status line and the headers of an answer, with the empty line after them."""
    return raw[: raw.index(b"\r\n\r\n") + 4]


def rebuilt(raw: bytes, body: bytes) -> bytes:
    """The same answer with another body.

    >>> rebuilt(b"HTTP/1.1 200 OK\\r\\nContent-Length: 1\\r\\n\\r\\na", b"bc")
    b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nbc'
    """
    first, *lines = head(raw)[:-4].split(b"\r\n")
    kept = [line for line in lines if line.split(b":", 1)[0].strip().lower() not in _LENGTHS]
    return b"\r\n".join([first, *kept, b"Content-Length: %d" % len(body), b"", body])


def failed(status: int) -> bytes:
    """A whole answer that says no more than its status.

    >>> failed(429).splitlines()[0]
    b'HTTP/1.1 429 Too Many Requests'
    """
    body = json.dumps({"error": f"a fault on purpose: status {status}"}).encode()
    words = _REASONS.get(status, "Fault")
    lines = f"HTTP/1.1 {status} {words}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return lines.encode() + body


def overwritten(body: bytes, fields: Mapping[str, str]) -> bytes:
    """A JSON object with these fields set; anything else stays as it is.

    >>> overwritten(b'{"id": "1"}', {"model_version": "7"})
    b'{"id": "1", "model_version": "7"}'
    """
    document = _read(body)
    return json.dumps(document | dict(fields)).encode() if isinstance(document, dict) else body


def rescored(body: bytes, change: Callable[[Array], Array]) -> bytes:
    """The answer with its scores changed: the numbers of an inference answer (version 2), of {"scores": [...]} or of
    {"score": ...}; anything else stays as it is. A score that is no number is written as NaN, which JSON has not: so do
    servers that do not look.

    >>> rescored(b'{"scores": [0.25, 0.5]}', lambda scores: scores * 2)
    b'{"scores": [0.5, 1.0]}'
    """
    document = _read(body)
    for holder, key in _places(document):
        held = holder[key]
        single = not isinstance(held, list)
        scores = np.asarray([held] if single else held, dtype=float)
        told = change(scores)
        if np.array_equal(told, scores):
            return body
        holder[key] = float(told[0]) if single else told.tolist()
        return json.dumps(document).encode()
    return body


def _places(document: Any) -> Iterator[tuple[Any, str]]:
    """Where scores stand: those of the first output whose data are numbers, or a score of its own."""
    if not isinstance(document, dict):
        return
    outputs = document.get("outputs")
    holders = [one for one in outputs if isinstance(one, dict)] if isinstance(outputs, list) else []
    for holder, key in [*((one, "data") for one in holders), (document, "scores"), (document, "score")]:
        if _numbers(holder.get(key)):
            yield holder, key


def _numbers(held: Any) -> bool:
    if isinstance(held, list):
        return bool(held) and all(_numbers(one) for one in held)
    return isinstance(held, int | float) and not isinstance(held, bool)


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
