"""The first contact with a service, and its last: each trouble is one sentence with its fix, and costs little time."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import temper
from own_certificate import own_certificate
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.target import ScoreKind
from temper.engine.fuzz.run import Asked, fuzz_service
from temper.fuzz import _service
from temper.fuzz._campaign import Effort, search
from temper.fuzz._case import Case
from temper.fuzz._oracle import Outcome, Reply
from temper.fuzz._search import Hear, Searched
from temper.targets.function import Function
from temper.testing import planted, planted_served

FEW = Effort(cases=60, seconds=20.0, draws=False)
SCORED = b"HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n" + b'{"score": 0.5}'


def system() -> Protected:
    data = (planted.rows(), (np.arange(40) % 2).astype(int))
    return temper.System(model=Function(call=planted.Scorer()), data=data, schema=planted.schema(), threshold=0.5)


def fuzzed(url: str, *, deadline: float = 2.0, hear: Hear | None = None, **told: str) -> Searched:
    asked = Asked(url=url, deadline=deadline, **told)
    return fuzz_service(system(), asked, FEW, 0, strict=True, hear=hear or Hear())[0]


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A place where `answer` is called with every connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        lines: list[socket.socket] = []

        def accept() -> None:
            try:
                while True:
                    lines.append(server.accept()[0])
                    threading.Thread(target=answer, args=(lines[-1],), daemon=True).start()
            except OSError:
                pass

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1/score"
        for line in lines:
            line.close()


def test_nobody_there_is_told_at_once() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(TemperError, match=r"takes no connection: Connection refused"):
            fuzzed(f"http://127.0.0.1:{held.getsockname()[1]}/v1/score")


def test_a_service_that_hangs_is_told_after_few_requests_and_no_defect_is() -> None:
    heard: list[Any] = []
    with listening(lambda line: None) as url:
        began = time.monotonic()
        with pytest.raises(TemperError, match=r"no answer within 0\.3 s") as told:
            fuzzed(url, deadline=0.3, hear=Hear(defect=heard.append))
    assert "--deadline" in str(told.value)
    assert heard == []
    assert time.monotonic() - began < 4.0


def test_a_service_that_dies_ends_the_search_with_the_case_that_ended_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_service, "_BACK", 0.2)
    server, asked = socket.create_server(("127.0.0.1", 0)), [0]

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()

    def answer(line: socket.socket) -> None:
        with line:
            while line.recv(1 << 16) and asked[0] < 60:
                asked[0] += 1
                line.sendall(SCORED)
        if asked[0] >= 60:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)  # whoever waits in accept is told, and nobody else is let in

    threading.Thread(target=serve, daemon=True).start()
    with server:
        found = fuzzed(f"http://127.0.0.1:{server.getsockname()[1]}/v1/score")
    assert found.stopped == "the service went down and did not come back"
    assert [one.cause for one in found.defects if one.law == "answers"] == ["it went down"]


def test_a_certificate_of_its_own_is_trusted_only_by_name(tmp_path: Path) -> None:
    pem = own_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with planted_served.Served(planted.Scorer()) as served:
        plain = served.url.replace("127.0.0.1", "localhost")
        with pytest.raises(TemperError, match="does not speak TLS"):
            fuzzed(plain.replace("http:", "https:"))
        served._server.socket = context.wrap_socket(served._server.socket, server_side=True)
        url = plain.replace("http:", "https:")
        with pytest.raises(TemperError, match=r"not trusted: self-signed.*\n.*--ca FILE"):
            fuzzed(url)
        assert not fuzzed(url, ca=str(pem)).defects


class _Bare(planted.Scorer):
    """Takes the row itself for the body."""

    def answer(self, body: bytes) -> list[float]:
        return super().answer(json.dumps({"row": self._parsed(body)}).encode())


def test_the_body_is_found_by_trying_and_told() -> None:
    notes: list[str] = []
    with planted_served.Served(_Bare()) as served:
        asked = Asked(url=served.url, deadline=2.0)
        found, used = fuzz_service(system(), asked, FEW, 0, strict=True, hear=Hear(note=notes.append))
    assert used.body == "$row"
    assert "$row" in notes[0]
    assert found.tried["in_range"] > 5


@pytest.mark.parametrize(
    ("status", "fix"), [("401 No", "--key-env"), ("404 No", "path"), ("422 No", "--body"), ("200 OK", "--answer")]
)
def test_what_gives_no_score_is_told_with_what_may_help(status: str, fix: str) -> None:
    def answer(line: socket.socket) -> None:
        with line:
            while line.recv(1 << 16):
                line.sendall(f"HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n{{}}".encode())

    with listening(answer) as url, pytest.raises(TemperError, match=f"gave no score.*status {status[:3]}") as told:
        fuzzed(url)
    assert fix in str(told.value)


class _Stopped:
    """A subject at whose n-th request somebody presses Ctrl-C."""

    strict, stochastic, batches = False, True, True
    kind, low, high = ScoreKind.VALUE, -1.0, 1.0

    def __init__(self, left: int) -> None:
        self.left = left

    def ask(self, cases: Sequence[Case]) -> Reply:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return Reply(outcome=Outcome.ANSWERED, scores=np.zeros((len(cases), 1)))

    def together(self, cases: Sequence[Case], rounds: int) -> list[list[Reply]]:
        return [[self.ask([case])] * rounds for case in cases]

    def fresh(self) -> bool:
        return False


@pytest.mark.parametrize("left", [0, 5, 40])
def test_ctrl_c_ends_a_search_and_tells_what_it_found(left: int) -> None:
    found = search(_Stopped(left), planted.schema(), planted.rows(), FEW, Draws(0, "x"), endure=True)
    assert found.stopped == "interrupted"
    assert found.tried["answers"] == left
