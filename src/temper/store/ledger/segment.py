"""One SQLite file of an audit ledger: what is in it, how it is written, and how its end is found again."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from temper.core.errors import StoreError
from temper.store.ledger import record as lines
from temper.store.ledger.tree import Tree, leaf

APPLICATION = 0x544C4F47
"""Marks a SQLite file as an audit ledger ("TLOG")."""

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TABLES = (
    "CREATE TABLE start (seq INTEGER NOT NULL, previous BLOB NOT NULL, peaks BLOB NOT NULL) STRICT",
    "CREATE TABLE record (seq INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT",
    *(
        f"CREATE TRIGGER {table}_keeps_{word} BEFORE {word} ON {table} "
        "BEGIN SELECT RAISE(ABORT, 'an audit ledger is append-only'); END"
        for table in ("start", "record")
        for word in ("UPDATE", "DELETE")
    ),
)


_AT_ONCE = 16
_INSERT_MANY = f"INSERT INTO record VALUES {', '.join(['(?, ?)'] * _AT_ONCE)}"  # a third cheaper than one by one


class Database(Protocol):
    """What a segment needs of a connection in autocommit mode; the ones of sqlite3 and of APSW both have it."""

    def execute(self, sql: str, values: Any = ..., /) -> Any:
        """Run a statement."""

    def executemany(self, sql: str, values: Any, /) -> Any:
        """Run a statement once per row."""

    def close(self) -> None:
        """Let go of the file."""


@dataclass(slots=True)
class End:
    """Where a log ends: the hash of its last record, and the tree up to it (its size is the next seq)."""

    previous: bytes = lines.START
    tree: Tree = field(default_factory=Tree)


def connected(path: Path) -> Database:
    """A connection whose statements are their own transactions, for the one thread that writes."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0.5)


def reading(path: Path) -> Database:
    """A connection that writes nothing; also on a medium that is read-only."""
    found = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5.0)
    try:
        found.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError:
        found.close()
        found = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
    return found


def prepare(database: Database, synchronous: str = "FULL") -> None:
    """Set the connection up so that what is committed survives a power cut, and move a former log into the file."""
    database.execute("PRAGMA journal_mode = WAL").fetchall()
    database.execute(f"PRAGMA synchronous = {synchronous}")
    settle(database)


def settle(database: Database) -> None:
    """Write the log of SQLite into its file, synced: after a failed sync, what is cached may not be on the disk."""
    busy = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0]
    if busy:
        raise StoreError("a reader keeps the log of SQLite open", fix="let it finish")


def found(database: Database, path: Path) -> bool:
    """Whether this file holds a segment; False where it is new, `StoreError` where it is something else."""
    tables = database.execute("SELECT count(*) FROM sqlite_master").fetchall()[0][0]
    owner = database.execute("PRAGMA application_id").fetchall()[0][0]
    if tables and owner != APPLICATION:
        raise StoreError(f"{path} is no audit ledger", fix="choose another folder, or move the file away")
    return bool(tables)


def begin(database: Database, end: End) -> None:
    """Make a new segment that goes on from this end, whole or not at all."""
    database.execute("BEGIN IMMEDIATE")
    for statement in _TABLES:
        database.execute(statement)
    values = (end.tree.size, end.previous, b"".join(end.tree.peaks))
    database.execute("INSERT INTO start VALUES (?, ?, ?)", values)
    database.execute(f"PRAGMA application_id = {APPLICATION}")
    database.execute("COMMIT")


def append(database: Database, rows: Sequence[tuple[int, bytes]]) -> None:
    """Write records in one transaction; when this returns they are on the disk."""
    whole = len(rows) - len(rows) % _AT_ONCE
    database.execute("BEGIN IMMEDIATE")
    for at in range(0, whole, _AT_ONCE):
        database.execute(_INSERT_MANY, [*chain.from_iterable(rows[at : at + _AT_ONCE])])
    database.executemany("INSERT INTO record VALUES (?, ?)", rows[whole:])
    database.execute("COMMIT")


def start(database: Database) -> End:
    """Where the log stood before the first record of this segment."""
    size, previous, peaks = database.execute("SELECT seq, previous, peaks FROM start").fetchall()[0]
    return End(bytes(previous), Tree(size, [peaks[at : at + 32] for at in range(0, len(peaks), 32)]))


def rows(database: Database, after: int = -1) -> Iterator[tuple[int, bytes]]:
    """(seq, record) in order."""
    yield from database.execute("SELECT seq, data FROM record WHERE seq > ? ORDER BY seq", (after,))


def extent(database: Database) -> tuple[int, bytes | None]:
    """How many bytes the records of a segment have, and the first of them."""
    size = database.execute("SELECT coalesce(sum(length(data)), 0) FROM record").fetchall()[0][0]
    first = database.execute("SELECT data FROM record ORDER BY seq LIMIT 1").fetchall()
    return size, first[0][0] if first else None


def ends(database: Database, path: Path) -> Iterator[End]:
    """Where the log ends after every record of the segment (the same object, moved on); where it starts comes first.

    Raises `StoreError` where a record does not follow the one before it.
    """
    found = start(database)
    yield found
    for seq, data in rows(database):
        one = lines.decode(data)
        if seq != found.tree.size or one.seq != seq or one.previous != found.previous:
            raise StoreError(
                f"{path}: record {seq} does not follow the one before it",
                fix="run `temper ledger verify`; move the log away to begin a new one",
            )
        found.previous = leaf(data)
        found.tree.extend((found.previous,))
        yield found
