"""A store in PostgreSQL: the control store of several gateways, or the runs of many machines.

Writers take one advisory lock for the length of a transaction. They would wait for each other at the end of the audit
chain anyhow; taking the lock first means that they neither meet half way nor work on what has just changed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from temper.core.errors import StoreError
from temper.store.control import pepper
from temper.store.control.database import Connection, Row, Unreachable
from temper.store.control.migrate import CONTROL, Tables, migrate

LOCK = 0x54454D50
READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# A server whose default is a stricter isolation would take its snapshot before it holds the lock, and then refuse.
WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_advisory_xact_lock({})"
# A commit is on the disk before it is acknowledged, whatever the server's default is.
DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
TABLES = "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()"
# A writer that hangs loses the store's lock before those who wait for it give up.
LIMITS = "-c idle_in_transaction_session_timeout=5s -c lock_timeout=15s -c statement_timeout=60s"
ANSWERS = 5
"""Seconds a server has to answer the door."""


@dataclass(frozen=True, slots=True)
class Service:
    """A PostgreSQL database by its URL, which may hold a password and is never told. Writers of tables that do not
    belong together wait for different `lock`s.
    """

    url: str = field(repr=False)
    tables: Tables = CONTROL
    lock: int = LOCK

    def connect(self) -> Connection:
        """A new connection; where the network hangs it gives up, and so does the server on it."""
        import psycopg
        from psycopg.rows import dict_row

        options = f"{self._parts().get('options', '')} {LIMITS}".strip()
        raw = psycopg.connect(
            self.url,
            autocommit=True,
            row_factory=dict_row,
            prepare_threshold=None,  # poolers that share connections know no prepared statements
            connect_timeout=ANSWERS,
            application_name="temper",
            options=options,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
        )
        raw.execute(DURABLE)
        if raw.execute("SELECT 1 FROM pg_settings WHERE name = 'fsync' AND setting <> 'on'").fetchone():
            raw.close()
            raise StoreError(
                f"{self._name()} acknowledges what is not on its disk", fix="set fsync = on in its settings"
            )
        return _Connection(raw, WRITE.format(self.lock))

    def migrate(self, connection: Connection) -> None:
        """Bring the tables to this version; a schema with the tables of another program is refused."""
        migrate(connection, "postgresql", TABLES, self._name(), self.tables)

    def pepper(self, make: bool) -> bytes:
        """The secret in the environment, the same on every node; nothing is ever made here."""
        return pepper.of_environment(os.environ)

    def told(self, error: BaseException) -> StoreError | None:
        """What the server or the driver says, in one sentence with the way out."""
        if isinstance(error, ImportError):
            return StoreError("PostgreSQL needs psycopg", fix="pip install 'temper-ml[postgres]'")
        import psycopg

        if not isinstance(error, psycopg.Error):
            return None
        if isinstance(error, psycopg.errors.LockNotAvailable | psycopg.errors.QueryCanceled):
            return StoreError(f"{self._name()} is busy for too long", fix="look for a transaction that does not end")
        if isinstance(error, psycopg.OperationalError):
            return Unreachable(
                f"{self._name()} cannot be reached: {type(error).__name__}",
                fix="check that PostgreSQL runs there and lets this user in",
            )
        return StoreError(f"{self._name()}: {error.sqlstate or type(error).__name__}", fix="look into its log")

    def _parts(self) -> dict[str, Any]:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict

        try:
            return conninfo_to_dict(self.url)
        except ProgrammingError:  # its text may quote the password
            raise StoreError(
                "the URL of the store is none that PostgreSQL can read",
                fix="write postgresql://user@host/database, with %XX for special characters",
            ) from None

    def _name(self) -> str:
        parts = self._parts()
        return f"the database {parts.get('dbname', '')} on {parts.get('host', 'this machine')}"


class _Connection:
    def __init__(self, raw: Any, write: str) -> None:
        self._raw, self._write = raw, write

    def all(self, sql: str, *values: Any) -> list[Row]:
        cursor = self._raw.execute(_translated(sql), values or None)
        return list(cursor.fetchall()) if cursor.description else []

    def one(self, sql: str, *values: Any) -> Row | None:
        return next(iter(self.all(sql, *values)), None)

    def script(self, text: str) -> None:
        self._raw.execute(text)

    def begin(self, writing: bool) -> None:
        self._raw.execute(self._write if writing else READ)

    def end(self, keep: bool) -> None:
        ended = self._raw.execute("COMMIT" if keep else "ROLLBACK")
        if keep and ended.statusmessage != "COMMIT":  # a statement had failed, so the server threw everything away
            raise StoreError("the change was not kept: one of its statements had failed", fix="try it again")

    def close(self) -> None:
        self._raw.close()


@lru_cache(maxsize=256)
def _translated(sql: str) -> str:
    """Our `?` as psycopg's `%s`; no statement of ours has either in a text."""
    return sql.replace("?", "%s")
