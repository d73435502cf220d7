"""The seam to the database: one way to read and one way to write, in SQLite or PostgreSQL.

SQL is written once, with `?` for values; only the tables are written twice (`migrations/`). Whoever writes holds the
one lock of the store from the first statement to the commit, because every change adds a link to one audit chain.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from temper.core.errors import StoreError

Row = dict[str, Any]


class Unreachable(StoreError):
    """A server that does not answer now: what was asked of it may be asked again."""


class Transaction(Protocol):
    """Statements that count together or not at all."""

    def all(self, sql: str, *values: Any) -> list[Row]:
        """Every row the statement gives, by column."""

    def one(self, sql: str, *values: Any) -> Row | None:
        """The first row the statement gives, None where there is none."""


class Connection(Transaction, Protocol):
    """What a database has to offer: statements, and beginning and ending a transaction."""

    def script(self, text: str) -> None:
        """Run the statements of a file, in the transaction that is open."""

    def begin(self, writing: bool) -> None:
        """Start a transaction; a writing one waits until it is the only one."""

    def end(self, keep: bool) -> None:
        """Commit, or undo everything since `begin`."""

    def close(self) -> None:
        """Let the database go."""


class Server(Protocol):
    """Where a database is: opens connections to it, brings it to this version and says what went wrong with it."""

    def connect(self) -> Connection:
        """A new connection."""

    def migrate(self, connection: Connection) -> None:
        """Bring the tables to this version."""

    def told(self, error: BaseException) -> StoreError | None:
        """What an error of the driver means, None where it is none of the driver's."""

    def pepper(self, make: bool) -> bytes:
        """The secret that keys are hashed with, kept outside the database."""


class Database:
    """A connection that threads share, one transaction at a time; it is opened again when the server went away."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        with self._told():
            try:
                self._server.migrate(self._connected())
            except BaseException:
                self._drop()
                raise

    @classmethod
    def open(cls, place: str) -> Database:
        """The database at this path, or at this `postgresql://` URL, created or migrated when needed."""
        if place.startswith(("postgresql://", "postgres://")):
            from temper.store.control.postgresql import Service

            return cls(Service(place))
        if "://" in place:
            kind = place.partition("://")[0]
            raise StoreError(f"there is no control store in {kind}", fix="give a file or a postgresql:// URL")
        from temper.store.control.sqlite import File

        return cls(File.at(place))

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that sees and changes the newest state, alone; an exception undoes all of it."""
        with self._transaction(writing=True) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A transaction that sees one state of the database and changes nothing."""
        with self._transaction(writing=False) as connection:
            yield connection

    def pepper(self, make: bool) -> bytes:
        """The secret that keys are hashed with; `make` allows a first one to be made."""
        return self._server.pepper(make)

    def close(self) -> None:
        """Let the database go; the next transaction would open it again."""
        with self._lock:
            self._drop()

    @contextmanager
    def _transaction(self, writing: bool) -> Iterator[Connection]:
        with self._lock, self._told():
            connection = self._begun(writing)
            try:
                yield connection
            except BaseException:
                self._undone(connection)
                raise
            try:
                connection.end(keep=True)
            except BaseException:
                self._undone(connection)
                raise

    def _begun(self, writing: bool) -> Connection:
        """A connection in a transaction. Where an old one fails here nothing is lost: a new one is tried, once."""
        fresh = self._connection is None
        try:
            connection = self._connected()
            connection.begin(writing)
        except Exception as error:
            self._drop()
            if fresh or self._server.told(error) is None:
                raise
            connection = self._connected()
            connection.begin(writing)
        return connection

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._server.connect()
        return self._connection

    def _undone(self, connection: Connection) -> None:
        try:
            connection.end(keep=False)
        except Exception:  # the server is gone and has undone it by itself
            self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if (meant := self._server.told(error)) is not None:
                raise meant from error
            raise
