"""What workers have answered to requests with an id, so that the others do not decide them again."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from temper.store.control.database import Database

SETTING = "answers"
_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One answer, as text; `digest` tells the rows it was given to from others (under `secret`), "" where these were
    erased; `at` in seconds since 1970.
    """

    client: str
    request: str
    digest: str
    at: float
    answer: str


class Answers:
    """The answers in a control store, for as long as clients may try again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def secret(self) -> bytes:
        """What digests of rows are keyed with, the same for all workers; drawn by the first."""
        with self._database.write() as tx:
            sql = "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
            tx.all(sql, SETTING, secrets.token_hex(32))
            row = tx.one("SELECT value FROM setting WHERE name = ?", SETTING)
        return bytes.fromhex(row["value"]) if row else b""

    def put(self, holder: str, entries: Sequence[Answered]) -> None:
        """Let the others know; of one request the first stays."""
        for at in range(0, len(entries), _AT_ONCE):
            some = entries[at : at + _AT_ONCE]
            marks = ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(some))
            values = [v for one in some for v in (holder, one.client, one.request, one.digest, one.at, one.answer)]
            with self._database.write() as tx:
                tx.all(
                    f"INSERT INTO answered (holder, client, request, digest, at, answer) VALUES {marks} "
                    "ON CONFLICT (client, request) DO NOTHING",
                    *values,
                )

    def since(self, holder: str, seq: int, most: int = 10_000) -> tuple[int, list[Answered]]:
        """What the others have answered after `seq`, in order, and where to go on."""
        with self._database.read() as tx:
            rows = tx.all("SELECT * FROM answered WHERE seq > ? ORDER BY seq LIMIT ?", seq, most)
        fields = ("client", "request", "digest", "at", "answer")
        others = [Answered(**{name: row[name] for name in fields}) for row in rows if row["holder"] != holder]
        return (rows[-1]["seq"] if rows else seq), others

    def prune(self, before: float) -> None:
        """Forget what was answered before that."""
        with self._database.write() as tx:
            tx.all("DELETE FROM answered WHERE at < ?", before)
