"""A service behind HTTP: its replies as they come, over connections that may be used badly."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from temper.core.errors import RunStopped, TemperError
from temper.core.schema import Schema
from temper.core.target import ScoreKind
from temper.fuzz._case import Case
from temper.fuzz._oracle import WENT_DOWN, Outcome, Reply
from temper.fuzz._wire import WITHOUT_WORD, Form, Sending, framed

_LARGEST = 16 << 20
_LARGE = 1 << 16  # a body over which a server may close before it has read all
_SHORT = 0.5  # seconds that are waited for an answer nobody owes
_BACK = 5.0  # seconds in which a service that went down may come back
_ENDS = 0.2  # seconds after a broken connection in which the process of a service has ended, if it broke for that
_START = 120.0  # seconds in which one that was started must take a connection
_TRIES, _LONGEST = 4, 5.0
_WAITS = {429, 503}


class Where(Protocol):
    """The address of a service that may be asked."""

    @property
    def host(self) -> str:
        """Its name."""

    @property
    def port(self) -> int:
        """Its port."""

    @property
    def path(self) -> str:
        """Path and query."""

    @property
    def told(self) -> str:
        """As the Host header names it."""

    @property
    def ca(self) -> str:
        """File of the certificates that are trusted, "" for the usual ones."""

    def context(self) -> ssl.SSLContext | None:
        """What checks the certificate; None without TLS."""


class Runner(Protocol):
    """Who runs the process of a service."""

    def again(self) -> None:
        """End it, and start it afresh; it takes connections by then."""

    def ended(self, seconds: float) -> bool:
        """Whether it has ended by itself, or does within these seconds."""


@dataclass(slots=True, kw_only=True, eq=False)
class Service:
    """A scoring service. `deadline` is seconds per request, `rate` the most requests a second, `most` their cap.

    `headers` go with every request. Of a case that met a busy service four times nothing is said. `runner` starts it
    afresh, where whoever asks runs it too.
    """

    where: Where
    schema: Schema
    form: Form = field(default_factory=Form)
    headers: tuple[tuple[str, str], ...] = ()
    deadline: float = 5.0
    rate: float = 2_000.0
    most: int = 200_000
    strict: bool = True
    stochastic: bool = False
    batches: bool = False
    low: float = 0.0
    high: float = 1.0
    kind: ScoreKind = ScoreKind.VALUE  # one number per row, whatever the model gives
    gone: str = ""
    runner: Runner | None = None
    _sent: int = 0
    _next: float = 0.0
    _lock: Any = field(default_factory=threading.Lock)
    _starting: Any = field(default_factory=threading.Lock)
    _held: Any = field(default_factory=threading.local)

    def ask(self, cases: Sequence[Case]) -> Reply:
        """The rows of these cases in one request, sent in the way of its message."""
        if self.gone:
            return Reply(outcome=Outcome.FAILED, said=self.gone, cause=WENT_DOWN)
        if len(cases) > 1 and not self.form.batches:
            return Reply(outcome=Outcome.BUSY, said="the body takes one row")
        frame = cases[0].frame
        text = self.form.body(self.schema, cases)
        sending = framed(frame, text, self.where.told, self.where.path, self.headers)
        for attempt in range(_TRIES):
            reply, wait = self._once(sending, len(cases), frame)
            if wait is None:
                return reply
            if attempt < _TRIES - 1:
                time.sleep(min(wait, _LONGEST))
        return reply

    def together(self, cases: Sequence[Case], rounds: int) -> list[list[Reply]]:
        """Each case on a connection of its own, so many times."""
        found: list[list[Reply]] = [[] for _ in cases]
        barrier = threading.Barrier(len(cases))

        def work(at: int) -> None:
            barrier.wait()
            try:
                for _ in range(rounds):
                    found[at].append(self.ask([cases[at]]))
            except TemperError as stopped:
                found[at].append(Reply(outcome=Outcome.BUSY, said=stopped.message))
            finally:
                self._drop()

        threads = [threading.Thread(target=work, args=(at,), daemon=True) for at in range(len(cases))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    def fresh(self) -> bool:
        """Start it again; nobody may but those who run it."""
        if self.runner is None:
            return False
        self._drop()
        self.runner.again()
        return True

    def comes_up(self, ended: Callable[[], bool]) -> bool:
        """Wait until it takes a connection; not where it has `ended`."""
        ends = time.monotonic() + _START
        while time.monotonic() < ends and not ended():
            if self.reachable(0.0):
                return not ended()
            time.sleep(0.02)
        return False

    def _once(self, sending: Sending, n: int, frame: str) -> tuple[Reply, float | None]:
        """One try, and after how many seconds another is due (None: no other is)."""
        self._paced()
        unowed = frame in WITHOUT_WORD
        reused = getattr(self._held, "line", None) is not None and not frame
        try:
            answer = self._exchanged(sending, frame, _SHORT if unowed else self.deadline)
        except TimeoutError:
            hung = Reply(outcome=Outcome.HUNG, said=f"no answer within {self.deadline:g} s")
            return (self._still() if unowed else hung), None
        except (OSError, EOFError, ValueError) as broken:
            if reused:
                return self._once(sending, n, frame)  # it was closed while nobody asked anything
            return self._broken(broken, sending, unowed), None
        return self._read(answer, n), self._wait(answer)

    def _exchanged(self, sending: Sending, frame: str, seconds: float) -> _Answer:
        """The last answer to a request, over the connection of this thread or, for an odd message, one of its own."""
        if frame:
            with closing(_Line(self.where, self.deadline)) as own:
                for turn in range(sending.answers):
                    answer = own.exchange(None if turn else sending, seconds)
                return answer
        line, self._held.line = getattr(self._held, "line", None), None
        line = line or _Line(self.where, self.deadline)
        try:
            answer = line.exchange(sending, seconds)
        except BaseException:
            line.close()
            raise
        if answer.kept:
            self._held.line = line
        else:
            line.close()
        return answer

    def _read(self, answer: _Answer, n: int) -> Reply:
        if answer.status >= 500 and not (answer.status == 503 and "retry-after" in answer.headers):
            return Reply(outcome=Outcome.FAILED, said=f"status {answer.status}: {_shown(answer.body)}")
        if answer.status in _WAITS:
            return Reply(outcome=Outcome.BUSY, said=f"status {answer.status}")
        if answer.status >= 300 or answer.status < 200:
            said = f"status {answer.status}: {_shown(answer.body)}"
            return Reply(outcome=Outcome.REFUSED, said=said, cause=_cause(said))
        try:
            scores = self.form.scores(json.loads(answer.body), n)
        except (ValueError, RecursionError):
            said = f"status {answer.status} with a body that is no JSON: {_shown(answer.body)}"
            return Reply(outcome=Outcome.FAILED, said=said)
        if scores is None:
            said = f"status {answer.status} without a score: {_shown(answer.body)}"
            return Reply(outcome=Outcome.REFUSED, said=said, cause="no score")
        return Reply(outcome=Outcome.ANSWERED, scores=np.array(scores).reshape((-1, 1)))

    def _wait(self, answer: _Answer) -> float | None:
        if answer.status not in _WAITS or (answer.status == 503 and "retry-after" not in answer.headers):
            return None
        told = answer.headers.get("retry-after", "1")
        return float(told) if told.replace(".", "", 1).isdigit() else 1.0

    def _broken(self, broken: Exception, sending: Sending, unowed: bool) -> Reply:
        """A broken connection: a refusal where the server need not have read everything, else a failure."""
        large = sum(map(len, sending.pieces)) > _LARGE
        if (unowed or large) and (still := self._still()).outcome is Outcome.REFUSED:
            return still
        if self.runner.ended(_ENDS) if self.runner else not self.reachable(_BACK):
            return self._down()
        return Reply(outcome=Outcome.FAILED, said=f"the connection broke ({type(broken).__name__})")

    def _down(self) -> Reply:
        """That nobody is let in any more; by then it has been started again, once for all who noticed, or is gone."""
        said = "the service went down"
        with self._starting:
            if not self.reachable(0.0) and not self.fresh():
                self.gone = said = f"{said} and did not come back"
        return Reply(outcome=Outcome.FAILED, said=said, cause=WENT_DOWN)

    def _still(self) -> Reply:
        """A refusal by hanging up, once others are still let in."""
        if self.reachable(_SHORT):
            return Reply(outcome=Outcome.REFUSED, said="it hung up", cause="it hung up")
        if self.runner is not None:
            return self._down()
        return Reply(outcome=Outcome.FAILED, said="nobody is let in any more")

    def reachable(self, seconds: float) -> bool:
        """Whether it takes a connection now, or does within these seconds."""
        ends = time.monotonic() + seconds
        while True:
            try:
                _Line(self.where, self.deadline).close()
                return True
            except OSError:
                if time.monotonic() >= ends:
                    return False
                time.sleep(0.1)

    def _paced(self) -> None:
        with self._lock:
            self._sent += 1
            if self._sent > self.most:
                raise RunStopped(f"the cap of {self.most:,} requests is spent", fix="ask for fewer cases")
            now = time.monotonic()
            wait = max(self._next - now, 0.0)
            self._next = now + wait + 1.0 / self.rate
        if wait > 0:
            time.sleep(wait)

    @property
    def sent(self) -> int:
        """Requests so far."""
        return self._sent

    def close(self) -> None:
        """Hang up."""
        self._drop()

    def _drop(self) -> None:
        line = getattr(self._held, "line", None)
        if line is not None:
            line.close()
        self._held.line = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """A response; `kept` says that the connection may be used again."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    kept: bool


class _Line:
    """One connection."""

    def __init__(self, where: Where, seconds: float) -> None:
        plain = socket.create_connection((where.host, where.port), timeout=seconds)
        context = where.context()
        self._socket = context.wrap_socket(plain, server_hostname=where.host) if context else plain
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def exchange(self, sending: Sending | None, seconds: float) -> _Answer:
        """Send, unless it has been sent already, and read one response; all of it within the seconds."""
        ends = time.monotonic() + seconds
        self._socket.settimeout(seconds)
        if sending is not None:
            try:
                for piece in sending.pieces:
                    self._socket.sendall(piece)
                    if sending.pause:
                        time.sleep(sending.pause)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it may have answered before it closed
        return self._response(ends)

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def _response(self, ends: float) -> _Answer:
        while True:
            start = self._text(ends)
            if not start.startswith("HTTP/1."):
                raise EOFError("the connection was closed without an answer" if not start else "this is no HTTP")
            status, headers = int(start.split(" ", 2)[1]), {}
            while text := self._text(ends):
                name, _, value = text.partition(":")
                headers[name.strip().lower()] = value.strip()
            if status >= 200:
                break
        body = self._body(headers, ends)
        closes = headers.get("connection", "").lower() == "close" or not _sized(headers)
        return _Answer(status=status, headers=headers, body=body, kept=not closes)

    def _body(self, headers: Mapping[str, str], ends: float) -> bytes:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            pieces = []
            while size := int(self._text(ends).split(";")[0], 16):
                pieces.append(self._exactly(size, ends))
                self._text(ends)
            self._text(ends)
            return b"".join(pieces)
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]), ends)
        return self._file.read(_LARGEST)

    def _exactly(self, size: int, ends: float) -> bytes:
        if size > _LARGEST:
            raise ValueError("the answer is over 16 MiB")
        self._left(ends)
        found = self._file.read(size)
        if len(found) < size:
            raise EOFError("the answer was cut off")
        return found

    def _text(self, ends: float) -> str:
        self._left(ends)
        return self._file.readline(1 << 16).decode("latin-1").rstrip("\r\n")

    def _left(self, ends: float) -> None:
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


def _sized(headers: Mapping[str, str]) -> bool:
    return "content-length" in headers or "chunked" in headers.get("transfer-encoding", "").lower()


def _shown(body: bytes) -> str:
    return body[:160].decode("utf-8", "replace")


def _cause(said: str) -> str:
    """What two refusals of one cause share: their words without numbers and quoted pieces."""
    return re.sub(r"\d+(\.\d+)?|'[^']*'|`[^`]*`", "#", said)[:100]
