"""Where the events of a gateway go: a bounded queue, and a thread that writes one line for each to stderr."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TextIO

from temper.core.errors import ConfigError
from temper.gateway.events import EVENTS, Told, Value, escaped, record_of

FORMATS = ("text", "json")
LEVELS = ("info", "warning", "error")
ROOM = 1_000
"""Lines that may wait to be written."""
FEW, SECONDS = 10, 10.0
"""How many lines of one event are written in so many seconds; the others are counted, and told in one line then."""
_LOOK = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """How a process is to tell of itself: the form of a line of its log, from which level on, and the address of a
    collector of spans, "" for none.
    """

    form: str = "text"
    level: str = "info"
    otlp: str = ""

    def __post_init__(self) -> None:
        for word, known in ((self.form, FORMATS), (self.level, LEVELS)):
            if word not in known:
                raise ConfigError(f"the log cannot be {word!r}", fix=f"use one of {', '.join(known)}")


@dataclass(slots=True)
class _Window:
    """How often an event came since `since`."""

    since: float
    seen: int = 0


class Log(logging.Handler):
    """Takes records without waiting and writes them on a thread of its own: as JSON or as text, each on one line that
    what a client sends cannot end. A flood of one event is summed. What finds no room is counted in `dropped`; where
    stderr takes nothing, that is everything, and requests notice nothing of it.

    What other libraries say is cut to its first line, without the traceback, which may quote a row.
    """

    def __init__(
        self, form: str = "text", stream: TextIO | None = None, *, room: int = ROOM, seconds: float = SECONDS
    ) -> None:
        super().__init__()
        self.form, self.seconds = form, seconds
        self.dropped = 0
        self._stream = sys.stderr if stream is None else stream
        self._room = room
        # Of all queues this one may be filled by a signal's handler, whatever it has interrupted.
        self._queue: SimpleQueue[logging.LogRecord | None] = SimpleQueue()
        self._windows: dict[str, _Window] = {}
        self._missing = 0
        self._thread = Thread(target=self._run, name="log", daemon=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one, unless there were many like it or there is no room; the caller holds this handler's lock."""
        window = self._windows.setdefault(_kind(record), _Window(record.created))
        window.seen += 1
        if window.seen <= FEW:
            self._put(record)

    def begin(self) -> None:
        """Start to write."""
        self._thread.start()

    def close(self) -> None:
        """Write what waits, for two seconds at most: a stderr that nobody reads must not keep the process."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join(2.0)
        super().close()

    def _put(self, record: logging.LogRecord) -> None:
        if self._queue.qsize() < self._room:
            self._queue.put(record)
        else:
            self.dropped += 1

    def _run(self) -> None:
        while True:
            with suppress(Empty):
                record = self._queue.get(timeout=_LOOK)
                if record is None:
                    return self._sum(after=0.0)
                self._write(record)
            self._sum(after=self.seconds)
            self._own()

    def _own(self) -> None:
        """Say how many lines are missing."""
        missing = self.dropped - self._missing
        if missing and self._wrote(record_of(Told("log.dropped", {"lines": missing}))):
            self._missing += missing

    def _sum(self, after: float) -> None:
        """What was only counted in windows that are over becomes a line."""
        now = time.time()
        self.acquire()
        try:
            over = [(kind, one) for kind, one in self._windows.items() if now - one.since >= after]
            for kind, _ in over:
                del self._windows[kind]
        finally:
            self.release()
        for kind, one in over:
            if one.seen > FEW:
                more: dict[str, Value] = {"more": one.seen - FEW, "seconds": round(now - one.since, 1)}
                self._write(
                    record_of(Told(kind, more))
                    if kind in EVENTS
                    else record_of(Told("library", {"logger": kind, **more}))
                )

    def _write(self, record: logging.LogRecord) -> None:
        if not self._wrote(record):
            self.dropped += 1

    def _wrote(self, record: logging.LogRecord) -> bool:
        try:
            self._stream.write(line(record, self.form) + "\n")
            self._stream.flush()
        except Exception:  # whoever read stderr has gone, or a library's record cannot be put together
            return False
        return True


def line(record: logging.LogRecord, form: str) -> str:
    """A record as one line of printable ASCII.

    >>> record = logging.LogRecord("x", logging.INFO, "", 0, Told("key.refused", {"key": "\\n{"}), (), None)
    >>> record.created = 0.0
    >>> print(line(record, "json"))
    {"time":"1970-01-01T00:00:00.000Z","level":"info","event":"key.refused","means":"a request came without a key that \
holds","key":"\\n{"}
    >>> print(line(record, "text"))
    1970-01-01T00:00:00.000Z INFO key.refused: a request came without a key that holds key="\\n{"
    """
    told = record.msg if isinstance(record.msg, Told) else _library(record)
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if form == "text":
        return f"{at} {record.levelname} {told}"
    head = {"time": at, "level": record.levelname.lower(), "event": told.name, "means": EVENTS[told.name].means}
    said = {key: value for key, value in told.fields.items() if value not in (None, "")}
    return "{" + ",".join(f"{escaped(key)}:{escaped(value)}" for key, value in {**head, **said}.items()) + "}"


@contextmanager
def logged(how: Signals = Signals(), stream: TextIO | None = None) -> Iterator[Log]:
    """Let everything this process logs go through one `Log`, warnings of libraries too."""
    log, root = Log(how.form, stream), logging.getLogger()
    kept = root.level, root.handlers[:]
    root.handlers[:] = [log]
    root.setLevel(logging.WARNING)
    ours = logging.getLogger("temper")
    before = ours.level
    ours.setLevel(how.level.upper())
    logging.captureWarnings(True)
    log.begin()
    try:
        yield log
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = kept[1]
        root.setLevel(kept[0])
        ours.setLevel(before)
        log.close()


def _kind(record: logging.LogRecord) -> str:
    return record.msg.name if isinstance(record.msg, Told) else record.name


def _library(record: logging.LogRecord) -> Told:
    crash = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
    said = record.getMessage().strip().partition("\n")[0]
    return Told("library", {"logger": record.name, "said": said, "crash": crash})
