"""Numbered files of tables, applied in order, each whole or not at all, and never changed afterwards."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from temper.core.errors import StoreError
from temper.store.control.database import Connection

_LEDGER = "CREATE TABLE IF NOT EXISTS {} (number INTEGER PRIMARY KEY, checksum TEXT NOT NULL)"


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables that belong together: the package that has their files, and the table that says which were applied."""

    package: str = "temper.store.control"
    applied: str = "temper_migration"


CONTROL = Tables()
OURS = ("temper_migration", "temper_run_migration")
"""One of these is in every database of Temper's; people's decisions and runs may share one."""


def migrate(connection: Connection, dialect: str, tables: str, place: str, of: Tables = Tables()) -> None:
    """Bring a database to this version, in one transaction. `tables` is the query that lists those it has.

    Raises `StoreError` for the database of another program, of a newer Temper, or of another beginning.
    """
    scripts = migrations(dialect, of.package)
    connection.begin(writing=True)
    try:
        _refuse_foreign({row["name"] for row in connection.all(tables)}, place)
        connection.all(_LEDGER.format(of.applied))
        applied = [row["checksum"] for row in connection.all(f"SELECT checksum FROM {of.applied} ORDER BY number")]
        _refuse_other(applied, [_checksum(text) for text in scripts], place)
        for number, text in enumerate(scripts[len(applied) :], start=len(applied) + 1):
            connection.script(text)
            connection.all(f"INSERT INTO {of.applied} (number, checksum) VALUES (?, ?)", number, _checksum(text))
    except BaseException:
        connection.end(keep=False)
        raise
    connection.end(keep=True)


@cache
def migrations(dialect: str, package: str = "temper.store.control") -> tuple[str, ...]:
    """The text of each numbered file of a dialect."""
    folder = resources.files(package) / "migrations" / dialect
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return tuple(file.read_text(encoding="utf-8") for file in files)


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse_foreign(tables: set[str], place: str) -> None:
    if tables and not tables.intersection(OURS):
        raise StoreError(f"{place} is a database of another program", fix="choose another place for the store")


def _refuse_other(applied: list[str], known: list[str], place: str) -> None:
    if len(applied) > len(known):
        raise StoreError(f"{place} was written by a newer Temper", fix="install a newer temper-ml")
    if applied != known[: len(applied)]:
        raise StoreError(
            f"the tables of {place} were made by other statements than this Temper's",
            fix="install the temper-ml that wrote it",
        )
