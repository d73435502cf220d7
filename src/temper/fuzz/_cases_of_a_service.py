"""Inputs that once broke a law of a scoring service, kept as tests; written by Temper.

Needs pytest and nothing else. TEMPER_FUZZ_URL names the service where it is not the one they were found at,
TEMPER_FUZZ_KEY its key if it has one. A service that cannot be reached fails the test. Where one was started for what
it is asked first, it is started here too: TEMPER_FUZZ_START is the command where it is another one now.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
import os
import shlex
import signal
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

SETTINGS: dict[str, Any] = {}
AGAIN, ROUNDS, STARTS = 150, 40, 3
PLACES = ("score", "scores", "results.*.score", "probability", "probabilities", "prediction", "predictions")


START = shlex.split(os.environ.get("TEMPER_FUZZ_START", "")) or SETTINGS.get("start", [])


@contextlib.contextmanager
def running() -> Iterator[None]:
    """The service, started for what is asked meanwhile; as it is where nobody said how."""
    if not START:
        yield
        return
    own = subprocess.Popen(START, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        until = time.monotonic() + 120
        while not _listens():
            if own.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the service did not come up (exit code {own.returncode})")
            time.sleep(0.02)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(own.pid, signal.SIGKILL)
        own.wait()


def _listens() -> bool:
    url = urlsplit(os.environ.get("TEMPER_FUZZ_URL") or SETTINGS["url"])
    try:
        socket.create_connection((str(url.hostname), url.port or (443 if url.scheme == "https" else 80))).close()
    except OSError:
        return False
    return True


def sent(request: dict[str, Any]) -> tuple[int, Any]:
    """(status, scores) of one request, the last of its answers; status 0 where the connection broke."""
    url = urlsplit(os.environ.get("TEMPER_FUZZ_URL") or SETTINGS["url"])
    port = url.port or (443 if url.scheme == "https" else 80)
    line = socket.create_connection((str(url.hostname), port), timeout=SETTINGS["deadline"])
    if url.scheme == "https":
        line = ssl.create_default_context(cafile=SETTINGS["ca"] or None).wrap_socket(line, server_hostname=url.hostname)
    with line:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in request["pieces"]:
                plain = zlib.decompress(base64.b64decode(piece)).replace(b"{host}", url.netloc.encode())
                line.sendall(plain.replace(b"{key}", os.environ.get("TEMPER_FUZZ_KEY", "").encode()))
                time.sleep(request["pause"])
        file, found = line.makefile("rb"), (0, None)
        for _ in range(request["answers"]):
            found = answered(file, request["rows"])
        return found


def answered(file: Any, rows: int) -> tuple[int, Any]:
    """One response."""
    start = file.readline().decode("latin-1").split(" ")
    if len(start) < 2:
        return 0, None
    headers: dict[str, str] = {}
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


def scores(document: Any, rows: int) -> list[float] | None:
    """The last score of each row, None where there is none."""
    for place in (SETTINGS["answer"],) if SETTINGS["answer"] else PLACES:
        found = flat(standing(document, place.split(".")))
        if found and len(found) % rows == 0 and all(type(value) in (int, float) for value in found):
            width = len(found) // rows
            return [float(value) for value in found[width - 1 :: width]]
    return None


def standing(document: Any, path: list[str]) -> Any:
    """What stands at a path; * is every entry of a list."""
    for place, step in enumerate(path):
        if step == "*" and isinstance(document, list):
            return [standing(item, path[place + 1 :]) for item in document]
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list) and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        else:
            return None
    return document


def flat(found: Any) -> list[Any]:
    """Lists in lists as one."""
    if isinstance(found, list):
        return [value for item in found for value in flat(item)]
    return [] if found is None else [found]


def close(one: Any, other: Any) -> bool:
    """Whether two lists of scores agree."""
    if one is None or other is None:
        return one is other
    return len(one) == len(other) and all(
        math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-7) for a, b in zip(one, other, strict=True)
    )


def broken(case: dict[str, Any]) -> str:
    """What shows that the law does not hold, "" where it does."""
    law = case["law"]
    if START and law in ("repeats", "own_answer"):
        return _afresh(law, case["alone"])
    with running():
        return _broken(case, law)


def _broken(case: dict[str, Any], law: str) -> str:
    begun = time.monotonic()
    try:
        status, found = sent(case["alone"][0])
    except TimeoutError:
        return "no answer" if law in ("in_time", "answers") else ""
    match law:
        case "in_time":
            late = time.monotonic() - begun
            return f"{late:.1f} s" if late >= SETTINGS["deadline"] else ""
        case "answers":
            return "" if 0 < status < 500 or status == 503 else f"status {status}"
        case "refuses":
            return "" if found is None else f"scored {found}"
        case "accepts":
            return f"status {status} without a score" if found is None else ""
        case "in_range":
            low, high = float(SETTINGS["low"]), float(SETTINGS["high"])
            fine = found is None or all(math.isfinite(value) and low <= value <= high for value in found)
            return "" if fine else f"scored {found}"
        case "spelling":
            usual = sent(case["usual"])[1]
            return "" if found is None or close(found, usual) else f"{found}, and {usual} written as usual"
        case "repeats":
            return _changes(case["alone"])
        case "alone":
            batch = sent(case["batch"])[1]
            return "" if batch is None or close(batch[:1], found) else f"{found} alone, {batch[:1]} in a batch"
        case "own_answer":
            return _mixes(case["alone"])
    return ""


def _afresh(law: str, requests: list[dict[str, Any]]) -> str:
    """The law at services that were asked nothing before."""
    if law == "own_answer":
        for _ in range(STARTS):
            with running():
                early = _at_once(requests, 1)
                for before, request in zip(early, requests, strict=True):
                    if not close(before[0], now := sent(request)[1]):
                        return f"{before[0]} among the first callers at once, {now} alone"
        with running():
            return _mixes(requests)
    with running():
        first = sent(requests[0])[1]
    with running():
        for request in requests[1:]:
            sent(request)
        if not close(first, now := sent(requests[0])[1]):
            return f"{first} at first, and {now} after {len(requests) - 1} other requests"
        return _changes(requests)


def _changes(requests: list[dict[str, Any]]) -> str:
    first = [sent(one)[1] for one in requests]
    for _ in range(max(2, AGAIN // len(first))):
        for request, before in zip(requests, first, strict=True):
            if not close(now := sent(request)[1], before):
                return f"{before}, and asked again {now}"
    return ""


def _mixes(requests: list[dict[str, Any]]) -> str:
    alone = [sent(one)[1] for one in requests]
    for own, several in zip(alone, _at_once(requests, ROUNDS), strict=True):
        for now in several:
            if not close(now, own):
                return f"{own} alone, {now} with {len(requests)} callers at once"
    return ""


def _at_once(requests: list[dict[str, Any]], rounds: int) -> list[list[Any]]:
    """The scores of each request, asked so many times by a thread of its own."""
    found: list[list[Any]] = [[] for _ in requests]
    together = threading.Barrier(len(requests))

    def work(place: int) -> None:
        together.wait()
        for _ in range(rounds):
            found[place].append(sent(requests[place])[1])

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
