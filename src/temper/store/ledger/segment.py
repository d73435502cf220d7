"""One SQLite file of an audit ledger: what is in it, how it is written, and how its end is found again."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec

from temper.core.errors import StoreError
from temper.store.ledger import record as lines
from temper.store.ledger.tree import Tree, leaf

APPLICATION = 0x544C4F47
"""Marks a SQLite file as an audit ledger ("TLOG")."""

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TABLES = (
    "CREATE TABLE start (seq INTEGER NOT NULL, previous BLOB NOT NULL, peaks BLOB NOT NULL) STRICT",
    "CREATE TABLE batch (seq INTEGER PRIMARY KEY, records BLOB NOT NULL) STRICT",
    *(
        f"CREATE TRIGGER {table}_keeps_{word} BEFORE {word} ON {table} "
        "BEGIN SELECT RAISE(ABORT, 'an audit ledger is append-only'); END"
        for table in ("start", "batch")
        for word in ("UPDATE", "DELETE")
    ),
)


_SINCE = """SELECT seq, records FROM batch
WHERE seq >= coalesce((SELECT max(seq) FROM batch WHERE seq <= ?), 0) ORDER BY seq"""
_PATIENCE = 0.5
"""Seconds to wait for a reader that holds the file; whoever waits for a decision waits as long."""
_batches = msgspec.msgpack.Decoder(list[bytes])


class Database(Protocol):
    """What a segment needs of a connection in autocommit mode; the ones of sqlite3 and of APSW both have it."""

    def execute(self, sql: str, values: Any = ..., /) -> Any:
        """Run a statement."""

    def close(self) -> None:
        """Let go of the file."""


@dataclass(slots=True)
class End:
    """Where a log ends: the hash of its last record, and the tree up to it (its size is the next seq)."""

    previous: bytes = lines.START
    tree: Tree = field(default_factory=Tree)


def connected(path: Path) -> Database:
    """A connection whose statements are their own transactions, for the one thread that writes; nobody else may read
    a file that it makes."""
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_PATIENCE)


def reading(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing; also on a medium that is read-only."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    found = sqlite3.connect(address, uri=True, isolation_level=None, timeout=5.0)
    try:
        found.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError as error:
        found.close()
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise StoreError(
                f"{path} was not closed, and its folder cannot be written", fix="copy it with its -wal file first"
            ) from None
        found = sqlite3.connect(f"{address}&immutable=1", uri=True, isolation_level=None)
    return found


def prepare(database: Database, synchronous: str = "FULL") -> None:
    """Set the connection up so that what is committed survives a power cut."""
    database.execute("PRAGMA journal_mode = WAL").fetchall()
    database.execute(f"PRAGMA synchronous = {synchronous}")


def settle(database: Database) -> None:
    """Write the log of SQLite into its file, synced: after a failed sync, what is cached may not be on the disk."""
    busy, pages, written = database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()[0]
    if busy or pages != written:
        raise StoreError("a reader keeps the log of SQLite open", fix="let it finish")


def seal(database: Database) -> bool:
    """Leave one file that needs no log beside it; False while somebody reads it."""
    database.execute("PRAGMA busy_timeout = 0").fetchall()
    try:
        return bool(database.execute("PRAGMA journal_mode = DELETE").fetchall()[0][0] == "delete")
    except sqlite3.OperationalError:
        return False
    finally:
        database.execute(f"PRAGMA busy_timeout = {int(1e3 * _PATIENCE)}").fetchall()


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


def foreign(database: Database) -> bool:
    """Whether a segment has other tables or triggers than those it was made with: without them it can be rewritten."""
    rows = database.execute("SELECT CAST(sql AS BLOB) FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return sorted(bytes(sql) for (sql,) in rows) != sorted(sql.encode() for sql in _TABLES)


def append(database: Database, first: int, records: Sequence[bytes]) -> None:
    """Write records as one row in one transaction; when this returns they are on the disk.

    A row for each would cost four times the processor time, and the commit is what they all wait for.
    """
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO batch VALUES (?, ?)", (first, msgspec.msgpack.encode(records)))
    database.execute("COMMIT")


def start(database: Database) -> End:
    """Where the log stood before the first record of this segment."""
    rows = database.execute("SELECT seq, previous, peaks FROM start").fetchall()
    if len(rows) != 1:
        raise StoreError(f"a segment starts in {len(rows)} places", fix="run `temper ledger verify`")
    size, previous, peaks = rows[0]
    return End(bytes(previous), Tree(size, [peaks[at : at + 32] for at in range(0, len(peaks), 32)]))


def rows(database: Database, since: int = 0) -> Iterator[tuple[int, bytes]]:
    """(seq, record) in order, from the seq `since` on."""
    for first, packed in database.execute(_SINCE, (since,)):
        try:
            records = _batches.decode(packed)
        except msgspec.MsgspecError:
            raise StoreError(
                f"what was written at record {first} cannot be read", fix="run `temper ledger verify`"
            ) from None
        kept = max(since - first, 0)
        yield from enumerate(records[kept:], start=first + kept)


def size(database: Database) -> int:
    """How many records the log has up to the end of this segment."""
    last = database.execute("SELECT max(seq) FROM batch").fetchall()[0][0]
    return start(database).tree.size if last is None else last + sum(1 for _ in rows(database, last))


def extent(database: Database) -> tuple[int, bytes | None]:
    """How many bytes the records of a segment have, and the first of them."""
    size = database.execute("SELECT coalesce(sum(length(records)), 0) FROM batch").fetchall()[0][0]
    return size, next((data for _, data in rows(database)), None)


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
