"""What arrives at the gateway's socket, however it is made: never a 5xx, never a wait without an end, never the answer
of another, and no secret or value of a row in logs and refusals.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.schema import Column, Schema
from temper.gateway.tables.app import About, Client, Tables
from temper.gateway.tables.counted import Counted
from temper.gateway.transport import Door
from temper.gateway.transport import settings as transport
from temper.guard.serving.breaker import Breaker
from temper.guard.serving.concurrency import Limiter, LimiterConfig
from temper.guard.serving.fallback import Chain
from temper.guard.serving.pipeline import Pipeline

SECRET = "kid.a-secret-nobody-may-read"
TOP = 1_000_000.0
SCHEMA = Schema(
    columns=(
        Column(name="mark", low=0.0, high=TOP),
        Column(name="free"),
        Column(name="count", type="integer", low=0.0, high=9e15),
        Column(name="night", type="boolean"),
        Column(name="channel", type="category", categories=("chip", "on:line", "ünïcode")),
        Column(name="age", missing=True),
    )
)
ROW: dict[str, Any] = {"mark": 5.0, "free": 0.5, "count": 3, "night": True, "channel": "chip", "age": 40.0}
HEAD = f"Host: a\r\nAuthorization: Bearer {SECRET}\r\n".encode()
SLOW = 0.6


class Marked:
    """A model whose score is the row's own mark."""

    inline = True

    def score(self, rows: Any) -> Any:
        return rows[:, 0] / TOP

    async def ask(self, rows: Any, seconds: float) -> Any:
        raise AssertionError


def _app() -> Tables:
    pipeline = Pipeline(
        model=Marked(),
        record=lambda scoring, waiting: waiting.set_result(0),
        breaker=Breaker(),
        limiter=Limiter(config=LimiterConfig(start=4_096, floor=4_096, cap=4_096)),
        chain=Chain(),
    )
    who = {SECRET: Client(name="shop"), "kid.other": Client(name="bank")}
    return Tables(
        about=About(name="m", model="m" * 64, policy="p" * 64, threshold=0.5),
        schema=SCHEMA,
        answer=pipeline.answer,
        known=who.get,
        counted=Counted(help={}),
        body_seconds=0.0,
        deadline=2.0,
    )


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    door = Door(full=lambda entered: False, seconds=SLOW)
    server = uvicorn.Server(uvicorn.Config(_app(), host="127.0.0.1", port=0, **transport(door)))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def _post(content: bytes, *, path: bytes = b"/v1/score", more: bytes = b"", head: bytes = HEAD) -> bytes:
    return b"POST %s HTTP/1.1\r\n%s%sContent-Length: %d\r\n\r\n%s" % (path, head, more, len(content), content)


def _said(port: int, *pieces: bytes, wait: float = 0.0, half: bool = False, seconds: float = 4.0) -> bytes:
    """Everything that is answered until the other side closes or has said nothing for a moment."""
    found = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as line:
        with suppress(OSError):
            for piece in pieces:
                line.sendall(piece)
                time.sleep(wait)
            if half:
                line.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            while data := line.recv(1 << 20):
                found += data
                line.settimeout(0.15)
    return found


def _statuses(found: bytes) -> list[int]:
    return [int(one[:3]) for one in found.split(b"HTTP/1.1 ")[1:]]


def _well(port: int, mark: float = 77.0) -> None:
    """The gateway still answers, and rightly; and closes the line, so that nobody waits for more."""
    body = json.dumps({"row": {**ROW, "mark": mark}}).encode()
    found = _said(port, _post(body, more=b"Connection: close\r\n"))
    assert _statuses(found) == [200]
    assert json.loads(found.partition(b"\r\n\r\n")[2])["results"][0]["score"] == mark / TOP


def _values() -> list[tuple[str, str, int]]:
    """(column, as it is written, the status it gets)."""
    above, below = math.nextafter(TOP, math.inf), math.nextafter(0.0, -math.inf)
    return [
        ("mark", repr(TOP), 200), ("mark", repr(above), 400), ("mark", "0.0", 200), ("mark", "-0.0", 200),
        ("mark", repr(below), 400), ("mark", repr(math.nextafter(TOP, 0)), 200), ("mark", "5e-324", 200),
        ("mark", "2.2250738585072011e-308", 200), ("mark", "1e-400", 200), ("mark", "1e308", 400),
        ("free", "1e308", 200), ("free", "-1.7976931348623157e308", 200), ("free", "1e309", 400),
        ("free", "1" + "0" * 400, 400), ("free", "NaN", 400), ("free", "Infinity", 400), ("free", "-Infinity", 400),
        ("free", '"NaN"', 400), ("free", "nan", 400), ("free", "0x10", 400), ("free", "01", 400), ("free", "+1", 400),
        ("free", "1.", 400), ("free", ".5", 400), ("free", "1_0", 400), ("free", "null", 400), ("free", "true", 400),
        ("free", "[]", 400), ("free", "{}", 400), ("free", '"1"', 400), ("free", "9007199254740993", 200),
        ("free", "18446744073709551616", 200), ("free", "0." + "1" * 5_000, 200), ("free", "1" * 5_000, 400),
        ("count", "9007199254740993", 400), ("count", "1.5", 400), ("count", "3.0", 200), ("count", "-1", 400),
        ("count", "1e3", 200), ("night", "1", 200), ("night", "1.0", 200), ("night", "2", 400), ("night", "0.5", 400),
        ("night", '"true"', 400), ("night", "null", 400), ("channel", '"on:line"', 200), ("channel", '"CHIP"', 400),
        ("channel", '"chip "', 400), ("channel", '"\\u0063hip"', 200), ("channel", "0", 400), ("channel", '""', 400),
        ("channel", '"\\ud800"', 400), ("channel", '"\\udc00\\ud800"', 400), ("channel", '"chip\\u0000"', 400),
        ("channel", "null", 400), ("age", "null", 200), ("age", '""', 400),
    ]  # fmt: skip


@pytest.mark.parametrize("path", [b"/v1/score", b"/v2/models/m/infer"])
def test_a_value_is_scored_or_refused_by_name(port: int, path: bytes) -> None:
    for name, written, status in _values():
        document = {key: json.dumps(value, ensure_ascii=False) for key, value in ROW.items()} | {name: written}
        if path == b"/v1/score":
            body = "{" + ",".join(f'"{key}":{value}' for key, value in document.items()) + "}"
            body = '{"row":' + body + "}"
        else:
            tensors = (f'{{"name":"{key}","shape":[1],"datatype":"FP64","data":[{value}]}}'
                       for key, value in document.items())  # fmt: skip
            body = '{"inputs":[' + ",".join(tensors) + "]}"
        found = _said(port, _post(body.encode(), path=path, more=b"Connection: close\r\n"))
        assert _statuses(found) == [status], (name, written, found[-200:])


def _bodies() -> dict[str, bytes]:
    row = json.dumps(ROW, ensure_ascii=False)
    inner = row[1:-1]
    return {
        "nothing": b"",
        "null": b"null",
        "a list": b"[]",
        "no row": b"{}",
        "an empty row": b'{"row":{}}',
        "no rows": b'{"rows":[]}',
        "row and rows": f'{{"row":{row},"rows":[{row}]}}'.encode(),
        "an unknown key": f'{{"row":{{{inner},"secret-column":1}}}}'.encode(),
        "an unknown key outside": f'{{"row":{row},"extra":1}}'.encode(),
        "a key twice": f'{{"row":{{{inner},"free":1}}}}'.encode(),
        "a key twice, once spaced": f'{{"row":{{"free" : 9, {inner}}}}}'.encode(),
        "a key twice, once on a new line": f'{{"row":{{"free"\n\t: 9, {inner}}}}}'.encode(),
        "a key twice, once escaped": f'{{"row":{{"fr\\u0065e":9, {inner}}}}}'.encode(),
        "row twice": f'{{"row" :{row},"row":{row}}}'.encode(),
        "an id twice": f'{{"id" :"a","id":"b","row":{row}}}'.encode(),
        "an id that hides a colon": f'{{"id":"a\\":","row":{{"free" : 9, {inner}}}}}'.encode(),
        "an id of 129": f'{{"id":"{"i" * 129}","row":{row}}}'.encode(),
        "a number for an id": f'{{"id":7,"row":{row}}}'.encode(),
        "a lone surrogate for an id": f'{{"id":"\\ud800","row":{row}}}'.encode(),
        "the other half of one": f'{{"id":"\\udfff","row":{row}}}'.encode(),
        "a surrogate in raw bytes": b'{"id":"\xed\xa0\x80","row":' + row.encode() + b"}",
        "bytes that are no text": b'{"id":"\xff\xfe","row":' + row.encode() + b"}",
        "a lone surrogate for a key": f'{{"row":{{{inner},"\\ud800":1}}}}'.encode(),
        "a BOM": b"\xef\xbb\xbf" + f'{{"row":{row}}}'.encode(),
        "UTF-16": f'{{"row":{row}}}'.encode("utf-16"),
        "a NUL behind": f'{{"row":{row}}}'.encode() + b"\0",
        "two documents": f'{{"row":{row}}}'.encode() * 2,
        "cut off": f'{{"row":{row}'.encode(),
        "a comma too many": f'{{"row":{{{inner},}}}}'.encode(),
        "a comment": f'{{"row":{row}/* */}}'.encode(),
        "lists in lists": b"[" * 200_000,
        "objects in objects": b'{"row":' * 100_000,
        "rows in rows": b'{"rows":[' * 100_000,
        "deep and closed": b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "a string of 900 kB": b'{"id":"' + b"a" * 900_000 + b'"}',
        "1,001 rows": f'{{"rows":[{",".join([row] * 1_001)}]}}'.encode(),
    }


@pytest.mark.parametrize("name", _bodies())
def test_a_body_that_is_no_request_is_refused(port: int, name: str, caplog: pytest.LogCaptureFixture) -> None:
    found = _said(port, _post(_bodies()[name]))
    assert _statuses(found) == [400], found[-300:]
    assert list(json.loads(found.partition(b"\r\n\r\n")[2])) == ["error"]
    assert len(found) < 700
    assert SECRET not in caplog.text + found.decode("latin-1")
    _well(port)


def test_ten_megabytes_are_refused_before_they_have_come(port: int) -> None:
    content = b'{"id":"' + b"a" * 10_000_000 + b'"}'
    assert _statuses(_said(port, _post(content))) in ([413], [])  # or the line broke while it was still sending
    chunked = b"POST /v1/score HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    piece = b"%x\r\n%s\r\n" % (100_000, b"a" * 100_000)
    assert _statuses(_said(port, chunked, *[piece] * 100)) in ([413], [])
    _well(port)


TENSORS = {
    "twice a key": b'{"inputs":[{"name":"x","shape":[1,6],"datatype":"FP64","data":[],"data":[2,1,1,1,0,1]}]}',
    "twice its inputs": b'{"inputs":[],"inputs":[{"name":"x","shape":[1,6],"datatype":"FP64","data":[2,1,1,1,0,1]}]}',
    "no code": b'{"inputs":[{"name":"x","shape":[1,6],"datatype":"FP64","data":[1,1,1,1,7,1]}]}',
    "half a code": b'{"inputs":[{"name":"x","shape":[1,6],"datatype":"FP64","data":[1,1,1,1,0.5,1]}]}',
    "a huge code": b'{"inputs":[{"name":"x","shape":[1,6],"datatype":"FP64","data":[1,1,1,1,1e300,1]}]}',
    "a code beyond floats": b'{"inputs":[{"name":"x","shape":[1,6],"datatype":"FP64","data":[1,1,1,1,1%s,1]}]}'
    % (b"0" * 400),
    "another shape": b'{"inputs":[{"name":"x","shape":[2,6],"datatype":"FP64","data":[1,1,1,1,0,1]}]}',
    "less than no shape": b'{"inputs":[{"name":"x","shape":[-1,-6],"datatype":"FP64","data":[1,1,1,1,0,1]}]}',
    "a shape without end": b'{"inputs":[{"name":"x","shape":[1,6%s],"datatype":"FP64","data":[1,1,1,1,0,1]}]}'
    % (b",1" * 300_000),
    "no type": b'{"inputs":[{"name":"x","shape":[1,6],"datatype":"SECRET","data":[1,1,1,1,0,1]}]}',
    "lists": b'{"inputs":[{"name":"x","shape":[1,6],"datatype":"FP64","data":[[1,1,1,1,0,1]]}]}',
    "none": b'{"inputs":[]}',
    "the same twice": b'{"inputs":[{"name":"mark","shape":[1],"datatype":"FP64","data":[1]},'
    b'{"name":"mark","shape":[1],"datatype":"FP64","data":[1]}]}',
}


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_that_are_no_request_are_refused(port: int, name: str) -> None:
    found = _said(port, _post(TENSORS[name], path=b"/v2/models/m/infer"))
    assert _statuses(found) == [400], found[-300:]
    _well(port)


def test_half_a_million_rows_are_refused_without_being_read_one_by_one(port: int) -> None:
    many = 490_000
    body = b'{"inputs":[{"name":"mark","shape":[%d],"datatype":"FP64","data":[1%s]}]}' % (many, b",1" * (many - 1))
    app = _app()
    began = time.process_time()
    with pytest.raises(Exception, match="has 490000 rows, expected 1 to 1,000"):
        app._v2.decode(body)
    assert time.process_time() - began < 0.25
    assert _statuses(_said(port, _post(body, path=b"/v2/models/m/infer"))) == [400]


GOOD = json.dumps({"row": ROW}).encode()
SCORE = b"POST /v1/score HTTP/1.1\r\n" + HEAD


def _wires() -> dict[str, tuple[tuple[bytes, ...], set[int]]]:
    """Pieces on the wire and the statuses that may come of them; 0 stands for a line that is closed without a word."""
    length = b"Content-Length: %d\r\n" % len(GOOD)
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)
    chunked = b"Transfer-Encoding: chunked\r\n"
    return {
        "chunked": ((SCORE + chunked + b"\r\n" + chunk,), {200}),
        "in single bytes": (tuple(bytes([one]) for one in _post(GOOD)), {200}),
        "pipelined": ((_post(GOOD) * 3,), {200}),
        "a length that is too short": ((SCORE + b"Content-Length: 5\r\n\r\n" + GOOD,), {400}),
        "a length that is too long": ((SCORE + b"Content-Length: 9999\r\n\r\n" + GOOD,), {0}),
        "a length that is none": ((SCORE + b"Content-Length: ten\r\n\r\n" + GOOD,), {400}),
        "a length below nothing": ((SCORE + b"Content-Length: -5\r\n\r\n" + GOOD,), {400}),
        "a length with a sign": ((SCORE + b"Content-Length: +5\r\n\r\n" + GOOD,), {400}),
        "a length beyond numbers": ((SCORE + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n" + GOOD,), {400}),
        "two lengths": ((SCORE + length + b"Content-Length: 5\r\n\r\n" + GOOD,), {400}),
        "length and chunks": ((SCORE + length + chunked + b"\r\n" + chunk,), {400}),
        "chunks and length": ((SCORE + chunked + length + b"\r\n" + chunk,), {400}),
        "an encoding nobody knows": ((SCORE + b"Transfer-Encoding: xchunked\r\n\r\n" + chunk,), {400}),
        "a chunk of no size": ((SCORE + chunked + b"\r\nzz\r\n",), {400, 0}),
        "a chunk beyond numbers": ((SCORE + chunked + b"\r\n" + b"f" * 40 + b"\r\n",), {400, 0}),
        "chunks that never end": ((SCORE + chunked + b"\r\n5\r\nabcde\r\n",), {0}),
        "a header without a name": ((SCORE + b": x\r\n" + length + b"\r\n" + GOOD,), {400}),
        "a header on two lines": ((SCORE + b"X: a\r\n b\r\n" + length + b"\r\n" + GOOD,), {200, 400}),
        "a NUL in a header": ((SCORE + b"X: a\0b\r\n" + length + b"\r\n" + GOOD,), {400}),
        "a bare line feed": ((SCORE.replace(b"\r\n", b"\n") + length.replace(b"\r", b"") + b"\n" + GOOD,), {200, 400}),
        "3,000 headers": ((SCORE, *[b"X-%d: a\r\n" % at for at in range(3_000)]), {431}),
        "a header of 60 kB": ((SCORE + b"X: " + b"a" * 60_000 + b"\r\n" + length + b"\r\n" + GOOD,), {200, 431}),
        "a request line of 100 kB": ((b"GET /" + b"a" * 100_000, b" HTTP/1.1\r\n\r\n"), {431, 404}),
        "no method": ((b"SCORE /v1/score HTTP/1.1\r\n\r\n",), {400}),
        "a small method": ((b"post /v1/score HTTP/1.1\r\n\r\n",), {400}),
        "another method": ((b"PATCH /v1/score HTTP/1.1\r\nHost: a\r\n\r\n",), {405}),
        "CONNECT": ((b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",), {400, 404, 405}),
        "TRACE": ((b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",), {404, 405}),
        "HEAD": ((b"HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n",), {405}),
        "HTTP/1.0": ((_post(GOOD).replace(b"HTTP/1.1", b"HTTP/1.0"),), {200}),
        "HTTP/0.9": ((b"GET /healthz\r\n\r\n",), {200, 400, 0}),
        "HTTP/9.9": ((b"GET /healthz HTTP/9.9\r\n\r\n",), {400}),
        "HTTP/2 at once": ((b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 9,), {400}),
        "an upgrade to HTTP/2": ((b"GET /healthz HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",), {200}),
        "an upgrade to WebSocket": (
            (b"GET /v1/score HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",), {405},
        ),
        "TLS": ((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 500,), {400}),
        "NULs": ((b"\0" * 1_000,), {400}),
        "a NUL in the path": ((b"GET /healthz\0 HTTP/1.1\r\nHost: a\r\n\r\n",), {400, 404}),
        "an escaped path": ((_post(GOOD, path=b"/v1/%73core"),), {200}),
        "an escaped NUL": ((b"GET /healthz%00 HTTP/1.1\r\nHost: a\r\n\r\n",), {404}),
        "an escape of no text": ((b"GET /%ff%fe HTTP/1.1\r\nHost: a\r\n\r\n",), {404}),
        "half an escape": ((b"GET /%f HTTP/1.1\r\nHost: a\r\n\r\n",), {404}),
        "bytes above ASCII in the path": ((b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",), {400, 404}),
        "up and out": ((b"GET /v1/../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",), {404}),
        "a whole URL": ((_post(GOOD, path=b"http://elsewhere.example/v1/score"),), {200, 404}),
        "a URL that is none": ((_post(GOOD, path=b"http://[::1/v1/score"),), {400, 404}),
        "a question": ((_post(GOOD, path=b"/v1/score?a=%00&b"),), {200}),
        "no host": ((_post(GOOD, head=HEAD.replace(b"Host: a\r\n", b"")),), {200}),
        "Expect": ((SCORE + length + b"Expect: 100-continue\r\n\r\n", GOOD), {100, 200}),
        "Expect something else": ((SCORE + length + b"Expect: 999-gold\r\n\r\n" + GOOD,), {200, 417}),
        "a deadline of nothing": ((_post(GOOD, more=b"X-Deadline-Ms: 0\r\n"),), {200}),
        "a deadline that is none": ((_post(GOOD, more=b"X-Deadline-Ms: 1e3\r\n"),), {400}),
        "a key of bytes": ((_post(GOOD, head=b"Host: a\r\nAuthorization: Bearer \xff\xfe.\xff\r\n"),), {401}),
        "a key of 9 kB": ((_post(GOOD, head=b"Host: a\r\nAuthorization: Bearer " + b"k." * 4_500 + b"\r\n"),), {401}),
        "two keys": ((_post(GOOD, more=b"Authorization: Bearer kid.other\r\n"),), {400}),
        "empty lines first": ((b"\r\n\r\n" + _post(GOOD),), {200}),
    }  # fmt: skip


@pytest.mark.parametrize("name", _wires())
def test_whatever_comes_over_the_wire_ends_and_hurts_nobody(
    port: int, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    pieces, allowed = _wires()[name]
    began = time.monotonic()
    found = _said(port, *pieces)
    assert time.monotonic() - began < SLOW + 3.0
    statuses = _statuses(found)
    assert set(statuses or [0]) <= allowed, (statuses, found[-300:])
    assert name != "pipelined" or statuses == [200] * 3
    assert SECRET not in caplog.text + found.decode("latin-1")
    _well(port)


def test_a_word_that_is_none_is_not_told_back_or_logged(port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for path, body in (
        (b"/v1/score", {"row": {**ROW, "channel": "card-4111-1111"}}),
        (b"/v2/models/m/infer", {"inputs": [
            {"name": key, "shape": [1], "datatype": "BYTES", "data": ["card-4111-1111" if key == "channel" else value]}
            for key, value in ROW.items()]}),
    ):  # fmt: skip
        found = _said(port, _post(json.dumps(body).encode(), path=path))
        assert _statuses(found) == [400]
        assert b"channel" in found
        assert "4111" not in found.decode() + caplog.text


def test_a_client_on_a_slow_line_takes_nothing_from_the_time_of_the_decision() -> None:
    seen: list[Any] = []
    app = _app()
    whole = app.answer

    async def answer(scoring: Any) -> Any:
        seen.append(scoring)
        return await whole(scoring)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.1)
        return {"type": "http.request", "body": GOOD}

    async def send(message: Any) -> None:
        seen.append(message.get("status", 0))

    headers = [(b"authorization", f"Bearer {SECRET}".encode()), (b"content-length", b"%d" % len(GOOD))]
    scope = {"type": "http", "method": "POST", "path": "/v1/score", "query_string": b"", "headers": headers}
    asyncio.run(replace(app, answer=answer)(scope, receive, send))
    scoring, status, *_ = seen
    assert status == 200
    assert scoring.deadline - scoring.at >= 0.1 + app.deadline


def test_half_closed_lines_end(port: int) -> None:
    began = time.monotonic()
    assert _statuses(_said(port, _post(GOOD), half=True)) in ([200], [])
    assert _statuses(_said(port, _post(GOOD)[:-5], half=True)) == []
    assert time.monotonic() - began < 3.0
    _well(port)


def test_four_hundred_lines_that_say_nothing_keep_nobody_out(port: int) -> None:
    lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(400)]
    try:
        for at, line in enumerate(lines):
            line.sendall(SCORE[: at % len(SCORE)])
        _well(port)
    finally:
        for line in lines:
            line.close()


def test_every_client_gets_the_answer_to_its_own_row(port: int) -> None:
    """Requests of many clients at once are scored together; each must find its own mark."""

    def ask(worker: int) -> int:
        wrong = 0
        with socket.create_connection(("127.0.0.1", port), timeout=10) as line, line.makefile("rb") as reader:
            for n in range(60):
                marks = [float(1_000 * worker + n + 100_000 * more) for more in range(1 + n % 4)]
                own = {"id": f"{worker}-{n}"} if n % 2 else {}
                asked = {**own, "rows": [{**ROW, "mark": mark} for mark in marks]}
                line.sendall(_post(json.dumps(asked).encode()))
                wrong += _scores(reader) != [mark / TOP for mark in marks]
        return wrong

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(ask, range(16))) == 0


def _scores(reader: Any) -> list[float]:
    length = 0
    while (line := reader.readline()) != b"\r\n":
        if line.startswith(b"content-length"):
            length = int(line.split()[1])
    return [one["score"] for one in json.loads(reader.read(length)).get("results", [])]


_NUMBER = st.floats(allow_nan=False, allow_infinity=False)
_ROWS = st.fixed_dictionaries(
    {
        "mark": st.floats(0.0, TOP),
        "free": _NUMBER,
        "count": st.integers(0, 9 * 10**15),
        "night": st.booleans(),
        "channel": st.sampled_from(["chip", "on:line", "ünïcode"]),
    },
    optional={"age": st.none() | _NUMBER},
)


@settings(max_examples=80)
@given(st.lists(_ROWS, min_size=1, max_size=6))
def test_a_row_alone_is_the_row_among_others(rows: list[dict[str, Any]]) -> None:
    app = _app()
    together = app._decoder.decode(json.dumps({"rows": rows}).encode()).rows
    alone = [app._decoder.decode(json.dumps({"row": row}).encode()).rows for row in rows]
    assert together.tobytes() == np.concatenate(alone).tobytes()


@settings(max_examples=300)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")), st.data())
def test_any_bytes_anywhere_in_a_request_are_scored_or_refused(noise: bytes, data: st.DataObject) -> None:
    """Noise is laid over a good body: what comes is an answer or one sentence, and never a 500."""
    path = data.draw(st.sampled_from(["/v1/score", "/v2/models/m/infer"]))
    good = GOOD if path == "/v1/score" else TENSORS["no code"].replace(b"7,", b"0,")
    at = data.draw(st.integers(0, len(good)))
    body = good[:at] + noise + good[at + data.draw(st.integers(0, 20)) :]
    status = asyncio.run(_direct(_app(), path, body))
    assert status in (200, 400)


async def _direct(app: Tables, path: str, body: bytes) -> int:
    told: list[Any] = []
    scope = {"type": "http", "method": "POST", "path": path,
             "headers": [(b"authorization", b"Bearer " + SECRET.encode())]}  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(event: Any) -> None:
        told.append(event)

    await app(scope, receive, send)
    return int(told[0]["status"])
