"""Numbered SQL files, applied in order, each whole or not at all; the version is recorded in the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import cache
from importlib import resources

from temper.core.errors import StoreError

APPLICATION = 0x54454D50
"""Marks a SQLite file as Temper's ("TEMP"), so that no other program's database is migrated by mistake."""


def migrate(database: sqlite3.Connection, path: str) -> None:
    """Bring the database to this version. Raises `StoreError` for a newer one or one of another program."""
    _refuse_foreign(database, path)
    for number, statements in enumerate(migrations(), start=1):
        if _version(database) < number:
            _apply(database, number, statements)


def latest() -> int:
    """The version this Temper writes."""
    return len(migrations())


@cache
def migrations() -> tuple[tuple[str, ...], ...]:
    """The statements of each numbered file."""
    folder = resources.files("temper.store") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return tuple(tuple(_statements(file.read_text(encoding="utf-8"))) for file in files)


def _apply(database: sqlite3.Connection, number: int, statements: tuple[str, ...]) -> None:
    database.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have applied it while this one waited for the lock.
        if _version(database) < number:
            for statement in statements:
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {APPLICATION}")
            database.execute(f"PRAGMA user_version = {number}")
        database.execute("COMMIT")
    except BaseException:
        database.rollback()
        raise


def _refuse_foreign(database: sqlite3.Connection, path: str) -> None:
    version, owner = _version(database), database.execute("PRAGMA application_id").fetchone()[0]
    tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and owner != APPLICATION:
        raise StoreError(f"{path} is a database of another program", fix="choose another file for the store")
    if version > latest():
        raise StoreError(
            f"{path} was written by a newer Temper (version {version}, this one knows {latest()})",
            fix="install a newer temper-ml, or use another folder",
        )


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _statements(text: str) -> Iterator[str]:
    """Split a script where SQLite says a statement is complete, so triggers stay whole."""
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
