"""The control store in one SQLite file: WAL, every commit on the disk before it is acknowledged."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.core.errors import StoreError
from temper.store.control import pepper
from temper.store.control.database import Connection, Row
from temper.store.control.migrate import migrate
from temper.store.failure import told

WAIT = 30.0
"""Seconds to wait for another process that is writing."""


@dataclass(frozen=True, slots=True)
class File:
    """The file of a control store."""

    path: Path

    @classmethod
    def at(cls, place: str) -> File:
        """The file at this path, or `control.db` in this folder; it is made readable for its owner only."""
        path = Path(place)
        path = (path / "control.db" if path.is_dir() else path).absolute()
        with told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        return cls(path)

    def connect(self) -> Connection:
        """A new connection, safe to hand from thread to thread (one at a time)."""
        with told(self.path):
            return connected(self.path, "journal_mode = WAL", "secure_delete = ON")

    def migrate(self, connection: Connection) -> None:
        """Bring the tables to this version; the file of another program is refused."""
        migrate(connection, "sqlite", "SELECT name FROM sqlite_master WHERE type = 'table'", str(self.path))

    def pepper(self, make: bool) -> bytes:
        """The secret in the file beside the database."""
        return pepper.beside(self.path, make=make)

    def told(self, error: BaseException) -> StoreError | None:
        """What SQLite says, in one sentence with the way out."""
        if not isinstance(error, sqlite3.Error):
            return None
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY):
            return StoreError(
                f"{self.path} takes nothing now: {error}; what was stored before is intact",
                fix="free space, or let the other process finish, and try again",
            )
        try:
            with told(self.path):
                raise error
        except StoreError as meant:
            return meant


def connected(path: Path, *settings: str) -> Connection:
    """A connection to this file with these settings, and those of every store."""
    raw = sqlite3.connect(path, timeout=WAIT, isolation_level=None, check_same_thread=False)
    raw.row_factory = _by_column
    for setting in ("foreign_keys = ON", "synchronous = FULL", *settings):
        raw.execute(f"PRAGMA {setting}")
    return _Connection(raw)


class _Connection:
    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw

    def all(self, sql: str, *values: Any) -> list[Row]:
        return self._raw.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> Row | None:
        return next(iter(self.all(sql, *values)), None)

    def begin(self, writing: bool) -> None:
        self._raw.execute("BEGIN IMMEDIATE" if writing else "BEGIN")

    def end(self, keep: bool) -> None:
        if keep:
            self._raw.execute("COMMIT")
        else:
            self._raw.rollback()

    def script(self, text: str) -> None:
        # `executescript` would commit what went before, so the text is cut where SQLite says a statement ends.
        statement = ""
        for line in text.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                self._raw.execute(statement)
                statement = ""

    def close(self) -> None:
        self._raw.close()


def _by_column(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}
