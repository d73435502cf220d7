"""The planted service behind HTTP, what can be wrong with how it reads, and a model of texts."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.schema import Column, Schema
from temper.core.target import Target
from temper.core.text import TextSchema
from temper.targets.function import Function
from temper.testing.planted import SCORING, Invalid, Scorer, no_constant, rows, schema


class SurrogateFails(Scorer):
    """What cannot be scored is written to a log, and half a character cannot be written."""

    def _decoded(self, row: Any) -> list[float]:
        "".join(str(value)[:100] for value in row.values()).encode() if isinstance(row, dict) else b""
        return super()._decoded(row)


class DeepFails(Scorer):
    """Nobody thought of text that nests deeper than the parser goes."""

    def _parsed(self, body: bytes) -> Any:
        try:
            return json.loads(body, parse_constant=no_constant, parse_int=float)
        except ValueError as fault:
            raise Invalid(f"no JSON: {type(fault).__name__}") from None


class ExtraKeyWins(Scorer):
    """Keys are taken by their end, so that one nobody declared is taken too."""

    def _decoded(self, row: Any) -> list[float]:
        if isinstance(row, dict):
            row = {next((n for n in self.names if key.endswith(n)), key): value for key, value in row.items()}
        return super()._decoded({key: value for key, value in row.items() if key in self.names} if
                               isinstance(row, dict) else row)  # fmt: skip


class TextScored(Scorer):
    """Whatever can be made a number is one."""

    def _cell(self, column: Column, row: dict[str, Any]) -> float:
        value = row.get(column.name)
        if column.type == "number" and isinstance(value, str):
            try:
                return float(value)
            except ValueError:
                raise Invalid("no number") from None
        return super()._cell(column, row)


class NullFails(Scorer):
    """A value that is there and null."""

    def _cell(self, column: Column, row: dict[str, Any]) -> float:
        if column.name == "amount" and column.name in row and row[column.name] is None:
            return float(row[column.name])
        return super()._cell(column, row)


class MissingKeyFails(Scorer):
    """A key that is not there."""

    def _cell(self, column: Column, row: dict[str, Any]) -> float:
        _ = row[column.name]
        return super()._cell(column, row)


class ListFails(Scorer):
    """A list cannot be looked up."""

    def _code(self, column: Column, word: Any) -> float:
        known = {name: float(at) for at, name in enumerate(column.categories)}
        if word not in known:
            raise Invalid("unknown word")
        return known[word]


class EmptyFails(Scorer):
    """A request without a body."""

    def _parsed(self, body: bytes) -> Any:
        return super()._parsed(body) if body[0] else None


class QuadraticText(Scorer):
    """A text is cleaned letter by letter, each time from its start."""

    def _code(self, column: Column, word: Any) -> float:
        if isinstance(word, str):
            at = 0
            while at < len(word):
                word, at = word.replace(word[at:], word[at:].lstrip("\u200b"), 1), at + 1
        return super()._code(column, word)


class DigitsFail(Scorer):
    """Whole numbers are parsed exactly, and Python refuses the longest."""

    def _parsed(self, body: bytes) -> Any:
        try:
            return json.loads(body, parse_constant=no_constant)
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as fault:
            raise Invalid(f"no JSON: {type(fault).__name__}") from None


class MarkFails(Scorer):
    """A byte order mark before the text."""

    def _parsed(self, body: bytes) -> Any:
        return super()._parsed(body if body[:1].isascii() else body.decode("ascii").encode())


TEXTS = ("win a prize now", "see you at noon", "call me back please", "free entry, text yes", "lunch tomorrow then")
_WORDS = re.compile(r"^(\w+\s?)*$")


def spam(texts: Sequence[str]) -> Array:
    """The sound model of texts: shares of four words."""
    p = np.array([0.1 + 0.2 * sum(word in text for word in ("win", "free", "prize", "yes")) for text in texts])
    return np.column_stack([1.0 - p, p])


def spam_pattern(texts: Sequence[str]) -> Array:
    """A pattern that tries every way to cut a long word."""
    for text in texts:
        _WORDS.match(text)
    return spam(texts)


def spam_encoded(texts: Sequence[str]) -> Array:
    """Half a character cannot be encoded."""
    for text in texts:
        text.encode()
    return spam(texts)


READING = (
    SurrogateFails, DeepFails, ExtraKeyWins, TextScored, NullFails, MissingKeyFails, ListFails, EmptyFails,
    QuadraticText, DigitsFail, MarkFails,
)  # fmt: skip
SERVED = (*SCORING[:6], *SCORING[8:12], *SCORING[13:15], *SCORING[15:16], SCORING[22], *READING)
"""Behind HTTP: 14 defects of scoring and 11 of reading."""


def inside() -> list[tuple[str, Target, Schema, Any]]:
    """25 defects in this process: name, target, schema and rows."""
    found: list[tuple[str, Target, Schema, Any]] = [
        (kind.__name__, Function(call=kind()), schema(), rows()) for kind in SCORING
    ]
    texts = np.array(TEXTS * 3, dtype=object)
    return found + [(call.__name__, Function(call=call), TextSchema(), texts) for call in (spam_pattern, spam_encoded)]


class Served:
    """A scorer behind HTTP on this machine: POST anywhere, `{"score": p}` for one row and `{"scores": [...]}` for more.

    What the scorer refuses gets 422, what it does not catch 500. Use it in a `with`; `url` is where it listens.
    """

    def __init__(self, scorer: Scorer, port: int = 0) -> None:
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

        class Exchange(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 5
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = _body(self)
                status, told = (400, {"error": "length"}) if body is None else _handled(scorer, body)
                self.close_connection = self.close_connection or body is None
                content = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Exchange)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1/score"

    def __enter__(self) -> Served:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def command(kind: type[Scorer], port: int) -> tuple[str, ...]:
    """The command that serves one in the foreground, until it is killed."""
    words = (
        f"from temper.testing.planted_served import Served; from {kind.__module__} import {kind.__qualname__} as K; "
    )
    forever = f"import threading; Served(K(), {port}).__enter__(); threading.Event().wait()"
    return (sys.executable, "-c", words + forever)


def _body(handler: Any) -> bytes | None:
    """The body by its length or in chunks; None where its length is in doubt."""
    if "chunked" not in handler.headers.get("Transfer-Encoding", ""):
        lengths = handler.headers.get_all("Content-Length", [])
        return bytes(handler.rfile.read(int(lengths[0]))) if len(lengths) == 1 and lengths[0].isdigit() else None
    pieces = []
    while size := int(handler.rfile.readline().strip() or b"0", 16):
        pieces.append(handler.rfile.read(size))
        handler.rfile.readline()
    handler.rfile.readline()
    return b"".join(pieces)


def _handled(scorer: Scorer, body: bytes) -> tuple[int, dict[str, Any]]:
    try:
        found = scorer.answer(body)
    except Invalid as wrong:
        return 422, {"error": str(wrong)}
    except Exception as crash:
        return 500, {"error": type(crash).__name__}
    return 200, {"score": found[0]} if len(found) == 1 else {"scores": found}
