"""Inputs that once broke a law of a scoring service or model, kept as tests; written by Temper.

A service's file needs pytest and nothing else: TEMPER_FUZZ_URL names the service where it is not the one it was found
at, TEMPER_FUZZ_KEY its key if it has one. A service that cannot be reached fails the test.
"""

from __future__ import annotations

import base64
import json
import math
import os
import socket
import ssl
import threading
import time
import zlib
from typing import Any
from urllib.parse import urlsplit

import pytest

DOCUMENT: Any = {}
SETTINGS, CASES = DOCUMENT["settings"], DOCUMENT["cases"]
AGAIN, ROUNDS = 150, 40


def close(one: Any, other: Any) -> bool:
    """Whether two lists of scores agree."""
    return len(one) == len(other) and all(
        math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-7) for a, b in zip(one, other, strict=True)
    )


# -- model
def number(text: Any) -> Any:
    """A value as it was: bits and all."""
    return text[0] if isinstance(text, list) else float.fromhex(text) if "x" in text else float(text)


@pytest.fixture(scope="module")
def target() -> Any:
    """The model of temper.yaml."""
    import temper

    return temper.load(SETTINGS["source"]).target


def asked(target: Any, rows: Any) -> Any:
    """Scores, or None where the rows are refused: by ValueError, TypeError or an error of Temper."""
    import numpy as np
    from temper.core.errors import TemperError

    texts = isinstance(rows[0][0], str)
    x = np.array([row[0] for row in rows], dtype=object) if texts else np.array(rows, dtype=np.float64)
    try:
        return np.asarray(target.scores(x), dtype=float)
    except UnicodeError:
        raise
    except (TemperError, ValueError, TypeError):
        return None


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_the_law_holds(case: Any, target: Any) -> None:
    rows = [[number(value) for value in row] for row in case["rows"]]
    begun = time.monotonic()
    first = asked(target, rows[:1])
    law, why = case["law"], f"{case['meaning']}: {case['note']}"
    if law == "in_time":
        assert time.monotonic() - begun < 5.0, why
    if law == "accepts":
        assert first is not None, why
    if law == "refuses":
        assert first is None, why
    if law == "in_range" and first is not None:
        high = 1.0 if target.kind.value == "probabilities" else math.inf
        low = 0.0 if high == 1.0 else -math.inf
        assert all(math.isfinite(value) and low <= value <= high for value in first.ravel()), why
    if law == "repeats":
        every = [asked(target, [row]) for row in rows]
        for _ in range(max(2, AGAIN // len(rows))):
            for row, before in zip(rows, every, strict=True):
                assert close(asked(target, [row]).ravel().tolist(), before.ravel().tolist()), why
    if law == "alone":
        batch = asked(target, rows)
        assert batch is None or close(batch[0].tolist(), first[0].tolist()), why
        turned = asked(target, rows[::-1])
        assert turned is None or close(turned[-1].tolist(), first[0].tolist()), why
    if law == "own_answer":
        crowd(target, rows, why)


def crowd(target: Any, rows: Any, why: str) -> None:
    """Each row in a thread of its own gets its own answer."""
    import sys

    alone = [asked(target, [row]) for row in rows]
    wrong: list[int] = []

    def work(at: int) -> None:
        for _ in range(ROUNDS):
            if not close(asked(target, [rows[at]]).ravel().tolist(), alone[at].ravel().tolist()):
                wrong.append(at)

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=work, args=(at,)) for at in range(len(rows))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(usual)
    assert not wrong, why
# -- service
URL = urlsplit(os.environ.get("TEMPER_FUZZ_URL") or SETTINGS["url"])
PLACES = (SETTINGS["answer"],) if SETTINGS["answer"] else (
    "score", "scores", "results.*.score", "probability", "probabilities", "prediction", "predictions",
)  # fmt: skip


def sent(request: Any) -> Any:
    """(status, scores) of one request, the last of its answers; status 0 where the connection broke."""
    port = URL.port or (443 if URL.scheme == "https" else 80)
    line = socket.create_connection((URL.hostname, port), timeout=SETTINGS["deadline"])
    if URL.scheme == "https":
        line = ssl.create_default_context().wrap_socket(line, server_hostname=URL.hostname)
    with line:
        try:
            for piece in request["pieces"]:
                plain = zlib.decompress(base64.b64decode(piece))
                plain = plain.replace(b"{host}", URL.netloc.encode())
                line.sendall(plain.replace(b"{key}", os.environ.get("TEMPER_FUZZ_KEY", "").encode()))
                time.sleep(request["pause"])
        except (BrokenPipeError, ConnectionResetError):
            pass
        file, found = line.makefile("rb"), (0, None)
        for _ in range(request["answers"]):
            found = answered(file, request["rows"])
        return found


def answered(file: Any, rows: int) -> Any:
    """One response."""
    start = file.readline().decode("latin-1").split(" ")
    if len(start) < 2:
        return 0, None
    headers = {}
    while text := file.readline().decode("latin-1").strip():
        name, _, value = text.partition(":")
        headers[name.lower()] = value.strip()
    if "chunked" in headers.get("transfer-encoding", ""):
        body = b""
        while size := int(file.readline().split(b";")[0], 16):
            body += file.read(size)
            file.readline()
        file.readline()
    else:
        body = file.read(int(headers["content-length"])) if "content-length" in headers else file.read()
    try:
        return int(start[1]), scores(json.loads(body), rows)
    except ValueError:
        return int(start[1]), None


def scores(document: Any, rows: int) -> Any:
    """The last score of each row, None where there is none."""
    for place in PLACES:
        found = flat(at(document, place.split(".")))
        if found and len(found) % rows == 0 and all(type(value) in (int, float) for value in found):
            width = len(found) // rows
            return [float(value) for value in found[width - 1 :: width]]
    return None


def at(document: Any, path: Any) -> Any:
    """What stands at a path; * is every entry of a list."""
    for place, step in enumerate(path):
        if step == "*" and isinstance(document, list):
            return [at(item, path[place + 1 :]) for item in document]
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list) and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        else:
            return None
    return document


def flat(found: Any) -> Any:
    """Lists in lists as one."""
    if isinstance(found, list):
        return [value for item in found for value in flat(item)]
    return [] if found is None else [found]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_the_law_holds(case: Any) -> None:
    law, why = case["law"], f"{case['meaning']}: {case['note']}"
    begun = time.monotonic()
    try:
        status, found = sent(case["alone"][0])
    except TimeoutError:
        assert law != "in_time" and law != "answers", why
        return
    assert law != "in_time" or time.monotonic() - begun < SETTINGS["deadline"], why
    if law == "answers":
        assert 0 < status < 500 or status == 503, why
    if law == "refuses":
        assert found is None, why
    if law == "accepts":
        assert found is not None, why
    if law == "in_range" and found is not None:
        low, high = number(SETTINGS["low"]), number(SETTINGS["high"])
        assert all(math.isfinite(value) and low <= value <= high for value in found), why
    if law == "spelling" and found is not None:
        assert close(found, sent(case["usual"])[1]), why
    if law == "repeats":
        every = [sent(one)[1] for one in case["alone"]]
        for _ in range(max(2, AGAIN // len(every))):
            for request, before in zip(case["alone"], every, strict=True):
                assert close(sent(request)[1], before), why
    if law == "alone" and case["batch"]:
        batch = sent(case["batch"])[1]
        assert batch is None or close(batch[:1], found), why
    if law == "own_answer":
        crowd(case, why)


def crowd(case: Any, why: str) -> None:
    """Callers at once each get the answer to their own row."""
    alone = [sent(one)[1] for one in case["alone"]]
    wrong: list[int] = []

    def work(place: int) -> None:
        for _ in range(ROUNDS):
            if not close(sent(case["alone"][place])[1], alone[place]):
                wrong.append(place)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(alone))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, why


def number(text: Any) -> Any:
    """A number as it was written."""
    return float.fromhex(text) if "x" in text else float(text)
