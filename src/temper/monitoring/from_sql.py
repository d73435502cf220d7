"""Predictions from a database, by a query of whoever runs it: read-only, in batches, and only from a time on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from temper.config.feed import SINCE, told
from temper.core.errors import ConfigError, StoreError
from temper.core.schema import Schema
from temper.core.watch import Watch
from temper.monitoring.arrived import Arrived, of_frame

_ROWS = 50_000
Batch = tuple[list[str], list[Any]]


def arrived(watch: Watch, schema: Schema, since: float) -> Iterator[Arrived]:
    """What the query gives; `:since` in it is the end of the last window of which something was said."""
    import pandas as pd

    asked = _postgresql if watch.place.startswith(("postgresql://", "postgres://")) else _sqlite
    for names, rows in asked(watch.place, watch.query, since):
        yield of_frame(pd.DataFrame.from_records(rows, columns=names), watch, schema, "the query")


def _sqlite(place: str, query: str, since: float) -> Iterator[Batch]:
    if "://" in place:
        raise ConfigError(f"there is no feed in {place.partition('://')[0]}", fix="give a file or a postgresql:// URL")
    try:
        address = f"{Path(place).absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=5.0)) as database:
            database.execute("PRAGMA query_only = ON")
            yield from _batches(database.execute(query, {"since": since}))
    except sqlite3.Error as error:
        raise StoreError(f"{place}: {error}", fix="check `monitor: feed:`; it can only read") from error


def _postgresql(place: str, query: str, since: float) -> Iterator[Batch]:
    try:
        import psycopg
    except ImportError:
        raise StoreError("PostgreSQL needs psycopg", fix="pip install 'temper-ml[postgres]'") from None
    text = SINCE.sub("%(since)s", query.replace("%", "%%"))
    try:
        with psycopg.connect(place, connect_timeout=5, application_name="temper") as connection:
            connection.read_only = True
            with connection.cursor("temper") as cursor:  # of the server, which gives a batch at a time
                cursor.execute(text, {"since": since})
                yield from _batches(cursor)
    except psycopg.Error as error:
        said = error.diag.message_primary or type(error).__name__
        raise StoreError(f"{told(place)}: {said}", fix="check `monitor: feed:`; it can only read") from None


def _batches(cursor: Any) -> Iterator[Batch]:
    names = [column[0] for column in cursor.description]
    while rows := cursor.fetchmany(_ROWS):
        yield names, rows
