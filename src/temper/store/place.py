"""Where rows of runs are: in one SQLite file, or in a PostgreSQL database that many machines share.

A transaction is a function of it, because one whose server went away has to be begun again from its start.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from temper.core.errors import StoreError
from temper.store.control.database import Connection, Database, Transaction, Unreachable
from temper.store.control.migrate import Tables
from temper.store.control.sqlite import WAIT, connected
from temper.store.failure import RESUME, told
from temper.store.migrate import APPLICATION, latest, migrate

T = TypeVar("T")
Work = Callable[[Transaction], T]
PATIENCE = 900.0
"""Seconds to wait for a server that went away."""
FIRST, LONGEST = 0.5, 30.0
"""Seconds between two tries: twice as many each time, up to this."""
TABLES = Tables("temper.store", "temper_run_migration")
LOCK = 0x54454D51
KINDS = ("postgresql", "postgres")
WRITE = "write postgresql://user@host/database"
_KIND = re.compile(r"[a-z][a-z0-9+.-]{0,19}")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_VERSION = "SELECT user_version, application_id FROM pragma_user_version, pragma_application_id"
_LOG = logging.getLogger(__name__)


class Place(Protocol):
    """Reads see one state; a write counts whole or not at all, and is alone."""

    def read(self, work: Work[T]) -> T:
        """What `work` finds."""

    def write(self, work: Work[T]) -> T:
        """What `work` gives, once what it wrote is on the disk; it may be begun more than once."""


@dataclass(frozen=True, slots=True)
class InFile:
    """A SQLite file. Each transaction opens it anew, so it can be shared between threads and used after a fork."""

    path: Path

    def read(self, work: Work[T]) -> T:
        """What `work` finds."""
        with told(self.path, RESUME), closing(_connect(self.path)) as database:
            return work(database)

    def write(self, work: Work[T]) -> T:
        """One transaction, holding the write lock from its start so that it never fails half way for a lock."""
        with told(self.path, RESUME), closing(_connect(self.path)) as database:
            database.begin(writing=True)
            try:
                found = work(database)
                database.end(keep=True)
            except BaseException:
                database.end(keep=False)
                raise
            return found


@dataclass(frozen=True, slots=True)
class OnServer:
    """A PostgreSQL database by its URL, which is never told. While its server is away every transaction waits for it,
    says so, and begins again.
    """

    url: str = field(repr=False)
    patience: float = PATIENCE

    def read(self, work: Work[T]) -> T:
        """What `work` finds."""

        def once() -> T:
            with _database(self.url, os.getpid()).read() as transaction:
                return work(transaction)

        return self._patiently(once)

    def write(self, work: Work[T]) -> T:
        """What `work` gives, once the server has it on its disk."""

        def once() -> T:
            with _database(self.url, os.getpid()).write() as transaction:
                return work(transaction)

        return self._patiently(once)

    def _patiently(self, once: Callable[[], T]) -> T:
        until, pause = time.monotonic() + self.patience, FIRST
        while True:
            try:
                return once()
            except Unreachable as away:
                if (left := until - time.monotonic()) <= 0:
                    raise
                wait = min(pause, left)
                _LOG.warning("%s; trying again in %.1f s, for %.0f s more", away.message, wait, left)
                time.sleep(wait)
                pause = min(2 * pause, LONGEST)


def named(text: str) -> str:
    """The place of a run store as somebody wrote it: an address, or the whole path of a file or a folder. Raises
    `StoreError` for any other text, of which only the kind is told, as there may be a password in it.
    """
    kind, address, _ = text.partition("://")
    if address and kind not in KINDS:
        told = f"in {kind!r}" if _KIND.fullmatch(kind) else "there"
        raise StoreError(f"runs cannot be kept {told}", fix=WRITE)
    if not address and ("@" in text or _ADDRESS.match(text)):
        raise StoreError("that is neither an address of a run store nor a path", fix=f"{WRITE}, or a folder")
    return text if address else str(Path(text).absolute())


def hidden(folder: Path) -> None:
    """Make a folder that nobody puts into a code repository: adversarial rows are real rows, slightly moved."""
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n", encoding="ascii")


def current(path: Path) -> None:
    """Bring a file to this version; it is made where there is none."""
    with closing(sqlite3.connect(path, timeout=WAIT, isolation_level=None)) as database:
        migrate(database, str(path))
        database.execute("PRAGMA journal_mode = WAL")


def _connect(path: Path) -> Connection:
    """A connection to a file of this version: whoever has found one need not have opened it before."""
    database = connected(path)
    try:
        if database.one(_VERSION) != {"user_version": latest(), "application_id": APPLICATION}:
            current(path)
    except BaseException:
        database.close()
        raise
    return database


def _database(url: str, process: int) -> Database:
    """One connection for each process, which a fork does not take over."""
    from temper.store.control.postgresql import Service

    if (url, process) not in _OPEN:
        mine = Database(Service(url, TABLES, LOCK))
        if _OPEN.setdefault((url, process), mine) is not mine:  # another thread was quicker
            mine.close()
    return _OPEN[url, process]


def let_go() -> None:
    """Close what this process has open; the next transaction opens it again."""
    for key in [key for key in _OPEN if key[1] == os.getpid()]:
        _OPEN.pop(key).close()


_OPEN: dict[tuple[str, int], Database] = {}
atexit.register(let_go)
