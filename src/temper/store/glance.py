"""What a shell is told of a store while somebody types: the standard library reads it, and nothing is written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

_RUNS = "SELECT run, system, substr(started, 1, 10), verdict FROM outlines ORDER BY number DESC LIMIT 20"
_FINDINGS = (
    "SELECT f.id, f.document FROM findings f WHERE f.run = "
    "(SELECT run FROM outlines WHERE findings > 0 ORDER BY number DESC LIMIT 1) ORDER BY f.rowid"
)


def runs(folder: Path) -> Iterator[tuple[str, str]]:
    """The newest runs of the store of this folder, each with its system, day and verdict."""
    for run, *about in _rows(folder, _RUNS):
        yield run, ", ".join(about)


def findings(folder: Path) -> Iterator[tuple[str, str]]:
    """The findings of the newest run that has any, each with its title."""
    for name, text in _rows(folder, _FINDINGS):
        yield name, str(json.loads(text).get("title", ""))


def _rows(folder: Path, sql: str) -> list[tuple[str, ...]]:
    """Nothing where there is no store, or one of another version: a shell asks while somebody types."""
    for place in (folder, folder.resolve().parent):
        if (path := place / ".temper" / "temper.db").is_file():
            try:
                with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
                    return database.execute(sql).fetchall()
            except sqlite3.Error:
                return []
    return []
